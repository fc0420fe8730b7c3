"""The way to a provider."""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse, JsonResponse

from .. import conf, limits
from ..cookies import keep
from ..guards import lately_signed_in, signed_in, user_of
from ..inputs import Form, collected
from ..local_path import is_local_path
from ..models import User
from ..problem import Problem
from ..visit import visit_of
from .calls import line
from .question import authorize_at, location, redirect_uri
from .settings import Provider
from .told import told
from .transaction import open_one
from .underway import Intent

HOME = "/"


def show(request: HttpRequest) -> JsonResponse:
    """The providers that people can choose from."""
    found = conf.current().oidc.providers.values()
    shown = [{"id": one.preset.id, "name": one.preset.name} for one in found]
    return JsonResponse({"providers": shown})


def named(name: str) -> Provider:
    provider = conf.current().oidc.providers.get(name)
    if provider is None:
        raise Problem("provider_unknown")
    return provider


def start(request: HttpRequest, name: str) -> JsonResponse:
    return begin(request, name, Intent.LOGIN, None, wish(request)).answer()


@lately_signed_in
def link(request: HttpRequest, name: str) -> JsonResponse:
    """Takes a session that was signed in to lately, and a request of this site: who is linked can
    sign in from then on (ASVS 7.5.1)."""
    user = user_of(request)
    return begin(request, name, Intent.LINK, user, wish(request)).answer()


@signed_in
def reauth(request: HttpRequest, name: str) -> JsonResponse:
    """In place of entering a password again: the provider must have somebody sign in anew."""
    user = user_of(request)
    return begin(request, name, Intent.REAUTH, user, wish(request)).answer()


def wish(request: HttpRequest) -> str:
    """Where somebody wants to be then. The body that says so may be left out."""
    if request.META.get("CONTENT_TYPE"):
        return Form(request).maybe("next") or ""
    if collected(request):
        raise Problem("json_required")
    return ""


@dataclass(frozen=True)
class Begun:
    """Where the browser goes, and what it is known by when it comes back."""

    location: str
    browser: str

    def answer(self) -> JsonResponse:
        answer = JsonResponse({"location": self.location})
        self.mark(answer)
        return answer

    def mark(self, answer: HttpResponse) -> None:
        configured = conf.current()
        seconds = configured.oidc.transaction
        keep(answer, configured.transaction_cookie, self.browser, seconds)


def begin(
    request: HttpRequest, name: str, intent: Intent, user: User | None, then: str
) -> Begun:
    visit, configured = visit_of(request), conf.current()
    limits.per_source(visit, "oidc", configured.policy.login_source)
    provider = named(name)
    if intent is Intent.REAUTH and not provider.preset.reauth:
        raise Problem("reauth_unsupported")
    then = then if is_local_path(then) else HOME
    with told(visit):
        # Asked for before a transaction is opened: a dead provider leaves none behind.
        address = line.ask(lambda oidc: authorize_at(oidc, provider))
        opened, browser = open_one(request, provider, intent, user, then)
    back = redirect_uri(configured.base_url, provider)
    return Begun(location(address, provider, intent, opened, back), browser)
