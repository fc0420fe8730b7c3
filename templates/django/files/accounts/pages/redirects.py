"""Where somebody goes next."""

from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url

from ..csrf import SAFE
from ..local_path import is_local_path


class SeeOther(HttpResponseRedirect):
    """Makes a browser fetch another page without what was posted (ASVS 14.2.1)."""

    status_code = 303


def see_after(answer: HttpResponse, to: str) -> SeeOther:
    """What the API's answer does to cookies and caches is kept."""
    see = SeeOther(to)
    see.cookies = answer.cookies
    if "Clear-Site-Data" in answer:
        see["Clear-Site-Data"] = answer["Clear-Site-Data"]
    return see


def way_back(request: HttpRequest) -> str:
    """The path of this origin that the request names as the next one, or nothing."""
    given = request.POST if request.method == "POST" else request.GET
    named = given.getlist("next")
    return named[0] if len(named) == 1 and is_local_path(named[0]) else ""


def target(request: HttpRequest) -> str:
    return way_back(request) or resolve_url(settings.LOGIN_REDIRECT_URL)


def to_login(request: HttpRequest) -> SeeOther:
    """Leads to the sign-in page, and from there to what was to be read. What was to be changed is
    not kept: a way back must not change anything."""
    wanted = request.get_full_path()
[%- if module.oidc %]
    if request.path.startswith("/auth/oidc/"):
        # There is a code in it, which is used up.
        wanted = "/auth/identities"
[%- endif %]
    if request.method in SAFE and is_local_path(wanted):
        return SeeOther("/auth/login?" + urlencode({"next": wanted}))
    return SeeOther("/auth/login?done=sign-in-again")


def to_reauth(request: HttpRequest) -> SeeOther:
    """Leads to where the password is entered again, and from there to the page that was left."""
    return SeeOther("/auth/reauth?" + urlencode({"next": page_left(request)}))


def page_left(request: HttpRequest) -> str:
    if request.path == "/auth/export":
        # Its answer is a file, after which the user would still see the form.
        return "/auth/data"
[%- if module.tokens %]
    if request.path.startswith(("/auth/sessions/", "/auth/devices/")):
[%- else %]
    if request.path.startswith("/auth/sessions/"):
[%- endif %]
        return "/auth/sessions"
[%- if module.oidc %]
    if request.path.startswith("/auth/oidc/"):
        return "/auth/identities"
[%- endif %]
    if request.method in SAFE or request.path.startswith("/auth/"):
        return request.get_full_path()
    # The project's own form stands on a page that is not known here.
    return ""
