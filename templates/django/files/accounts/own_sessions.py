"""The sessions of the signed-in user: to look at, and to end."""

from datetime import timedelta
from typing import Any

from django.contrib.auth import logout
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone

from . import audit, conf
[%- if module.tokens %]
from .bearer import families
[%- endif %]
from .guards import lately_signed_in, session_of, signed_in, user_of
from .models import Session, User
from .problem import Problem
from .sign_in import forgotten
from .visit import visit_of

# By the first mark that fits: later marks stand in the texts of earlier ones as well.
CLIENTS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}


@signed_in
def show(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"sessions": shown(user_of(request), session_of(request))})


def shown(user: User, current: Session) -> list[dict[str, Any]]:
    """Those that a request could still use (ASVS 7.5.2)."""
    at, idle = timezone.now(), conf.current().policy.session_idle
    alive = Session.objects.filter(
        user=user,
        epoch=user.epoch,
        expire_date__gt=at,
        last_seen_at__gt=at - timedelta(seconds=idle),
    )
    return [
        {
            "id": row.handle,
            "created_at": int(row.created_at.timestamp()),
            "last_seen_at": int(row.last_seen_at.timestamp()),
            "expires_at": int(row.expire_date.timestamp()),
            "ip": row.ip,
            "user_agent": row.user_agent,
            "device": device(row.user_agent),
            "current": row.pk == current.pk,
        }
        for row in alive.order_by("-last_seen_at")
    ]


def device(agent: str) -> str:
    """What most clients claim to be, in words."""
    client = next((name for mark, name in CLIENTS.items() if mark in agent), None)
    system = next((name for mark, name in SYSTEMS.items() if mark in agent), None)
    if client and system:
        return f"{client} on {system}"
    # Tools begin with their name: `curl/8.5.0`.
    tool = agent.replace("/", " ").partition(" ")[0]
    return client or system or tool or "unknown device"


def raise_epoch(user: User) -> None:
    """With another epoch, a login that is under way fails; sessions that stay are given it."""
    same = User.objects.filter(pk=user.pk, epoch=user.epoch)
    if not same.update(epoch=F("epoch") + 1):
        raise Problem("not_signed_in")
    mine = Session.objects.filter(user=user, epoch=user.epoch)
    mine.update(epoch=F("epoch") + 1)


@lately_signed_in
def revoke(request: HttpRequest, handle: str) -> HttpResponse:
    """Ends one session of the user. One of somebody else's looks like one that does not exist."""
    user, current = user_of(request), session_of(request)
    with transaction.atomic():
        raise_epoch(user)
[%- if module.tokens %]
        # Programs are none of this, but for those that were signed in from that session.
        families.carry_over(user)
[%- endif %]
        deleted, _ = Session.objects.filter(user=user, handle=handle).delete()
        if not deleted:
            raise Problem("session_unknown")
        audit.record(visit_of(request), "session_revoked", user_id=user.pk)
    answer = HttpResponse(status=204)
    if handle == current.handle:
        logout(request)
        return forgotten(answer)
    return answer


@lately_signed_in
def revoke_others(request: HttpRequest) -> JsonResponse:
    """Ends every session but this one, and keeps a login that is under way from becoming one."""
    user, current = user_of(request), session_of(request)
    others = Session.objects.filter(user=user).exclude(pk=current.pk)
    with transaction.atomic():
        raise_epoch(user)
        ended, _ = others.delete()
        audit.record(visit_of(request), "sessions_revoked", user_id=user.pk)
    return JsonResponse({"status": "revoked", "revoked": ended})
