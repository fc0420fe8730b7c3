"""The sessions of the signed-in user: to look at, and to end."""

from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from . import audit
from . import db as tables
from .db import now
from .problem import Problem
from .sign_in import forget
from .user import CurrentUser, CurrentVisit, FreshUser, User

router = APIRouter()

# By the first mark that fits: later marks stand in the texts of earlier ones as well.
CLIENTS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}


@router.get("/sessions")
async def show(visit: CurrentVisit, user: CurrentUser) -> dict[str, Any]:
    async with visit.auth.db.read() as db:
        return {"sessions": await of(db, user, visit.auth.settings.policy.session_idle)}


async def of(db: AsyncConnection, user: User, idle: int) -> list[dict[str, Any]]:
    """Those that a request could still use (ASVS 7.5.2)."""
    s = tables.sessions
    columns = (
        s.c.handle.label("id"),
        s.c.created_at,
        s.c.last_seen_at,
        s.c.expires_at,
        s.c.ip,
        s.c.user_agent,
    )
    alive = sa.and_(
        s.c.user_id == user.id,
        s.c.epoch == user.epoch,
        s.c.expires_at > now(),
        s.c.last_seen_at > now() - idle,
    )
    found = await db.execute(
        sa.select(*columns).where(alive).order_by(s.c.last_seen_at.desc())
    )
    return [shown(row, user) for row in found.mappings()]


def shown(row: sa.RowMapping, user: User) -> dict[str, Any]:
    more = {"current": row["id"] == user.session, "device": device(row["user_agent"])}
    return {**row, **more}


def device(agent: str) -> str:
    """What most clients claim to be, in words."""
    client = next((name for mark, name in CLIENTS.items() if mark in agent), None)
    system = next((name for mark, name in SYSTEMS.items() if mark in agent), None)
    if client and system:
        return f"{client} on {system}"
    # Tools begin with their name: `curl/8.5.0`.
    return (
        client
        or system
        or agent.replace("/", " ").partition(" ")[0]
        or "unknown device"
    )


async def raise_epoch(db: AsyncConnection, user: User) -> None:
    """With another epoch, a login that is under way fails; sessions that stay are given it."""
    u, s = tables.users, tables.sessions
    raised = sa.update(u).where(u.c.id == user.id).values(epoch=u.c.epoch + 1)
    found = await db.execute(raised.returning(u.c.epoch))
    epoch: int | None = found.scalar_one_or_none()
    if epoch is None:
        raise Problem("not_signed_in")
    mine = sa.and_(s.c.user_id == user.id, s.c.epoch == epoch - 1)
    await db.execute(sa.update(s).where(mine).values(epoch=epoch))


[% if module.tokens -%]
async def carry_over(db: AsyncConnection, user_id: str) -> None:
    """Lets programs outlive a rise of the epoch by one that was not meant for them."""
    f, u = tables.families, tables.users
    epoch = sa.select(u.c.epoch).where(u.c.id == user_id).scalar_subquery()
    mine = sa.and_(f.c.user_id == user_id, f.c.epoch == epoch - 1)
    await db.execute(sa.update(f).where(mine).values(epoch=epoch))


[% endif -%]
@router.delete("/sessions/{handle}", status_code=204)
async def revoke(visit: CurrentVisit, user: FreshUser, handle: str) -> Response:
    """Ends one session of the user. One of somebody else's looks like one that does not exist."""
    s = tables.sessions
    if not handle.isascii() or not handle.isprintable():
        raise Problem("session_unknown")
    async with visit.auth.db.write() as db:
        await raise_epoch(db, user)
[%- if module.tokens %]
        # Programs are none of this, but for those that were signed in from that session.
        await carry_over(db, user.id)
[%- endif %]
        mine = sa.and_(s.c.user_id == user.id, s.c.handle == handle)
        if not (await db.execute(sa.delete(s).where(mine))).rowcount:
            raise Problem("session_unknown")
        await audit.record(db, visit, "session_revoked", user_id=user.id)
    if handle == user.session:
        forget(visit)
    return Response(status_code=204)


@router.post("/sessions/revoke-others")
async def revoke_others(visit: CurrentVisit, user: FreshUser) -> dict[str, Any]:
    """Ends every session but this one, and keeps a login that is under way from becoming one."""
    s = tables.sessions
    async with visit.auth.db.write() as db:
        await raise_epoch(db, user)
        others = sa.and_(s.c.user_id == user.id, s.c.handle != user.session)
        ended = (await db.execute(sa.delete(s).where(others))).rowcount
        await audit.record(db, visit, "sessions_revoked", user_id=user.id)
    return {"status": "revoked", "revoked": ended}
