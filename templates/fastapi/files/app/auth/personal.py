"""What the module holds about a user: to take away, and to delete."""

from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from . import audit, limits, sessions, sign_in
from . import db as tables
[%- if module.tokens %]
from .bearer import devices
[%- endif %]
[%- if module.oidc %]
from .oidc import identities
[%- endif %]
from .problem import Problem
from .user import CurrentVisit, FreshUser

router = APIRouter()

MAX_EVENTS = 10_000
[%- if module.password %]
DELETED = "Your account was deleted."
[%- endif %]


@router.get("/export")
async def export(visit: CurrentVisit, user: FreshUser) -> JSONResponse:
    """Everything this module holds about the user, without what could open the account."""
    policy, u, a = visit.auth.settings.policy, tables.users, tables.audit
    await limits.per_source(visit, "export", policy.token_source)
    async with visit.auth.db.write() as db:
        await audit.record(db, visit, "data_exported", user_id=user.id)
        columns = (
            u.c.id,
            u.c.email,
            u.c.verified_at,
[%- if module.password %]
            u.c.password_changed_at,
[%- endif %]
            u.c.created_at,
        )
        account = await tables.row(db, sa.select(*columns).where(u.c.id == user.id))
        if account is None:
            raise Problem("not_signed_in")
        kept = (a.c.at, a.c.event, a.c.outcome, a.c.reason, a.c.ip, a.c.user_agent)
        trail = sa.select(*kept).where(a.c.user_id == user.id).order_by(a.c.id.desc())
        events = (await db.execute(trail.limit(MAX_EVENTS))).mappings()
        body: dict[str, Any] = {
            "account": dict(account),
[%- if module.oidc %]
            "identities": await identities.of(db, user.id),
[%- endif %]
            "sessions": await sessions.of(db, user, policy.session_idle),
[%- if module.tokens %]
            "devices": [devices.shown(row) for row in await devices.of(db, user.id)],
[%- endif %]
            "events": [dict(event) for event in events],
        }
    headers = {"Content-Disposition": 'attachment; filename="account.json"'}
    return JSONResponse(body, headers=headers)


@router.delete("/account", status_code=204)
async def delete(visit: CurrentVisit, user: FreshUser) -> Response:
    """Deletes the account with its sessions[% if module.password %] and links[% endif %]. The audit trail stays."""
    u = tables.users
    async with visit.auth.db.write() as db:
        same = sa.and_(u.c.id == user.id, u.c.epoch == user.epoch)
        if not (await db.execute(sa.delete(u).where(same))).rowcount:
            raise Problem("not_signed_in")
        await audit.record(db, visit, "account_deleted", user_id=user.id)
[%- if module.password %]
    await sign_in.notify(visit, user.email, DELETED)
[%- endif %]
    sign_in.forget(visit)
    return Response(status_code=204)
