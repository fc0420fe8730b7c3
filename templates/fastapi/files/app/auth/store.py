"""Sessions in the database. A cookie holds 32 random bytes, a row their SHA-256."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from . import audit, tokens
from . import db as tables
from .db import now
from .problem import Problem
from .visit import Visit


async def alive(db: AsyncConnection, token: str, idle: int) -> sa.RowMapping | None:
    """The user of a session that still counts."""
    s, u, at = tables.sessions, tables.users, now()
    columns = (
        u.c.id,
        u.c.email,
        u.c.epoch,
        s.c.handle,
[%- if module.oidc %]
        s.c.amr,
[%- endif %]
        s.c.authenticated_at,
        s.c.last_seen_at,
        s.c.expires_at,
    )
    statement = (
        sa.select(*columns)
        .join(u, sa.and_(u.c.id == s.c.user_id, u.c.epoch == s.c.epoch))
        .where(
            s.c.id_hash == tokens.digest(token),
            s.c.expires_at > at,
            s.c.last_seen_at > at - idle,
            u.c.disabled_at.is_(None),
            u.c.verified_at.is_not(None),
        )
    )
    return await tables.row(db, statement)


async def touch(db: AsyncConnection, token: str) -> None:
    """Marks a session as seen; one that ended meanwhile stays ended."""
    s = tables.sessions
    mine = s.c.id_hash == tokens.digest(token)
    await db.execute(sa.update(s).where(mine).values(last_seen_at=now()))


async def begin(
    db: AsyncConnection,
    visit: Visit,
    user_id: str,
    epoch: int,
    *,
[%- if module.oidc %]
    amr: str = "pwd",
[%- endif %]
    auth_time: int | None = None,
    expires_at: int | None = None,
) -> None:
    """Starts a session under a new identifier and ends the one the request came with (ASVS 7.2.4).
    None if the account changed since the epoch was read."""
    policy, s, at = visit.auth.settings.policy, tables.sessions, now()
    u = tables.users
    same = sa.select(u.c.id).where(
        u.c.id == user_id, u.c.epoch == epoch, u.c.disabled_at.is_(None)
    )
    # Held: whatever else begins or ends sessions of the account comes wholly before or after.
    if await tables.row(db, same.with_for_update()) is None:
        raise Problem([% if module.password %]"invalid_credentials"[% else %]"not_signed_in"[% endif %])
    if visit.session is not None:
        await end(db, visit.session)
    token = tokens.random()
    ends = expires_at or at + policy.session_absolute
    newest = sa.select(sa.func.max(s.c.number)).where(s.c.user_id == user_id)
    last = (await db.execute(newest)).scalar_one()
    values = {
        "id_hash": tokens.digest(token),
        "handle": tokens.random(12),
        "user_id": user_id,
        "epoch": epoch,
        "created_at": at,
[%- if module.oidc %]
        "amr": amr,
[%- endif %]
        "authenticated_at": at if auth_time is None else auth_time,
        "last_seen_at": at,
        "expires_at": ends,
        "ip": visit.ip,
        "user_agent": visit.agent,
        "number": (last or 0) + 1,
    }
    await db.execute(sa.insert(s).values(**values))
    await audit.record(db, visit, "session_created", user_id=user_id)
    await evict(db, visit, user_id, policy.sessions)
    visit.keep(visit.auth.settings.session_cookie, token, ends - at)


async def evict(db: AsyncConnection, visit: Visit, user_id: str, limit: int) -> None:
    """Ends the oldest sessions beyond the limit."""
    s = tables.sessions
    mine = (
        sa.select(s.c.id_hash).where(s.c.user_id == user_id).order_by(s.c.number.desc())
    )
    surplus = (await db.execute(mine.offset(limit))).scalars().all()
    for id_hash in surplus:
        await db.execute(sa.delete(s).where(s.c.id_hash == id_hash))
        await audit.record(db, visit, "session_evicted", user_id=user_id)


async def hand_over(db: AsyncConnection, visit: Visit, user_id: str) -> None:
    """Ends the session that is to go on under another identifier. Nothing goes on of one that has
    ended meanwhile, as by logging out."""
    u = tables.users
    # The account's row first, as wherever sessions end: such changes never wait for each other.
    await db.execute(sa.select(u.c.id).where(u.c.id == user_id).with_for_update())
    if visit.session is None or not await end(db, visit.session):
        raise Problem("not_signed_in")


async def end(db: AsyncConnection, token: str) -> bool:
    """Whether there was a session to end."""
    s = tables.sessions
    mine = s.c.id_hash == tokens.digest(token)
    return (await db.execute(sa.delete(s).where(mine))).rowcount == 1


async def end_all(db: AsyncConnection, user_id: str) -> None:
    """Ends every session[% if module.password %] and every link[% endif %] of a user."""
    s = tables.sessions
    await db.execute(sa.delete(s).where(s.c.user_id == user_id))
[%- if module.password %]
    await tokens.void_all(db, user_id)
[%- endif %]
