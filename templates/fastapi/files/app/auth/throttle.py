"""Counters that slow guessing down. They live in the database, so they hold across instances, and
each decision is made in one write transaction, so parallel requests cannot slip through (ASVS
15.4.2).

Keys are HMACs: the table holds neither addresses nor accounts.
"""

import hashlib
import hmac
import ipaddress
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from . import db as tables
from .db import now
from .problem import throttled
[%- if module.password %]
from .settings import Policy
[%- endif %]
[%- if module.password %]

# A back-off level is forgotten after a day without attempts; the cap on the account is not.
FORGET_SECONDS = 86_400
# Failures that stay below the limit are forgotten five minutes after the first.
FAILURE_WINDOW_SECONDS = 300
# The longest wait (NIST SP 800-63B-4 3.2.2).
MAX_BACKOFF_SECONDS = 3_600
[%- endif %]


@dataclass(frozen=True)
class Verdict:
    """What a counter found: how long to wait, and whether it is the first refusal of a window."""

    seconds: int = 0
    first: bool = False

    @property
    def is_allowed(self) -> bool:
        return self.seconds <= 0

    def check(self) -> None:
        if not self.is_allowed:
            raise throttled(self.seconds)


class Keys:
    """Makes the keys of the counters."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"auth throttle keys v1", "sha256")

    def of(self, what: str, whom: str) -> str:
        message = f"{what}\0{whom}".encode("utf-8", "surrogatepass")
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()

    def of_source(self, what: str, ip: str) -> str:
        return self.of(what, source_of(ip))


def source_of(ip: str) -> str:
    """One IPv4 address or one IPv6 /64: a household gets a whole /64."""
    address = ipaddress.ip_address(ip)
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.ip_network((address, 64), strict=False))


async def held(db: AsyncConnection, key: str, seconds: int) -> sa.RowMapping:
    """A counter, a new one at zero, held until the transaction ends: those that count the same
    take turns."""
    t, at = tables.throttles, now()
    fresh = {"key": key, "count": 0, "window_start": at, "expires_at": at + seconds}
    statement = (
        tables.upsert(t)
        .values(**fresh)
        .on_conflict_do_update(index_elements=[t.c.key], set_={"key": key})
        .returning(t)
    )
    found: sa.RowMapping = (await db.execute(statement)).mappings().one()
    return found


async def hit(db: AsyncConnection, key: str, limit: int, window: int) -> Verdict:
    """Counts one event and refuses from the (`limit` + 1)th within `window` seconds."""
    t = tables.throttles
    found = await held(db, key, window)
    at = now()
    is_over = found["expires_at"] <= at
    values = {"window_start": at, "expires_at": at + window} if is_over else {}
    count: int = 1 if is_over else found["count"] + 1
    mine = sa.update(t).where(t.c.key == key)
    await db.execute(mine.values(count=count, **values))
    if count <= limit:
        return Verdict()
    return Verdict(max(1, found["expires_at"] - at), count == limit + 1)
[%- if module.password %]


async def refund(db: AsyncConnection, key: str) -> None:
    """Takes back one event: it turned out not to be what is counted."""
    t = tables.throttles
    counted = sa.and_(t.c.key == key, t.c.count > 0)
    await db.execute(sa.update(t).where(counted).values(count=t.c.count - 1))


async def guess(db: AsyncConnection, key: str, policy: Policy) -> Verdict:
    """Counts one password guess before it is evaluated. From the `login_failures`th on, each
    allowed guess closes the account for twice as long as the last (ASVS 6.3.1). While it is closed
    nothing is evaluated or counted, so nobody learns whether a guess was right."""
    t = tables.throttles
    found = await held(db, key, FORGET_SECONDS)
    at = now()
    if found["blocked_until"] > at:
        return Verdict(found["blocked_until"] - at)
    is_old = found["expires_at"] <= at or (
        found["count"] < policy.login_failures
        and found["window_start"] <= at - FAILURE_WINDOW_SECONDS
    )
    count = 1 if is_old else found["count"] + 1
    over = count - policy.login_failures
    wait = (
        min(policy.login_backoff << min(over, 12), MAX_BACKOFF_SECONDS)
        if over >= 0
        else 0
    )
    values = {
        "count": count,
        "window_start": at if is_old else found["window_start"],
        "expires_at": at + FORGET_SECONDS,
        "blocked_until": at + wait if wait else 0,
    }
    await db.execute(sa.update(t).where(t.c.key == key).values(**values))
    return Verdict()


async def clear(db: AsyncConnection, key: str) -> None:
    """Forgets a counter: the password was proven, or replaced by way of the mailbox."""
    t = tables.throttles
    await db.execute(sa.delete(t).where(t.c.key == key))
[%- endif %]
