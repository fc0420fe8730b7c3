"""Providers without a network that do what a test tells them: they lie about one thing at a time and
sign it properly."""

import asyncio
import base64
import hashlib
import json
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

import httpx2
from joserfc.jwk import ECKey
from joserfc.jws import JWSRegistry

from ..oidc.metadata import CONFIGURATION
from ..oidc.underway import now

ES256 = JWSRegistry.algorithms["ES256"]
CLIENT = "the client"
SECRET = "the client's secret"


def parameters(address: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(address).query))


def new_key(kid: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"})


def encoded(value: object) -> str:
    return bare(json.dumps(value).encode())


def bare(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def said(status: int, value: object) -> httpx2.Response:
    body = httpx2.ByteStream(json.dumps(value).encode())
    # A browser would come with it again. The application asks for many people.
    kept = {"set-cookie": "visitor=s-ada; Path=/"}
    return httpx2.Response(status, headers=kept, stream=body)


@dataclass
class Draft:
    """An ID token before it is signed."""

    header: dict[str, Any]
    claims: dict[str, Any]
    key: ECKey

    def finish(self) -> str:
        message = f"{encoded(self.header)}.{encoded(self.claims)}"
        # Whatever the header says: the library would refuse to sign some.
        return f"{message}.{bare(ES256.sign(message.encode(), self.key))}"


class Endless(httpx2.AsyncByteStream):
    """A body that does not end."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            yield b" " * 65_536


@dataclass
class Instead:
    """What an endpoint answers in place of what it should."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0
    is_endless: bool = False

    async def answer(self) -> httpx2.Response:
        await asyncio.sleep(self.seconds)
        if self.is_endless:
            return httpx2.Response(self.status, stream=Endless())
        body = httpx2.ByteStream(self.body)
        return httpx2.Response(self.status, headers=self.headers, stream=body)


class Provider:
    """One provider. Everything that it does can be changed."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.claims: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        self.keys = [new_key("one")]
        # The keys that it shows, if not its own.
        self.shown: Any = None
        # By path.
        self.instead: dict[str, Instead] = {}
        # Takes any verifier, and a code as often as it comes.
        self.is_lax = False
        self.log: list[tuple[str, str]] = []
        self._grants: dict[str, dict[str, str]] = {}
        self.lies()
        self.is_("s-ada", "ada@example.org")

    def is_(self, sub: str, email: str | None, **more: object) -> None:
        """Who consents from now on."""
        self.claims = {"sub": sub, "email": email, "email_verified": True, **more}
        self.claims = {name: said for name, said in self.claims.items() if said != ""}
        if email is None:
            del self.claims["email"]

    def lies(
        self,
        token: Callable[[Draft], object] = lambda draft: None,
        finish: Callable[[Draft], str] = Draft.finish,
        answer: Callable[[dict[str, Any]], object] = lambda answer: None,
        describe: Callable[[dict[str, Any]], object] = lambda described: None,
    ) -> None:
        self._token, self._finish = token, finish
        self._answer, self._describe = answer, describe

    def count(self, path: str) -> int:
        return sum(called == path for called, _ in self.log)

    def consents(self, location: str) -> str:
        """To what is asked. Returns the path on which the browser comes back."""
        asked, code = parameters(location), secrets.token_urlsafe()
        self._grants[code] = asked
        back = {"code": code, "state": asked["state"], "iss": self.issuer}
        return f"{urlsplit(asked['redirect_uri']).path}?{urlencode(back)}"

    async def handle(self, request: httpx2.Request) -> httpx2.Response:
        assert "cookie" not in request.headers
        path, body = request.url.path, (await request.aread()).decode()
        self.log.append((path, f"{body} {request.headers.get('authorization', '')}"))
        if path in self.instead:
            return await self.instead[path].answer()
        form = dict(parse_qsl(body))
        if path == CONFIGURATION:
            return said(200, self._description())
        if path == "/keys":
            own = {"keys": [key.as_dict(private=False) for key in self.keys]}
            return said(200, self.shown or own)
        if path == "/token":
            return self._redeem(request, form)
        if path == "/userinfo":
            return said(200, self.userinfo)
        return said(404, {})

    def _description(self) -> Any:
        place = self.issuer.removesuffix("/")
        described = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{place}/authorize?state=theirs",
            "token_endpoint": f"{place}/token",
            "userinfo_endpoint": f"{place}/userinfo",
            "jwks_uri": f"{place}/keys",
            "authorization_response_iss_parameter_supported": True,
        }
        return self._describe(described) or described

    def _redeem(self, request: httpx2.Request, form: dict[str, str]) -> httpx2.Response:
        proof = f"{quote_plus(CLIENT)}:{quote_plus(SECRET)}".encode()
        basic = f"Basic {base64.b64encode(proof).decode()}"
        by_header = request.headers.get("authorization") == basic
        if not by_header and form.get("client_secret") != SECRET:
            return said(401, {"error": "invalid_client"})
        asked = self._grants.get(form["code"])
        if asked is None or not (self.is_lax or fits(asked, form)):
            return said(400, {"error": "invalid_grant"})
        if not self.is_lax:
            del self._grants[form["code"]]
        answer = {
            "access_token": "sentinel-access-token",
            "refresh_token": "sentinel-refresh-token",
            "token_type": "Bearer",
            "id_token": self._id_token(asked),
        }
        self._answer(answer)
        return said(200, answer)

    def _id_token(self, asked: dict[str, str]) -> str:
        at, key = now(), self.keys[-1]
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "nonce": asked["nonce"],
            "iat": at,
            "exp": at + 300,
            "auth_time": at,
        }
        header = {"alg": "ES256", "kid": key.kid}
        draft = Draft(header, claims | self.claims, key)
        self._token(draft)
        return self._finish(draft)


def fits(asked: dict[str, str], form: dict[str, str]) -> bool:
    digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
    is_proven = bare(digest) == asked["code_challenge"]
    return is_proven and form.get("redirect_uri") == asked["redirect_uri"]
