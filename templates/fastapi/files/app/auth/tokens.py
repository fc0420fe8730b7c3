[% if module.password -%]
"""Single-use tokens that are sent by mail, and the random values behind them.

A token is 32 bytes of the operating system's randomness. The database keeps its SHA-256 with
purpose, owner, address and expiry: a copy of the database opens nothing (ASVS 6.5.2, 11.5.1).
"""
[%- else -%]
"""Random values, and what the database keeps of them: a copy of it opens nothing (ASVS 11.5.1)."""
[%- endif %]

import hashlib
import secrets
[%- if module.password %]
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from . import db as tables
from .db import now


class Purpose(StrEnum):
    VERIFY = "verify"
    RESET = "reset"
    EMAIL_CHANGE = "email_change"
[%- endif %]


def random(size: int = 32) -> str:
    return secrets.token_urlsafe(size)


def digest(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
[%- if module.password %]


async def issue(
    db: AsyncConnection,
    purpose: Purpose,
    user_id: str,
    email: str,
    seconds: int,
    *,
    new_email: str | None = None,
    browser_hash: str | None = None,
) -> str:
    """Makes a token, in the place of an older one for the same purpose."""
    token, t, at = random(), tables.tokens, now()
    values = {
        "token_hash": digest(token),
        "email": email,
        "new_email": new_email,
        "browser_hash": browser_hash,
        "created_at": at,
        "expires_at": at + seconds,
        "used_at": None,
    }
    made = tables.upsert(t).values(user_id=user_id, purpose=purpose.value, **values)
    older = [t.c.user_id, t.c.purpose]
    await db.execute(made.on_conflict_do_update(index_elements=older, set_=values))
    return token


async def peek(
    db: AsyncConnection, purpose: Purpose, token: str
) -> sa.RowMapping | None:
    """Looks at a token without using it."""
    t, u = tables.tokens, tables.users
    owner = sa.and_(
        u.c.id == t.c.user_id, u.c.email == t.c.email, u.c.disabled_at.is_(None)
    )
    usable = sa.and_(
        t.c.token_hash == digest(token),
        t.c.purpose == purpose.value,
        t.c.used_at.is_(None),
        t.c.expires_at > now(),
    )
    columns = (t.c.user_id, t.c.email, t.c.new_email, t.c.browser_hash)
    return await tables.row(db, sa.select(*columns).join(u, owner).where(usable))


async def consume(db: AsyncConnection, purpose: Purpose, token: str) -> str | None:
    """Uses a token up. Of parallel calls, one gets the owner: the condition and the change are one
    statement (ASVS 15.4.2)."""
    t, u = tables.tokens, tables.users
[%- if db == "postgres" %]
    # The account is held first, as wherever several rows change: no two wait for each other.
    mine = sa.select(u.c.id).join(t, t.c.user_id == u.c.id)
    mine = mine.where(t.c.token_hash == digest(token))
    await db.execute(mine.with_for_update(of=u))
[%- endif %]
    owner = sa.exists().where(
        u.c.id == t.c.user_id, u.c.email == t.c.email, u.c.disabled_at.is_(None)
    )
    statement = (
        sa.update(t)
        .where(
            t.c.token_hash == digest(token),
            t.c.purpose == purpose.value,
            t.c.used_at.is_(None),
            t.c.expires_at > now(),
            owner,
        )
        .values(used_at=now())
        .returning(t.c.user_id)
    )
    user_id: str | None = (await db.execute(statement)).scalar_one_or_none()
    return user_id


async def void_all(db: AsyncConnection, user_id: str) -> None:
    t = tables.tokens
    await db.execute(sa.delete(t).where(t.c.user_id == user_id))
[%- endif %]
