"""The guard: a route that depends on the current user answers only to a signed-in user."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from . import audit, csrf, store
from .db import now
from .problem import Problem
from .visit import Visit, visit_of


@dataclass(frozen=True)
class User:
    """The signed-in user."""

    # Stable and opaque: what other tables should refer to.
    id: str
    # The confirmed address, in canonical form.
    email: str
[%- if module.oidc %]
    # When the user last proved who they are in this session, in Unix seconds; at a provider, as it
    # says.
[%- else %]
    # When the password was last entered in this session, in Unix seconds.
[%- endif %]
    auth_time: int
    # The session's name in lists; opens nothing.
    session: str
[%- if module.oidc %]
    # How they signed in: `pwd`, or `fed` for a provider.
    amr: str
[%- endif %]
    epoch: int
    expires_at: int

    def __repr__(self) -> str:
        """Without the address: a log should not collect them."""
        return f"User(id={self.id!r})"


async def refuse_foreign(request: Request) -> Visit:
    """The visit, unless it comes from another site."""
    visit = visit_of(request)
    origin = visit.auth.settings.base_url
    reason = csrf.refusal(visit.method, visit.headers, origin, visit.carries_cookie)
    if reason:
        await audit.refusal(visit, "csrf_refused", reason)
        raise Problem("foreign_request")
    return visit


CurrentVisit = Annotated[Visit, Depends(refuse_foreign)]


async def maybe_user(visit: CurrentVisit) -> User | None:
    """The signed-in user if there is one."""
    visit.private = True
    if visit.session is None:
        return None
    idle = visit.auth.settings.policy.session_idle
    async with visit.auth.db.read() as db:
        row = await store.alive(db, visit.session, idle)
    if row is None:
        return None
    if row["last_seen_at"] < now():
        async with visit.auth.db.write() as db:
            await store.touch(db, visit.session)
    return User(
        id=row["id"],
        email=row["email"],
        auth_time=row["authenticated_at"],
        session=row["handle"],
[%- if module.oidc %]
        amr=row["amr"],
[%- endif %]
        epoch=row["epoch"],
        expires_at=row["expires_at"],
    )


MaybeUser = Annotated[User | None, Depends(maybe_user)]


async def current_user(user: MaybeUser) -> User:
    """The signed-in user; everybody else gets 401."""
    if user is None:
        raise Problem("not_signed_in")
    return user


CurrentUser = Annotated[User, Depends(current_user)]


async def fresh_user(visit: CurrentVisit, user: CurrentUser) -> User:
    """A user who [% if module.oidc %]signed in[% else %]entered the password[% endif %] lately (`AUTH_REAUTH_SECONDS`): for what a session that was
    left open must not be enough for. Everybody else gets 403 (ASVS 7.5.1)."""
    if now() - user.auth_time >= visit.auth.settings.policy.reauth:
        await audit.refusal(visit, "reauth_required", "stale", user.id)
        raise Problem("reauth_required")
    return user


FreshUser = Annotated[User, Depends(fresh_user)]
