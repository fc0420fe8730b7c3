"""The operator's hook: what `python -m app.auth` does to accounts, at once and for every instance.

USER is an id or an address.
"""

import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from . import audit, store
from . import db as tables
from .db import Database, now

MAX_LINES = 1_000


class OperatorError(Exception):
    """What the operator asked for cannot be done."""


async def act(database: Database, command: str, whom: str | None) -> str:
    """Changes one account, or all."""
    u = tables.users
    raised: dict[str, Any] = {"epoch": u.c.epoch + 1}
    disabled: dict[str, Any] = {"disabled_at": sa.func.coalesce(u.c.disabled_at, now())}
    changes: dict[str, tuple[str, dict[str, Any]]] = {
        "disable": ("account_disabled", raised | disabled),
        "enable": ("account_enabled", {"disabled_at": None}),
        "revoke": ("sessions_revoked", raised),
    }
    event, values = changes[command]
    async with database.write() as db:
        ids = await find(db, whom)
        for user_id in ids:
            await db.execute(sa.update(u).where(u.c.id == user_id).values(**values))
            await store.end_all(db, user_id)
        await audit.operator(db, event, ids)
    return f"auth: {command}: {len(ids)} account(s)"


async def find(db: AsyncConnection, whom: str | None) -> list[str]:
    u = tables.users
    statement = sa.select(u.c.id)
    if whom is not None:
        address = whom.strip().lower()
        statement = statement.where(sa.or_(u.c.id == whom, u.c.email == address))
    ids = list((await db.execute(statement)).scalars())
    if whom is not None and not ids:
        raise OperatorError(f"no such user: {whom}")
    return ids


async def trail(database: Database, whom: str | None) -> list[str]:
    """The audit trail of one user, or of all, oldest first: a line for each event."""
    a = tables.audit
    statement = sa.select(a).order_by(a.c.id.desc()).limit(MAX_LINES)
    async with database.read() as db:
        if whom is not None:
            try:
                (user_id,) = await find(db, whom)
            except OperatorError:
                # The trail outlives the account: then only its id is known.
                user_id = whom
            statement = statement.where(a.c.user_id == user_id)
        rows = (await db.execute(statement)).mappings().all()
    if whom is not None and not rows:
        raise OperatorError(f"no such user: {whom}")
    return [json.dumps(dict(row)) for row in reversed(rows)]
