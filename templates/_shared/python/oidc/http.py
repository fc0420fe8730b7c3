"""Calls to providers: TLS that is verified, no redirects, little patience, small answers (ASVS
12.3.2, 15.3.2, 13.2.6)."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import quote_plus

import httpx2

from .settings import Provider, Settings, is_safe

# More than any description, set of keys or token takes.
MAX_ANSWER = 1 << 20

# They would log every address, and below that every header.
for name in ("httpx2", "httpcore2"):
    logging.getLogger(name).setLevel(logging.WARNING)


class CallError(Exception):
    """Why a call brought nothing. The text names no token: those are never in an address."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes


class Http:
    """Calls providers."""

    def __init__(self, settings: Settings) -> None:
        context = httpx2.create_ssl_context()
        if settings.authorities is not None:
            context.load_verify_locations(cadata=settings.authorities)
        self._seconds = settings.timeout
        self._development = settings.development
        self._client = httpx2.AsyncClient(
            verify=context,
            # An answer must not choose who else is called (SSRF).
            follow_redirects=False,
            timeout=settings.timeout,
            # One user's cookies of a provider would go along with the next one's calls.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            # What is small may be large when it is unpacked.
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def call(
        self,
        method: str,
        address: str,
        *,
        form: Mapping[str, str] | None = None,
        auth: httpx2.Auth | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Sends one request. Redirects and failures of the server are errors; what the client did
        wrong is left to the caller to read."""
        if not is_safe(address, self._development):
            raise CallError("an address without TLS")
        sending = self._client.stream(
            method, address, data=form, auth=auth, headers=headers
        )
        try:
            async with asyncio.timeout(self._seconds), sending as response:
                if response.is_redirect or response.is_server_error:
                    raise CallError(f"status {response.status_code}")
                return Answer(response.status_code, await read(response))
        except TimeoutError:
            raise CallError("no answer in time") from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise CallError(type(error).__name__) from None

    async def get(self, address: str, token: str | None = None) -> bytes:
        """Reads what is there for everybody, or what an access token opens."""
        headers = {"Authorization": f"Bearer {token}"} if token is not None else None
        answer = await self.call("GET", address, headers=headers)
        if answer.status != httpx2.codes.OK:
            raise CallError(f"status {answer.status}")
        return answer.body

    async def exchange(
        self, address: str, provider: Provider, form: Mapping[str, str]
    ) -> Answer:
        """A request that the client proves itself with."""
        key, secret = provider.client_id, provider.client_secret
        if provider.preset.secret_in_body:
            proof = {"client_id": key, "client_secret": secret}
            return await self.call("POST", address, form={**form, **proof})
        # Encoded first (RFC 6749 2.3.1).
        basic = httpx2.BasicAuth(quote_plus(key), quote_plus(secret))
        return await self.call("POST", address, form=form, auth=basic)


async def read(response: httpx2.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_ANSWER:
            raise CallError("an answer of more than a MiB")
    return bytes(body)
