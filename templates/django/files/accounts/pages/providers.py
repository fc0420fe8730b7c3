"""Signing in with providers: the way there, and which of them open the account."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST

from .. import conf
from ..guards import lately_signed_in, signed_in, user_of
from ..models import User
from ..oidc import identities, start
from ..oidc.presets import Preset
from ..oidc.underway import Intent
from ..problem import Problem
from .page import Page, PageResponse, shown
from .redirects import SeeOther, see_after, target

CONNECTED = "/auth/identities?done=provider-connected"
DISCONNECTED = "/auth/identities?done=provider-disconnected"


def to_choose_from() -> list[Preset]:
    return [provider.preset for provider in conf.current().oidc.providers.values()]


def that_prove(user: User) -> list[Preset]:
    """Those that are connected, and sign somebody in anew on request."""
    connected = {one["provider"] for one in identities.of(user)}
    return [one for one in to_choose_from() if one.reauth and one.id in connected]


@require_POST
def sign_in(request: HttpRequest, name: str) -> HttpResponse:
    begun = start.begin(request, name, Intent.LOGIN, None, target(request))
    return onward(request, begun)


@require_POST
@lately_signed_in
def link(request: HttpRequest, name: str) -> HttpResponse:
    begun = start.begin(request, name, Intent.LINK, user_of(request), CONNECTED)
    return onward(request, begun)


@require_POST
@signed_in
def reauth(request: HttpRequest, name: str) -> HttpResponse:
    user = user_of(request)
    begun = start.begin(request, name, Intent.REAUTH, user, target(request))
    return onward(request, begun)


def onward(request: HttpRequest, begun: start.Begun) -> PageResponse:
    """Leads to the provider. A redirect would not: browsers hold where a form ends up, too, against
    `form-action 'self'`."""
    context = {
        "title": "You are on the way to the provider",
        "location": begun.location,
    }
    answer = shown(request, "accounts/onward.html", context)
    begun.mark(answer)
    # Without it, there is the link.
    answer["Refresh"] = f"0; url={begun.location}"
    return answer


@method_decorator(signed_in, name="dispatch")
class Identities(Page):
    """The ways to sign in, and buttons to add one or take one away."""

    template_name = "accounts/identities.html"
    title = "Ways to sign in"
    place = "/auth/identities"
    tells = True

    def get(self, request: HttpRequest) -> HttpResponse:
        user = user_of(request)
        connected = {one["provider"]: one for one in identities.of(user)}
        ways: list[dict[str, Any]] = [
            {"preset": preset, "identity": connected.get(preset.id)}
            for preset in to_choose_from()
        ]
        return self.show(ways=ways, has_password=user.has_usable_password())


@require_POST
def unlink(request: HttpRequest, name: str) -> HttpResponse:
    try:
        answer = identities.unlink(request, name)
    except Problem as problem:
        if problem.code != "identity_unknown":
            raise
        # Gone meanwhile, which is what was wanted.
        return SeeOther(DISCONNECTED)
    return see_after(answer, DISCONNECTED)
