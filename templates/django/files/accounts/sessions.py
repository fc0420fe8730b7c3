"""The engine of Django's sessions: a cookie holds a random key, a row its SHA-256."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import CreateError, UpdateError
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db import IntegrityError, transaction
from django.db.models import Case, Value, When
from django.middleware.csrf import CSRF_SESSION_KEY
from django.utils import timezone

from . import conf
from .models import Session
from .randomness import digest

KEPT = (
    "user_id",
    "expire_date",
    "handle",
    "epoch",
    "created_at",
    "authenticated_at",
[%- if module.oidc %]
    "amr",
[%- endif %]
    "last_seen_at",
    "ip",
    "user_agent",
    "number",
)
# Last use is recorded at most this often.
TOUCH = timedelta(seconds=1)
# Of nobody, until a form is sent.
BARE = timedelta(hours=1)
# So many that are over make room for a new one.
ROOM = 10


class SessionStore(DatabaseStore):
    """As Django's, with keys that are hashed, an idle timeout, and the account's epoch."""

    row: Session | None = None

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def load(self) -> dict[str, Any]:
        self.row = alive(self.session_key)
        if self.row is None:
            # A key that the server did not make is never taken on.
            self._session_key = None
            return {}
        data: dict[str, Any] = self.decode(self.row.session_data)
        if data.get(SESSION_KEY) != self.row.user_id:
            self._session_key = None
            return {}
        touch(self.row)
        return data

    def exists(self, session_key: str) -> bool:
        return Session.objects.filter(session_key=digest(session_key)).exists()

    def save(self, must_create: bool = False) -> None:
        """Writes what a view put into the session, and none of what the module keeps about it. One
        that ended meanwhile stays ended."""
        if self.session_key is None:
            self.create()
            return
        # One that is new is not in the database yet.
        new = getattr(self, "_session_cache", {})
        data = new if must_create else dict(self.items())
        key = digest(self.session_key)
        ends = timezone.now() + BARE if is_bare(data) else self.get_expiry_date()
        encoded = self.encode(data)
        if must_create:
            try:
                with transaction.atomic():
                    Session.objects.create(
                        session_key=key, session_data=encoded, expire_date=ends
                    )
            except IntegrityError:
                # Django tries again with another key, which helps where the key is the reason only.
                if not self.exists(self.session_key):
                    raise
                raise CreateError from None
        elif not Session.objects.filter(session_key=key).update(
            session_data=encoded, expire_date=no_later(ends)
        ):
            raise UpdateError

    def cycle_key(self) -> None:
        """What the module keeps about a session goes on under the new key."""
        row = self.row
        super().cycle_key()
        if row is None or row.user_id is None or self.session_key is None:
            return
        kept = {name: getattr(row, name) for name in KEPT}
        Session.objects.filter(session_key=digest(self.session_key)).update(**kept)

    def delete(self, session_key: str | None = None) -> None:
        key = self.session_key if session_key is None else session_key
        if key is not None:
            Session.objects.filter(session_key=digest(key)).delete()

    # Views that are asynchronous get the same, and never what Django's engine would do with a key.

    async def aload(self) -> dict[str, Any]:
        return await sync_to_async(self.load)()

    async def aexists(self, session_key: str) -> bool:
        return await sync_to_async(self.exists)(session_key)

    async def asave(self, must_create: bool = False) -> None:
        await sync_to_async(self.save)(must_create)

    async def acycle_key(self) -> None:
        await sync_to_async(self.cycle_key)()

    async def adelete(self, session_key: str | None = None) -> None:
        await sync_to_async(self.delete)(session_key)


def is_bare(names: Iterable[str]) -> bool:
    """Whether a session holds nothing but the token against forged requests."""
    return set(names) <= {CSRF_SESSION_KEY}


def make_room() -> None:
    """Removes some that are over: nobody need come by for the table to stay small."""
    over = Session.objects.filter(expire_date__lte=timezone.now())
    with transaction.atomic():
        # What somebody else removes at this moment is left to them.
        mine = over.select_for_update(skip_locked=True)
        some = list(mine.values_list("pk", flat=True)[:ROOM])
        Session.objects.filter(pk__in=some).delete()


def no_later(ends: datetime) -> Case:
    """What a view says of a session's end may bring that of somebody who is signed in nearer, and
    never put it off: a sign-in alone sets it."""
    is_over_before = When(user__isnull=False, expire_date__lt=ends, then="expire_date")
    return Case(is_over_before, default=Value(ends))


def alive(session_key: str | None) -> Session | None:
    """The session that still counts."""
    if not session_key:
        return None
    at, idle = timezone.now(), conf.current().policy.session_idle
    row = (
        Session.objects.select_related("user")
        .filter(session_key=digest(session_key), expire_date__gt=at)
        .first()
    )
    if row is None or row.user is None:
        return row
    is_alive = (
        row.last_seen_at > at - timedelta(seconds=idle)
        and row.epoch == row.user.epoch
        and row.user.is_active
        and row.user.verified_at is not None
    )
    return row if is_alive else None


def touch(row: Session) -> None:
    """Marks a session as seen; one that ended meanwhile stays ended."""
    at = timezone.now()
    if row.user_id is not None and row.last_seen_at < at - TOUCH:
        Session.objects.filter(pk=row.pk).update(last_seen_at=at)
