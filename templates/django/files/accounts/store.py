"""When there is a session, and whose it is."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import SESSION_KEY, login, update_session_auth_hash
from django.db import transaction
from django.db.models import Max
from django.http import HttpRequest
from django.utils import timezone

from . import audit, conf, tokens
from .models import Session, User
from .problem import Problem
from .randomness import digest, new_id
from .visit import visit_of

BACKEND = "accounts.backends.AccountBackend"


def begin(
    request: HttpRequest,
    user: User,
    *,
    auth_time: datetime | None = None,
    ends: datetime | None = None,
[%- if module.oidc %]
    amr: str = "pwd",
[%- endif %]
) -> None:
    """Signs a user in under a new identifier and ends the session that the request came with (ASVS
    7.2.4). Nobody, if the account changed since it was read."""
    visit = visit_of(request)
    visit.auth_time, visit.ends = auth_time, ends
[%- if module.oidc %]
    visit.amr = amr
[%- endif %]
    with transaction.atomic():
        hold(user.pk)
        if request.session.get(SESSION_KEY) == user.pk:
            # `login` leaves the identifier of one user as it is.
            request.user = user
            update_session_auth_hash(request, user)
        login(request, user, BACKEND)


def began(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    """Whoever called `login`: the session gets its lifetime, and its place in the list."""
    visit, policy, at = visit_of(request), conf.current().policy, timezone.now()
    with transaction.atomic():
        held = hold(user.pk)
        if held is None or held.epoch != user.epoch or not may_begin(held):
            raise Problem("invalid_credentials")
        ends = visit.ends or at + timedelta(seconds=policy.session_absolute)
        request.session.set_expiry(ends)
        request.session.save()
        newest = Session.objects.filter(user=user).aggregate(last=Max("number"))["last"]
        Session.objects.filter(
            session_key=digest(request.session.session_key or "")
        ).update(
            user=user,
            expire_date=ends,
            handle=new_id(),
            epoch=user.epoch,
            created_at=at,
            authenticated_at=visit.auth_time or at,
[%- if module.oidc %]
            amr=visit.amr,
[%- endif %]
            last_seen_at=at,
            ip=visit.ip,
            user_agent=visit.agent,
            number=(newest or 0) + 1,
        )
        audit.record(visit, "session_created", user_id=user.pk)
        evict(request, user, policy.sessions)


def hold(user_id: str) -> User | None:
    """Holds an account until the transaction ends: whatever else begins or ends sessions of it comes
    wholly before or after. What changes several rows holds their account first, so that no two wait
    for each other."""
    return User.objects.select_for_update().filter(pk=user_id).first()


def may_begin(user: User) -> bool:
    return user.is_active and user.verified_at is not None


def evict(request: HttpRequest, user: User, limit: int) -> None:
    """Ends the oldest sessions beyond the limit."""
    mine = Session.objects.filter(user=user).order_by("-number")
    for key in list(mine.values_list("session_key", flat=True)[limit:]):
        Session.objects.filter(session_key=key).delete()
        audit.record(visit_of(request), "session_evicted", user_id=user.pk)


def hand_over(request: HttpRequest, user: User) -> None:
    """Ends the session that is to go on under another identifier. Nothing goes on of one that has
    ended meanwhile, as by logging out."""
    hold(user.pk)
    if not end(request):
        raise Problem("not_signed_in")


def end(request: HttpRequest) -> bool:
    """Whether there was a session to end."""
    mine = Session.objects.filter(session_key=digest(request.session.session_key or ""))
    return mine.delete()[0] == 1


def end_all(user_id: str) -> None:
    """Ends every session and every link of a user."""
    Session.objects.filter(user_id=user_id).delete()
    tokens.void_all(user_id)
