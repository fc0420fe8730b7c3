"""What programs ask for: tokens, the next ones, their end, and who they are."""

from typing import Annotated, Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Depends

from .. import audit, limits, sessions[% if module.password %], sign_in[% endif %]
from ..db import now
from ..inputs import Form, body
from ..problem import Problem
from ..user import CurrentVisit, maybe_user
from ..visit import Visit
from . import families
from .access import TokenRefusal
from .families import Grant, Shown
from .guard import CurrentApiUser
from .scopes import narrowed

router = APIRouter()

# A device's name has so many characters at most.
MAX_DEVICE = 100


class Ask(Form):
    # What proves who the user is.
[%- if module.password %]
    grant: Literal["password", "session"]
    email: str | None = None
    password: str | None = None
[%- else %]
    grant: Literal["session"]
[%- endif %]
    # What the user will call the program in the list of devices.
    device: str | None = None
    scope: str | None = None


@router.post("/token")
async def issue(
    visit: CurrentVisit, ask: Annotated[Ask, Depends(body(Ask))]
) -> dict[str, Any]:
    """Begins a family and answers with its first tokens."""
    settings = visit.auth.settings
    scope = narrowed(settings.token_scopes, ask.scope)
    device = named(visit, ask.device)
[%- if module.password %]
    if ask.grant == "password":
        grant = await by_password(visit, ask)
    else:
        grant = await by_session(visit)
[%- else %]
    grant = await by_session(visit)
[%- endif %]
    async with visit.auth.db.write() as db:
        limit = settings.policy.sessions
        family = await families.begin(db, grant, device, scope, limit)
        token = await families.next_token(db, family, settings.policy)
        await audit.record(db, visit, "token_issued", user_id=grant.user_id)
    return answer(visit, family, scope, token)


[% if module.password -%]
async def by_password(visit: Visit, ask: Ask) -> Grant:
    """The same as a login, with the same throttles, up to where that begins a session."""
    if ask.email is None or ask.password is None:
        raise Problem("invalid_fields")
    account = await sign_in.admitted(visit, ask.email, ask.password)
    return Grant(
        user_id=account["id"],
        epoch=account["epoch"],
        session=None,
[%- if module.oidc %]
        amr="pwd",
[%- endif %]
        authenticated_at=now(),
        expires_at=now() + visit.auth.settings.policy.refresh_absolute,
    )


[% endif -%]
async def by_session(visit: Visit) -> Grant:
    """For a program in the user's browser. What it gets ends with the session."""
    policy = visit.auth.settings.policy
    await limits.per_source(visit, "refresh", policy.refresh_source)
    user = await maybe_user(visit)
    if user is None:
        raise Problem("not_signed_in")
    return Grant(
        user_id=user.id,
        epoch=user.epoch,
        session=user.session,
[%- if module.oidc %]
        amr=user.amr,
[%- endif %]
        authenticated_at=user.auth_time,
        expires_at=min(user.expires_at, now() + policy.refresh_absolute),
    )


def named(visit: Visit, device: str | None) -> str:
    """The name that the program gave itself, or what it seems to be."""
    if device is None:
        return sessions.device(visit.agent)
    name = device.strip()
    if not name or len(name) > MAX_DEVICE or not name.isprintable():
        raise Problem("invalid_fields")
    return name


def answer(
    visit: Visit, family: sa.RowMapping, scope: str, refresh_token: str
) -> dict[str, Any]:
    """The tokens, as RFC 6749 5.1 names them."""
    access, holder = visit.auth.access, families.holder(family)
    return {
        "access_token": access.sign(holder, scope),
        "token_type": "Bearer",
        "expires_in": access.lifetime(holder),
        "refresh_token": refresh_token,
        "scope": scope,
    }


class Refresh(Form):
    refresh_token: str
    # Less than was granted, for this access token.
    scope: str | None = None


@router.post("/token/refresh")
async def refresh(
    visit: CurrentVisit, form: Annotated[Refresh, Depends(body(Refresh))]
) -> dict[str, Any]:
    """Answers with new tokens. A refresh token that was used before means that two have it: the
    whole family ends, for the thief and for the owner, who signs in again (RFC 9700 4.14.2)."""
    policy, token = visit.auth.settings.policy, form.refresh_token
    await limits.per_source(visit, "refresh", policy.refresh_source)
    shown = Shown.EXPIRED
    async with visit.auth.db.write() as db:
        family = await families.of_refresh_token(db, token)
        if family is not None:
            shown = await families.use_up(db, token)
        if family is not None and shown is Shown.NEXT:
            # A scope that was never granted is an error that uses nothing up.
            scope = narrowed(family["scope"], form.scope)
            following = await families.next_token(db, family, policy)
            owner = family["user_id"]
            await audit.record(db, visit, "token_refreshed", user_id=owner)
            return answer(visit, family, scope, following)
        if family is not None and shown is Shown.AGAIN:
            await families.revoke(db, family["id"])
            owner, reason = family["user_id"], "invalid_grant"
            await audit.record(db, visit, "token_reuse", user_id=owner, reason=reason)
    if shown is Shown.EXPIRED:
        await audit.refusal(visit, "token_refused", "invalid_grant")
    raise Problem("invalid_grant")


class Token(Form):
    token: str


@router.post("/token/revoke")
async def revoke(
    visit: CurrentVisit, form: Annotated[Token, Depends(body(Token))]
) -> dict[str, str]:
    """Ends the family of a refresh token or an access token. Who has a token may do so. The answer
    is the same for any text, so it tells nobody what is a token (RFC 7009)."""
    policy = visit.auth.settings.policy
    await limits.per_source(visit, "revoke", policy.refresh_source)
    async with visit.auth.db.write() as db:
        try:
            family: str | None = visit.auth.access.read(form.token).sid
        except TokenRefusal:
            family = await families.named_by(db, form.token)
        owner = await families.revoke(db, family) if family is not None else None
        if owner is not None:
            await audit.record(db, visit, "token_revoked", user_id=owner)
    return {"status": "revoked"}


@router.get("/token/me")
async def me(user: CurrentApiUser) -> dict[str, str]:
    """Whose token it is, and what it may do."""
    return {"id": user.id, "scope": user.scope, "device": user.device}
