"""Families of tokens, and the refresh token that is next in each.

A refresh token is 32 random bytes; the database keeps its SHA-256 (ASVS 11.5.1). A family lives
while its account is as it was when it began (the epoch), the session that it was made from is
there, and nobody revoked it. Each use asks that anew.
"""

from dataclasses import dataclass
from enum import Enum

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from .. import db as tables
from .. import tokens
from ..db import now
from ..settings import Policy
from .access import Holder


@dataclass(frozen=True)
class Grant:
    """Permission to begin a family, given when somebody proved who they are."""

    user_id: str
    # The account's at that moment. If it has moved on, the family never lives.
    epoch: int
    # The handle of the session that it ends with.
    session: str | None
[%- if module.oidc %]
    # How they proved it: `pwd`, or `fed` for a provider.
    amr: str
[%- endif %]
    authenticated_at: int
    expires_at: int


def lives() -> sa.ColumnElement[bool]:
    """Whether a family counts now."""
    f, u, s, at = tables.families, tables.users, tables.sessions, now()
    account = sa.exists().where(
        u.c.id == f.c.user_id,
        u.c.epoch == f.c.epoch,
        u.c.verified_at.is_not(None),
        u.c.disabled_at.is_(None),
    )
    session = sa.exists().where(s.c.handle == f.c.session, s.c.expires_at > at)
    return sa.and_(
        f.c.revoked_at.is_(None),
        f.c.expires_at > at,
        account,
        sa.or_(f.c.session.is_(None), session),
    )


async def begin(
    db: AsyncConnection, grant: Grant, device: str, scope: str, limit: int
) -> sa.RowMapping:
    """Begins a family. The oldest beyond the limit end (ASVS 7.1.2)."""
    f, at = tables.families, now()
    statement = (
        sa.insert(f)
        .values(
            id=tokens.random(12),
            user_id=grant.user_id,
            session=grant.session,
            device=device,
            scope=scope,
            amr=[% if module.oidc %]grant.amr[% else %]"pwd"[% endif %],
            authenticated_at=grant.authenticated_at,
            epoch=grant.epoch,
            created_at=at,
            last_used_at=at,
            expires_at=grant.expires_at,
        )
        .returning(f)
    )
    family: sa.RowMapping = (await db.execute(statement)).mappings().one()
    others = sa.and_(
        f.c.user_id == grant.user_id, f.c.revoked_at.is_(None), f.c.id != family["id"]
    )
    newest = sa.select(f.c.id).where(others)
    newest = newest.order_by(f.c.last_used_at.desc(), f.c.created_at.desc())
    kept = (await db.execute(newest.limit(limit - 1))).scalars().all()
    surplus = sa.and_(others, f.c.id.not_in(kept))
    await db.execute(sa.update(f).where(surplus).values(revoked_at=at))
    return family


def holder(family: sa.RowMapping) -> Holder:
    return Holder(
        user_id=family["user_id"],
        family=family["id"],
        epoch=family["epoch"],
        amr=family["amr"],
        authenticated_at=family["authenticated_at"],
        expires_at=family["expires_at"],
    )


async def next_token(db: AsyncConnection, family: sa.RowMapping, policy: Policy) -> str:
    """Makes the next refresh token of a family. It ends without use, where the family came from a
    session no later than that would, and never after the family."""
    token, at, idle = tokens.random(), now(), policy.refresh_idle
    if family["session"] is not None:
        idle = min(idle, policy.session_idle)
    await db.execute(
        sa.insert(tables.refresh_tokens).values(
            token_hash=tokens.digest(token),
            family_id=family["id"],
            created_at=at,
            expires_at=min(family["expires_at"], at + idle),
        )
    )
    return token


async def of_refresh_token(db: AsyncConnection, token: str) -> sa.RowMapping | None:
    """The family of a refresh token, if it lives. Notes the use, and holds the row until the
    transaction ends, so that uses of one family take turns, and a revocation comes wholly before
    or after."""
    f, r = tables.families, tables.refresh_tokens
    named = sa.select(r.c.family_id).where(r.c.token_hash == tokens.digest(token))
    statement = (
        sa.update(f)
        .where(f.c.id == named.scalar_subquery(), lives())
        .values(last_used_at=now())
        .returning(f)
    )
    return await tables.row(db, statement)


async def named_by(db: AsyncConnection, token: str) -> str | None:
    """The family that a refresh token belongs to, living or not."""
    r = tables.refresh_tokens
    named = sa.select(r.c.family_id).where(r.c.token_hash == tokens.digest(token))
    family: str | None = (await db.execute(named)).scalar_one_or_none()
    return family


class Shown(Enum):
    """What became of a refresh token that was shown."""

    # It was the next one, and is used up now.
    NEXT = "next"
    # It was used before: two have it, and one of them should not.
    AGAIN = "again"
    EXPIRED = "expired"


async def use_up(db: AsyncConnection, token: str) -> Shown:
    """Uses a refresh token up. Of parallel calls, one gets `NEXT`: the condition and the change are
    one statement (ASVS 15.4.2)."""
    r, at = tables.refresh_tokens, now()
    shown = r.c.token_hash == tokens.digest(token)
    next_one = sa.and_(shown, r.c.used_at.is_(None), r.c.expires_at > at)
    if (await db.execute(sa.update(r).where(next_one).values(used_at=at))).rowcount:
        return Shown.NEXT
    used_at = (await db.execute(sa.select(r.c.used_at).where(shown))).scalar_one()
    return Shown.EXPIRED if used_at is None else Shown.AGAIN


async def revoke(db: AsyncConnection, family: str) -> str | None:
    """Ends a family with all its tokens. Returns whose it was, if it had not ended before."""
    f = tables.families
    alive = sa.and_(f.c.id == family, f.c.revoked_at.is_(None))
    ended = sa.update(f).where(alive).values(revoked_at=now()).returning(f.c.user_id)
    owner: str | None = (await db.execute(ended)).scalar_one_or_none()
    return owner
