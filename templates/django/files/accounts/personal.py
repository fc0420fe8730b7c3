"""What the module holds about a user: to take away, and to delete."""

from typing import Any

from django.contrib.auth import logout
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse

from . import audit, conf, limits, own_sessions, sign_in, store
[%- if module.tokens %]
from .bearer import devices
[%- endif %]
from .guards import lately_signed_in, session_of, user_of
from .models import Event, User
[%- if module.oidc %]
from .oidc import identities
[%- endif %]
from .problem import Problem
from .visit import visit_of

MAX_EVENTS = 10_000
DELETED = "Your account was deleted."


@lately_signed_in
def export(request: HttpRequest) -> JsonResponse:
    """Everything this module holds about the user, without what could open the account."""
    visit, user = visit_of(request), user_of(request)
    limits.per_source(visit, "export", conf.current().policy.token_source)
    with transaction.atomic():
        audit.record(visit, "data_exported", user_id=user.pk)
        trail = Event.objects.filter(user_id=user.pk).order_by("-id")[:MAX_EVENTS]
        body = {
            "account": account(user),
            "sessions": own_sessions.shown(user, session_of(request)),
[%- if module.oidc %]
            "identities": identities.of(user),
[%- endif %]
[%- if module.tokens %]
            "devices": [devices.shown(family) for family in devices.of(user)],
[%- endif %]
            "events": list(
                trail.values("at", "event", "outcome", "reason", "ip", "user_agent")
            ),
        }
    headers = {"Content-Disposition": 'attachment; filename="account.json"'}
    return JsonResponse(body, headers=headers)


def account(user: User) -> dict[str, Any]:
    return {
        "id": user.pk,
        "email": user.email,
        "verified_at": user.verified_at,
        "password_changed_at": user.password_changed_at,
        "created_at": user.created_at,
    }


@lately_signed_in
def delete(request: HttpRequest) -> HttpResponse:
    """Deletes the account with its sessions and links, and what else of the project's refers to it
    with `CASCADE`. The audit trail stays."""
    visit, user = visit_of(request), user_of(request)
    user_id, email = user.pk, user.email
    with transaction.atomic():
        held = store.hold(user_id)
        if held is None or held.epoch != user.epoch:
            raise Problem("not_signed_in")
        held.delete()
        audit.record(visit, "account_deleted", user_id=user_id)
        logout(request)
    sign_in.notify(visit, email, DELETED)
    return sign_in.forgotten(HttpResponse(status=204))
