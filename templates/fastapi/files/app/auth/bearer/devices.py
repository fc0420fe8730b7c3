"""The programs that are signed in for a user: to look at, and to sign out."""

from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from .. import audit
from .. import db as tables
from ..db import now
from ..problem import Problem
from ..user import CurrentVisit, User
from . import families
from .guard import Caller, FreshCaller

router = APIRouter()


async def of(db: AsyncConnection, user_id: str) -> list[sa.RowMapping]:
    """Those that can still get tokens (ASVS 7.5.2)."""
    f, r = tables.families, tables.refresh_tokens
    columns = (f.c.id, f.c.device, f.c.created_at, f.c.last_used_at, f.c.session)
    has_next = sa.exists().where(
        r.c.family_id == f.c.id, r.c.used_at.is_(None), r.c.expires_at > now()
    )
    statement = (
        sa.select(*columns)
        .where(f.c.user_id == user_id, families.lives(), has_next)
        .order_by(f.c.last_used_at.desc(), f.c.created_at.desc(), f.c.id)
    )
    return list((await db.execute(statement)).mappings())


def shown(row: sa.RowMapping) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "session"}


@router.get("/devices")
async def show(visit: CurrentVisit, who: Caller) -> dict[str, Any]:
    async with visit.auth.db.read() as db:
        rows = await of(db, who.id)

    def is_current(row: sa.RowMapping) -> bool:
        if isinstance(who, User):
            return bool(row["session"] == who.session)
        return bool(row["id"] == who.family)

    return {"devices": [shown(row) | {"current": is_current(row)} for row in rows]}


@router.delete("/devices/{family}", status_code=204)
async def revoke(visit: CurrentVisit, who: FreshCaller, family: str) -> Response:
    """Signs a program out. One of somebody else's looks like one that does not exist. A token can
    sign out the program that has it, and no other."""
    if not isinstance(who, User) and family != who.family:
        raise Problem("device_unknown")
    async with visit.auth.db.write() as db:
        if family not in [row["id"] for row in await of(db, who.id)]:
            raise Problem("device_unknown")
        await families.revoke(db, family)
        await audit.record(db, visit, "token_revoked", user_id=who.id)
    return Response(status_code=204)
