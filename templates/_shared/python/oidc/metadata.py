"""What providers say about themselves: their endpoints and keys, kept for a while."""

import asyncio
import logging
import math
import time
from dataclasses import dataclass, replace
from typing import Annotated, Any

from joserfc.errors import JoseError
from joserfc.jwk import Key, import_key
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .failure import Unavailable
from .http import CallError, Http
from .settings import Provider, Settings, is_safe

log = logging.getLogger("[% if pack.id == 'django' %]accounts[% else %]auth[% endif %]")

CONFIGURATION = "/.well-known/openid-configuration"
# The library would take one for HMAC as well: a key that everybody knows.
PUBLIC = ("RSA", "EC", "OKP")


class Description(BaseModel):
    """What counts of a provider's metadata (OpenID Connect Discovery 3)."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    # RFC 9207: every answer says whose it is.
    authorization_response_iss_parameter_supported: bool = False


class Published(BaseModel):
    """A set of keys (RFC 7517 5)."""

    model_config = ConfigDict(strict=True, extra="ignore")

    keys: Annotated[list[dict[str, Any]], Field(max_length=100)]


@dataclass(frozen=True)
class Known:
    """What a provider said, and when it was asked."""

    description: Description
    keys: tuple[Key, ...]
    fetched: float
    # When an unknown key last made us ask for the keys.
    renewed: float | None = None


class Cache:
    """One provider's description. Who comes while it is fetched waits for the same answer, also for
    none: asking in turn, the last of many would wait for all timeouts of a dead provider."""

    def __init__(self, provider: Provider, http: Http, settings: Settings) -> None:
        self._provider = provider
        self._http = http
        self._settings = settings
        self._known: Known | None = None
        # When asking last ended without an answer.
        self._failed = -math.inf
        self._asking = asyncio.Lock()

    async def get(self) -> Known:
        """At most `settings.keys` old: a key that the provider withdrew is gone by then."""
        came = time.monotonic()
        async with self._asking:
            known, at = self._known, time.monotonic()
            if known is not None and at - known.fetched < self._settings.keys:
                return known
            if self._failed >= came:
                raise Unavailable
            try:
                description = await self._discover()
                keys = await self._keys(description)
            except CallError as error:
                self._failed = time.monotonic()
                raise unreachable(error) from None
            renewed = known.renewed if known is not None else None
            self._known = Known(description, keys, at, renewed)
            return self._known

    async def renew(self, known: Known) -> Known:
        """Asks for the keys again, for a token whose key is not among them: it may be a new one. At
        most once in `settings.cooldown`, since anybody can make up the name of a key."""
        async with self._asking:
            known, at = self._known or known, time.monotonic()
            last = known.renewed
            if last is not None and at - last < self._settings.cooldown:
                return known
            self._known = replace(known, renewed=at)
            try:
                keys = await self._keys(known.description)
            except CallError as error:
                raise unreachable(error) from None
            self._known = replace(self._known, keys=keys)
            return self._known

    async def _discover(self) -> Description:
        issuer = self._provider.issuer
        body = await self._http.get(issuer.removesuffix("/") + CONFIGURATION)
        try:
            found = Description.model_validate_json(body)
        except ValidationError:
            raise CallError("a description of another shape") from None
        # To the letter (ASVS 10.5.3).
        if found.issuer != issuer:
            raise CallError("a description of another issuer")
        # The one endpoint that is not called from here.
        if not is_safe(found.authorization_endpoint, self._settings.development):
            raise CallError("an address without TLS")
        return found

    async def _keys(self, description: Description) -> tuple[Key, ...]:
        body = await self._http.get(description.jwks_uri)
        try:
            published = Published.model_validate_json(body).keys
        except ValidationError:
            raise CallError("keys of another shape") from None
        keys = [usable(data) for data in published]
        return tuple(key for key in keys if key is not None)


def usable(data: dict[str, Any]) -> Key | None:
    """A key to check signatures with. Others are passed over (RFC 7517 5)."""
    if data.get("kty") not in PUBLIC or data.get("use", "sig") != "sig":
        return None
    try:
        return import_key(data)
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def unreachable(error: CallError) -> Unavailable:
    log.warning("a provider's description cannot be used: %s", error)
    return Unavailable()


class Oidc:
    """What is kept of providers while the application runs."""

    def __init__(self, settings: Settings) -> None:
        self.http = Http(settings)
        self.known = {
            name: Cache(provider, self.http, settings)
            for name, provider in settings.providers.items()
        }

    async def close(self) -> None:
        await self.http.close()
