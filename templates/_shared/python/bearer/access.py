"""Access tokens: JWTs in the profile of RFC 9068, signed with ES256."""

import secrets
import time
from dataclasses import dataclass
from typing import Annotated

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, GuestProtocol
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from .keys import ALGORITHM, Keys

# What tells an access token from anything else that these keys may ever sign (RFC 9068 2.1).
TYPE = "at+jwt"
# Longer ones are refused unread.
MAX_LENGTH = 8 * 1024
# How far clocks may differ.
LEEWAY_SECONDS = 30

# A database may refuse what no name contains, such as NUL.
Name = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,64}$")]
Number = Annotated[int, Field(ge=0, le=2**53)]


def now() -> int:
    return int(time.time())


class TokenRefusal(Exception):
    """Why a token is refused, for the log: a word, and nothing of the token."""


class Claims(BaseModel):
    """What an access token says. Each claim has one type; another is an error, never an absent
    claim."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    sub: Name
    # The family.
    sid: Name
    exp: Number
    nbf: Number
    iat: Number
    jti: str
    amr: list[str]
    auth_time: Annotated[int, Field(ge=-(2**53), le=2**53)]
    # The account's epoch.
    ver: Number
    # Names with spaces between. Whatever is not that, opens nothing.
    scope: str = ""

    @field_validator("scope", mode="before")
    @classmethod
    def text_or_nothing(cls, value: object) -> str:
        return value if isinstance(value, str) else ""


@dataclass(frozen=True)
class Holder:
    """The program that a token is for, as its family says."""

    user_id: str
    family: str
    # The account's when the family began.
    epoch: int
    # How the user proved who they are.
    amr: str
    # Both in Unix seconds.
    authenticated_at: int
    expires_at: int


class Access:
    """Signs access tokens, and tells which are ours."""

    def __init__(self, keys: Keys, issuer: str, audience: str, seconds: int) -> None:
        self.keys = keys
        self._issuer = issuer
        self._audience = audience
        self._seconds = seconds
        self._registry = jwt.JWTClaimsRegistry(
            now=now,
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._audience},
            exp={"essential": True},
            nbf={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
        )

    def lifetime(self, holder: Holder) -> int:
        """For how many seconds a new token counts: never beyond the end of its family."""
        return min(self._seconds, holder.expires_at - now())

    def sign(self, holder: Holder, scope: str) -> str:
        """A token of a family, for some of its scopes."""
        at = now()
        claims = {
            "iss": self._issuer,
            "sub": holder.user_id,
            "aud": self._audience,
            "exp": at + self.lifetime(holder),
            "nbf": at,
            "iat": at,
            "jti": secrets.token_urlsafe(16),
            "sid": holder.family,
            "scope": scope,
            "amr": [holder.amr],
            "auth_time": holder.authenticated_at,
            "ver": holder.epoch,
        }
        header = {"alg": ALGORITHM, "typ": TYPE, "kid": self.keys.kid}
        return jwt.encode(header, claims, self.keys.signing, [ALGORITHM])

    def read(self, token: str) -> Claims:
        """Reads a token that one of our keys signed, and that counts now. Whether its family lives
        is for the database to say."""
        if len(token) > MAX_LENGTH or not token.isascii():
            raise TokenRefusal("malformed")
        try:
            read = jwt.decode(token, self._key, [ALGORITHM])
            self._registry.validate(read.claims)
            return Claims.model_validate(read.claims)
        except JoseError as error:
            raise TokenRefusal(error.error) from None
        except (ValidationError, ValueError, TypeError, RecursionError):
            raise TokenRefusal("malformed") from None

    def _key(self, token: GuestProtocol) -> ECKey:
        """The right type, and no header but three: neither keys that a token brings along (RFC
        8725 3.10) nor extensions that would have to be understood (RFC 7515 4.1.11). A `kid` is a
        name among ours and nothing else."""
        header = token.headers()
        if set(header) != {"alg", "typ", "kid"}:
            raise TokenRefusal("another_kind")
        if str(header["typ"]).lower().removeprefix("application/") != TYPE:
            raise TokenRefusal("another_kind")
        key = self.keys.verifying.get(str(header["kid"]))
        if key is None:
            raise TokenRefusal("unknown_key")
        return key
