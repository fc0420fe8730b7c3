"""A sign-in that is under way at a provider: what its answer must fit.

All of it stays here. The browser holds a random value in a cookie, the provider gets `state`,
`nonce` and the challenge; none of them tells another (ASVS 10.1.2, RFC 9700 4.7).
"""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from .. import db as tables
from .. import tokens
from ..db import now
from ..user import User
from ..visit import Visit
from .settings import Provider
from .underway import Intent, Opened, Taken

# So many at most are open in one browser; another takes the place of the oldest.
OPEN = 5


async def open_one(
    visit: Visit, provider: Provider, intent: Intent, user: User | None, then: str
) -> Opened:
    """Opens one for the browser of the request, and for its session if there is a `user`."""
    opened, t, at = Opened(), tables.transactions, now()
    seconds = visit.auth.settings.oidc.transaction
    async with visit.auth.db.write() as db:
        browser = await known_browser(db, visit) or tokens.random()
        await make_room(db, browser)
        values = {
            "state_hash": tokens.digest(opened.state),
            "browser_hash": tokens.digest(browser),
            "provider": provider.preset.id,
            "issuer": provider.issuer,
            "intent": intent.value,
            "user_id": user.id if user is not None else None,
            "session": user.session if user is not None else None,
            "nonce": opened.nonce,
            "verifier": opened.verifier,
            "next": then,
            "created_at": at,
            "expires_at": at + seconds,
        }
        await db.execute(sa.insert(t).values(**values))
    visit.keep(visit.auth.settings.transaction_cookie, browser, seconds)
    return opened


async def known_browser(db: AsyncConnection, visit: Visit) -> str | None:
    """The cookie's value if it was made here: then a sign-in in another tab goes on as well."""
    if visit.transaction is None:
        return None
    t = tables.transactions
    mine = sa.and_(
        t.c.browser_hash == tokens.digest(visit.transaction), t.c.expires_at > now()
    )
    found = await tables.row(db, sa.select(t.c.state_hash).where(mine).limit(1))
    return visit.transaction if found is not None else None


async def make_room(db: AsyncConnection, browser: str) -> None:
    t = tables.transactions
    mine = t.c.browser_hash == tokens.digest(browser)
    newest = sa.select(t.c.state_hash).where(mine).order_by(t.c.created_at.desc())
    kept = (await db.execute(newest.limit(OPEN - 1))).scalars().all()
    await db.execute(sa.delete(t).where(mine, t.c.state_hash.not_in(kept)))


async def take(visit: Visit, state: str) -> Taken | None:
    """Takes a transaction out, whatever comes of it then: of several answers to one, the first
    counts, and a wrong one is not tried again (ASVS 15.4.2)."""
    t = tables.transactions
    mine = t.c.state_hash == tokens.digest(state)
    async with visit.auth.db.write() as db:
        row = await tables.row(db, sa.delete(t).where(mine).returning(t))
    return None if row is None else taken(row)


def taken(row: sa.RowMapping) -> Taken:
    return Taken(
        browser_hash=row["browser_hash"],
        provider=row["provider"],
        issuer=row["issuer"],
        intent=Intent(row["intent"]),
        user_id=row["user_id"],
        session=row["session"],
        nonce=row["nonce"],
        verifier=row["verifier"],
        next=row["next"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )


def browser_hash(visit: Visit) -> str | None:
    return None if visit.transaction is None else tokens.digest(visit.transaction)
