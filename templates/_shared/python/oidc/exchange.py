"""From a code to somebody that a provider vouches for."""

import base64
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import GuestProtocol, Key
from joserfc.jws import JWSRegistry
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .failure import Refused, Unavailable
from .http import Answer, CallError
from .metadata import Known, Oidc
from .settings import Provider
from .underway import Intent, Taken, now

log = logging.getLogger("[% if pack.id == 'django' %]accounts[% else %]auth[% endif %]")

# How far a provider's clock may be off.
LEEWAY_SECONDS = 60
# An ID token is used right after it was made.
MAX_AGE_SECONDS = 600
# The kind of key and the hash that go with an algorithm. HMAC is none of them: the client's secret
# is no key.
KINDS = {
    "RS256": "RSA",
    "PS256": "RSA",
    "ES256": "EC",
    "EdDSA": "OKP",
    "Ed25519": "OKP",
}
HASHES: dict[str, Callable[[bytes], Any]] = {
    "RSA": hashlib.sha256,
    "EC": hashlib.sha256,
    "OKP": hashlib.sha512,
}

Number = Annotated[int | float, Field(ge=-(2**53), le=2**53)]


@dataclass(frozen=True)
class Person:
    """Somebody at a provider. Issuer and subject say who; the address is only a claim (ASVS
    6.8.1)."""

    issuer: str
    subject: str
    email: str | None
    # Whether the provider says that the address is theirs.
    is_verified: bool
    # When they signed in there, in Unix seconds; 0 if the provider should say and does not.
    auth_time: int


class Said(BaseModel):
    """What a provider says of somebody. Each claim has one type; another is an error, never an
    absent claim."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    # OpenID Connect Core 2: at most 255 ASCII characters.
    sub: Annotated[str, Field(pattern=r"^[\x20-\x7e]{1,255}$")]
    email: str | None = None
    email_verified: object = None
    xms_edov: object = None


class Claims(Said):
    """What an ID token says."""

    iss: str
    aud: str | list[str]
    exp: Number
    iat: Number
    nbf: Number | None = None
    nonce: str
    azp: str | None = None
    acr: str | None = None
    at_hash: str | None = None
    auth_time: Number | None = None


class Tokens(BaseModel):
    """What a token endpoint answers (RFC 6749 5.1)."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    access_token: Annotated[str, Field(pattern=r"^[\x21-\x7e]+$")]
    token_type: str
    id_token: str | None = None


class Failed(BaseModel):
    """What a token endpoint answers otherwise (RFC 6749 5.2)."""

    error: Annotated[str, Field(pattern=r"^[\x20-\x7e]{1,100}$")]


class UnknownKey(Exception):
    """No key of the provider fits a token."""


async def person(
    oidc: Oidc,
    provider: Provider,
    known: Known,
    code: str,
    taken: Taken,
    back: str,
) -> Person:
    """Exchanges the code and checks the ID token that comes for it. Its tokens are dropped at the
    end: no browser, log or table ever holds one (ASVS 10.1.1)."""
    address = known.description.token_endpoint
    tokens = await exchanged(oidc, provider, address, code, taken, back)
    if tokens.id_token is None:
        raise Refused("id_token_missing")
    try:
        claims = checked(provider, known.keys, tokens.id_token, tokens, taken)
    except UnknownKey:
        known = await oidc.known[provider.preset.id].renew(known)
        try:
            claims = checked(provider, known.keys, tokens.id_token, tokens, taken)
        except UnknownKey:
            raise Refused("key") from None
    said: Said = claims
    if claims.email is None and known.description.userinfo_endpoint is not None:
        said = await asked(oidc, known.description.userinfo_endpoint, claims, tokens)
    return Person(
        issuer=provider.issuer,
        subject=claims.sub,
        email=said.email,
        is_verified=is_verified(provider, said),
        auth_time=signed_in_at(provider, claims),
    )


async def exchanged(
    oidc: Oidc,
    provider: Provider,
    address: str,
    code: str,
    taken: Taken,
    back: str,
) -> Tokens:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": back,
        "code_verifier": taken.verifier,
    }
    try:
        answer = await oidc.http.exchange(address, provider, form)
    except CallError as error:
        log.warning("a provider's token endpoint failed: %s", error)
        raise Unavailable from None
    if answer.status != 200:
        raise failed(answer)
    try:
        tokens = Tokens.model_validate_json(answer.body)
    except ValidationError:
        raise Refused("token_answer") from None
    if tokens.token_type.lower() != "bearer":
        raise Refused("token_type")
    return tokens


def failed(answer: Answer) -> Exception:
    """What it says beside the code could hold what was sent: that is not logged."""
    try:
        error = Failed.model_validate_json(answer.body).error
    except ValidationError:
        return Refused("token_answer")
    if error == "invalid_grant":
        return Refused("code")
    log.warning("a provider's token endpoint refused: %s", error)
    return Unavailable()


