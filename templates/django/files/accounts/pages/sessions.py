"""Where the user is signed in."""

from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST

from .. import own_sessions
[%- if module.tokens %]
from ..bearer import devices
[%- endif %]
from ..guards import session_of, signed_in, user_of
from ..problem import Problem
from .page import Page
from .redirects import SeeOther, see_after


@method_decorator(signed_in, name="dispatch")
class Sessions(Page):
    template_name = "accounts/sessions.html"
    title = "Devices"
    place = "/auth/sessions"
    tells = True

    def get(self, request: HttpRequest) -> HttpResponse:
        shown = own_sessions.shown(user_of(request), session_of(request))
[%- if module.tokens %]
        return self.show(
            sessions=[dated(session) for session in shown],
            programs=list(devices.of(user_of(request))),
        )
[%- else %]
        return self.show(sessions=[dated(session) for session in shown])
[%- endif %]


def dated(session: dict[str, Any]) -> dict[str, Any]:
    moments = ("created_at", "last_seen_at")
    return session | {
        name: datetime.fromtimestamp(session[name], UTC) for name in moments
    }


@require_POST
def revoke(request: HttpRequest, handle: str) -> HttpResponse:
    try:
        answer = own_sessions.revoke(request, handle)
    except Problem as problem:
        if problem.code != "session_unknown":
            raise
        # Ended meanwhile, which is what was wanted.
        return SeeOther("/auth/sessions?done=device-unknown")
    return see_after(answer, "/auth/sessions?done=device-signed-out")


[% if module.tokens -%]
@require_POST
def revoke_program(request: HttpRequest, family: str) -> HttpResponse:
    try:
        answer = devices.by_user(request, family)
    except Problem as problem:
        if problem.code != "device_unknown":
            raise
        return SeeOther("/auth/sessions?done=device-unknown")
    return see_after(answer, "/auth/sessions?done=device-signed-out")


[% endif -%]
@require_POST
def revoke_others(request: HttpRequest) -> HttpResponse:
    answer = own_sessions.revoke_others(request)
    return see_after(answer, "/auth/sessions?done=devices-signed-out")
