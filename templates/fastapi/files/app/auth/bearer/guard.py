"""The guard of an API: a route that takes an `ApiUser` answers only to an access token."""

import logging
from dataclasses import dataclass
from typing import Annotated

import sqlalchemy as sa
from fastapi import Depends, Request, Security
from fastapi.security import SecurityScopes
from starlette.datastructures import Headers

from .. import audit, problem
from .. import db as tables
from ..db import now
from ..problem import Problem
from ..user import User, current_user, maybe_user
from ..visit import Visit, visit_of
from . import families
from .access import Claims, TokenRefusal

log = logging.getLogger("auth")


@dataclass(frozen=True)
class ApiUser:
    """The user of an access token."""

    # Stable and opaque: the same as `User.id`.
    id: str
    # What the user calls the program that has the token.
    device: str
    # The scopes of the token, with spaces between.
    scope: str
    # When the user last signed in to get this token or its forerunners, in Unix seconds.
    auth_time: int
    family: str

    def __repr__(self) -> str:
        return f"ApiUser(id={self.id!r})"

    def may(self, scope: str) -> bool:
        """Whether the token has a scope, for a route that can do with less."""
        return scope in self.scope.split(" ")


async def api_user(request: Request, needed: SecurityScopes) -> ApiUser:
    """The user of an access token. Everybody else gets 401, and tokens without the scopes that the
    route names 403 (RFC 6750 3.1). Sessions and their cookies mean nothing to it, so it needs no
    check of where a request comes from."""
    visit = visit_of(request)
    visit.private = True
    user = await of_token(visit)
    for scope in needed.scopes:
        if not user.may(scope):
            await audit.refusal(visit, "token_refused", "insufficient_scope", user.id)
            raise problem.without_scope(scope)
    return user


CurrentApiUser = Annotated[ApiUser, Security(api_user)]


async def fresh_api_user(request: Request, user: CurrentApiUser) -> ApiUser:
    """The user of an access token who signed in lately (`AUTH_REAUTH_SECONDS`). An older sign-in
    gets 403 (RFC 9470): sign in again for a new token."""
    visit = visit_of(request)
    seconds = visit.auth.settings.policy.reauth
    if now() - user.auth_time >= seconds:
        await audit.refusal(visit, "reauth_required", "stale", user.id)
        raise problem.stale_token(seconds)
    return user


FreshApiUser = Annotated[ApiUser, Security(fresh_api_user)]


async def of_token(visit: Visit) -> ApiUser:
    token = bearer(visit.headers)
    try:
        claims = visit.auth.access.read(token)
    except TokenRefusal as refusal:
        log.info("an access token was refused: %s", refusal)
        raise problem.access_token_invalid() from None
    device = await device_of(visit, claims)
    if device is None:
        raise problem.access_token_invalid()
    return ApiUser(claims.sub, device, claims.scope, claims.auth_time, claims.sid)


def bearer(headers: Headers) -> str:
    """The token of the one `Authorization` header. No other place is looked at (RFC 6750 5.3, RFC
    9700 4.3.2)."""
    values = headers.getlist("authorization")
    if not values:
        raise problem.access_token_missing()
    scheme, _, token = values[0].partition(" ")
    if len(values) > 1 or scheme.lower() != "bearer" or not token:
        raise problem.access_token_invalid()
    return token


async def device_of(visit: Visit, claims: Claims) -> str | None:
    """The device of a token whose family lives and whose account is as it was when the token was
    signed: one read of indexed rows, so that what ends a family is felt at once (ASVS 7.4.1)."""
    f = tables.families
    statement = sa.select(f.c.device).where(
        f.c.id == claims.sid,
        f.c.user_id == claims.sub,
        f.c.epoch == claims.ver,
        families.lives(),
    )
    async with visit.auth.db.read() as db:
        device: str | None = (await db.execute(statement)).scalar_one_or_none()
    return device


async def caller(request: Request) -> User | ApiUser:
    """Who asks: a browser with a session, or a program with a token. An `Authorization` header is
    the answer, right or wrong; a session that comes with it does not count."""
    visit = visit_of(request)
    visit.private = True
    if "authorization" in visit.headers:
        return await of_token(visit)
    return await current_user(await maybe_user(visit))


Caller = Annotated[User | ApiUser, Depends(caller)]


async def fresh_caller(request: Request, who: Caller) -> User | ApiUser:
    """The same, with the password entered lately in the session. A token needs no more than it
    has."""
    visit = visit_of(request)
    is_stale = (
        isinstance(who, User)
        and now() - who.auth_time >= visit.auth.settings.policy.reauth
    )
    if is_stale:
        await audit.refusal(visit, "reauth_required", "stale", who.id)
        raise Problem("reauth_required")
    return who


FreshCaller = Annotated[User | ApiUser, Depends(fresh_caller)]