def checked(
    provider: Provider,
    keys: tuple[Key, ...],
    token: str,
    tokens: Tokens,
    taken: Taken,
) -> Claims:
    """The library checks signature, issuer, audience, times and nonce; what it leaves to its caller
    follows (OpenID Connect Core 3.1.3.7, ASVS 10.5.1 to 10.5.4)."""
    algorithms = provider.preset.algorithms
    # A header that it does not know means nothing.
    registry = JWSRegistry(algorithms=algorithms, strict_check_header=False)
    try:
        read = jwt.decode(token, chosen(keys), algorithms, registry)
        required(provider, taken).validate(read.claims)
        claims = Claims.model_validate(read.claims)
    except JoseError as error:
        raise refused(error.error) from None
    except (ValidationError, ValueError, TypeError, KeyError, RecursionError):
        raise refused("malformed") from None
    if claims.aud not in (provider.client_id, [provider.client_id]):
        raise refused("aud")
    if claims.iat < now() - MAX_AGE_SECONDS:
        raise refused("iat")
    if not is_recent(provider, taken, claims.auth_time):
        raise refused("auth_time")
    kind = KINDS[read.header["alg"]]
    if claims.at_hash not in (None, half_hash(kind, tokens.access_token)):
        raise refused("at_hash")
    return claims


def chosen(keys: tuple[Key, ...]) -> Callable[[GuestProtocol], Key]:
    """Never a key of the token's choice: the one of the issuer's that has its name, and without a
    name the only one that fits (OpenID Connect Core 10.1)."""

    def choose(token: GuestProtocol) -> Key:
        header = token.headers()
        # Nothing that would have to be understood is (RFC 7515 4.1.11).
        if "crit" in header:
            raise ValueError("crit")
        algorithm, name = header["alg"], header.get("kid")
        fitting = [
            key
            for key in keys
            if key.key_type == KINDS.get(algorithm)
            and key.get("alg") in (None, algorithm)
            and name in (None, key.get("kid"))
        ]
        if len(fitting) != 1:
            raise UnknownKey
        return fitting[0]

    return choose


def required(provider: Provider, taken: Taken) -> jwt.JWTClaimsRegistry:
    claims: dict[str, jwt.ClaimsOption] = {
        "iss": {"essential": True, "value": provider.issuer},
        "aud": {"essential": True, "value": provider.client_id},
        "sub": {"essential": True},
        "exp": {"essential": True},
        "iat": {"essential": True},
        "nonce": {"essential": True, "value": taken.nonce},
        "azp": {"value": provider.client_id},
    }
    if provider.acr is not None:
        claims["acr"] = {"essential": True, "value": provider.acr}
    return jwt.JWTClaimsRegistry(now=now, leeway=LEEWAY_SECONDS, **claims)


def refused(why: str) -> Refused:
    log.warning("an ID token was refused: %s", why)
    return Refused("id_token")


def half_hash(kind: str, access_token: str) -> str:
    """OpenID Connect Core 3.1.3.6."""
    digest: bytes = HASHES[kind](access_token.encode()).digest()
    half = digest[: len(digest) // 2]
    return base64.urlsafe_b64encode(half).rstrip(b"=").decode()


def is_recent(provider: Provider, taken: Taken, time: float | None) -> bool:
    """Whether somebody signed in at the provider as lately as was asked for. Not to say when is not
    to have done it (ASVS 6.8.4)."""
    oldest: int | None = None
    if taken.intent is Intent.REAUTH:
        oldest = taken.created_at
    elif provider.max_age is not None:
        oldest = now() - provider.max_age
    if oldest is None:
        return True
    if time is None:
        return False
    return oldest - LEEWAY_SECONDS <= time <= now() + LEEWAY_SECONDS


def signed_in_at(provider: Provider, claims: Claims) -> int:
    """An open browser is signed in at its provider without anybody there, so that coming from one
    proves nobody anew (ASVS 7.5.1). Only of a provider that is known not to say when it was, it is
    now."""
    time, at = claims.auth_time, now()
    if time is not None and time <= at + LEEWAY_SECONDS:
        return max(0, min(int(time), at))
    if time is None and not provider.preset.reauth:
        return at
    name = provider.preset.id
    log.warning("no usable `auth_time` of %s: the session is not fresh", name)
    return 0


def is_verified(provider: Provider, said: Said) -> bool:
    """Whether the address is theirs. By its type as well: 1 is another word than true."""
    claim = getattr(said, provider.preset.verified_claim)
    return any(
        type(claim) is type(word) and claim == word for word in provider.preset.verified
    )


async def asked(oidc: Oidc, address: str, claims: Claims, tokens: Tokens) -> Said:
    """UserInfo, where the token has no address; only of whom the token is about (OpenID Connect
    Core 5.3.2)."""
    try:
        body = await oidc.http.get(address, tokens.access_token)
    except CallError as error:
        log.warning("a provider's UserInfo failed: %s", error)
        raise Unavailable from None
    try:
        said = Said.model_validate_json(body)
    except ValidationError:
        raise Refused("userinfo") from None
    if said.sub != claims.sub:
        raise Refused("userinfo")
    return said
