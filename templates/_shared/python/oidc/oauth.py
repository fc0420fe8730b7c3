"""Sign-in at a provider that has OAuth 2 and no OpenID Connect: who somebody is, its API says."""

import logging
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from .exchange import Person, exchanged
from .failure import Unavailable
from .http import CallError
from .metadata import Oidc
from .settings import Provider
from .underway import Taken, now

log = logging.getLogger("[% if pack.id == 'django' %]accounts[% else %]auth[% endif %]")


class Profile(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    # Never given to anybody else, as names are.
    id: Annotated[int, Field(ge=0, le=2**63)]


class Address(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    email: str
    primary: bool
    verified: bool


ADDRESSES = TypeAdapter(list[Address])


async def person(
    oidc: Oidc, provider: Provider, code: str, taken: Taken, back: str
) -> Person:
    endpoints = provider.preset.endpoints
    if endpoints is None:
        raise Unavailable
    tokens = await exchanged(oidc, provider, endpoints.token, code, taken, back)
    token = tokens.access_token
    try:
        body = await oidc.http.get(endpoints.user, token)
        profile = Profile.model_validate_json(body)
        addresses = ADDRESSES.validate_json(
            await oidc.http.get(endpoints.emails, token)
        )
    except (CallError, ValidationError) as error:
        why = error if isinstance(error, CallError) else "an answer of another shape"
        log.warning("a provider's API failed: %s", why)
        raise Unavailable from None
    address = next((one for one in addresses if one.primary), None)
    return Person(
        issuer=provider.issuer,
        subject=str(profile.id),
        email=address.email if address is not None else None,
        is_verified=address is not None and address.verified,
        auth_time=now(),
    )
