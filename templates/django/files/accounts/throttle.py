"""Counters that slow guessing down. They live in the database, so they hold across processes, and
each decision is made in one write transaction, so parallel requests cannot slip through (ASVS
15.4.2).

Keys are HMACs: the table holds neither addresses nor accounts.
"""

import hashlib
import hmac
import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from . import conf
from .models import Throttle
from .problem import throttled

# A back-off level is forgotten after a day without attempts; the cap on the account is not.
FORGET_SECONDS = 86_400
# Failures that stay below the limit are forgotten five minutes after the first.
FAILURE_WINDOW = timedelta(seconds=300)
# The longest wait (NIST SP 800-63B-4 3.2.2).
MAX_BACKOFF_SECONDS = 3_600


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


def key_of(what: str, whom: str) -> str:
    """The key of a counter."""
    secret = conf.current().secret
    key = hmac.digest(secret, b"auth throttle keys v1", "sha256")
    message = f"{what}\0{whom}".encode("utf-8", "surrogatepass")
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def key_of_source(what: str, ip: str) -> str:
    return key_of(what, source_of(ip))


def source_of(ip: str) -> str:
    """One IPv4 address or one IPv6 /64: a household gets a whole /64."""
    address = ipaddress.ip_address(ip)
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.ip_network((address, 64), strict=False))


def held(key: str, seconds: int) -> Throttle:
    """A counter, a new one at zero, held until the transaction ends: those that count the same
    take turns."""
    expires_at = timezone.now() + timedelta(seconds=seconds)
    counters = Throttle.objects.select_for_update()
    return counters.get_or_create(key=key, defaults={"expires_at": expires_at})[0]


def until(moment: datetime, at: datetime) -> int:
    return max(1, round((moment - at).total_seconds()))


@transaction.atomic
def hit(key: str, limit: int, window: int) -> Verdict:
    """Counts one event and refuses from the (`limit` + 1)th within `window` seconds."""
    found, at = held(key, window), timezone.now()
    if found.expires_at <= at:
        found.count = 0
        found.window_start, found.expires_at = at, at + timedelta(seconds=window)
    found.count += 1
    found.save()
    if found.count <= limit:
        return Verdict()
    return Verdict(until(found.expires_at, at), found.count == limit + 1)


def refund(key: str) -> None:
    """Takes back one event: it turned out not to be what is counted."""
    Throttle.objects.filter(key=key, count__gt=0).update(count=F("count") - 1)


@transaction.atomic
def guess(key: str, policy: conf.Policy) -> Verdict:
    """Counts one password guess before it is evaluated. From the `login_failures`th on, each
    allowed guess closes the account for twice as long as the last (ASVS 6.3.1). While it is closed
    nothing is evaluated or counted, so nobody learns whether a guess was right."""
    found, at = held(key, FORGET_SECONDS), timezone.now()
    if found.blocked_until is not None and found.blocked_until > at:
        return Verdict(until(found.blocked_until, at))
    is_old = found.expires_at <= at or (
        found.count < policy.login_failures
        and found.window_start <= at - FAILURE_WINDOW
    )
    if is_old:
        found.count, found.window_start = 0, at
    found.count += 1
    over = found.count - policy.login_failures
    wait = min(policy.login_backoff << min(max(over, 0), 12), MAX_BACKOFF_SECONDS)
    found.expires_at = at + timedelta(seconds=FORGET_SECONDS)
    found.blocked_until = at + timedelta(seconds=wait) if over >= 0 else None
    found.save()
    return Verdict()


def clear(key: str) -> None:
    """Forgets a counter: the password was proven, or replaced by way of the mailbox."""
    # Over rather than deleted: somebody may be about to hold it.
    mine = Throttle.objects.filter(key=key)
    mine.update(expires_at=timezone.now(), blocked_until=None)
