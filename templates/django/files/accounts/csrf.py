"""Requests from other sites: refused by Django's token, which is kept in the session, and by what
browsers say of where a request comes from (ASVS 3.5.1, Fetch Metadata, RFC 6454)."""

from django.http import HttpRequest, HttpResponse, JsonResponse
[%- if module.tokens %]
from django.middleware.csrf import CsrfViewMiddleware, get_token
[%- else %]
from django.middleware.csrf import get_token
[%- endif %]
from django.views.csrf import csrf_failure

from . import audit, conf, limits
from .problem import Problem
from .sessions import is_bare, make_room
from .visit import is_own, visit_of

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
[%- if module.tokens %]
CHECK = CsrfViewMiddleware(lambda _request: HttpResponse())
[%- endif %]


def token(request: HttpRequest) -> JsonResponse:
    """The token that every request that changes something carries as `X-CSRFToken`."""
    return JsonResponse({"csrf_token": token_of(request)})


def token_of(request: HttpRequest) -> str:
    names = request.session.keys()
    if not names:
        # Whoever asks has a new session made.
        limits.per_source(visit_of(request), "csrf", conf.current().policy.csrf_source)
        make_room()
    elif is_bare(names):
        # From here on anew, until a form is sent.
        request.session.modified = True
    return get_token(request)


def failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django found no token, or a wrong one."""
    audit.refusal(visit_of(request), "csrf_refused", "token")
    if is_own(request):
        return Problem("foreign_request").response()
    return csrf_failure(request, reason)


[% if module.tokens -%]
def check_session(request: HttpRequest) -> None:
    """Django's check, for an address that it leaves alone: whoever has a session needs the token.
    Without one there is nothing that another site could use."""
    has_session = conf.current().session_cookie in request.COOKIES
    if has_session and CHECK.process_view(request, failed, (), {}) is not None:
        raise Problem("foreign_request")


[% endif -%]
def check_origin(request: HttpRequest) -> None:
    """Refuses what does not come from this site. A client that is no browser sends none of the
    headers; it needs them, too, once it has a cookie."""
    origin = conf.current().base_url
    headers = [request.headers.get(h) for h in ("Origin", "Sec-Fetch-Site", "Referer")]
    reason = refusal(request.method or "", headers, origin, bool(request.COOKIES))
    if reason:
        audit.refusal(visit_of(request), "csrf_refused", reason)
        raise Problem("foreign_request")


def refusal(
    method: str, headers: list[str | None], origin: str, carries_cookie: bool
) -> str | None:
    """Why an unsafe request does not count as one of this site; `None` if it does."""
    if method in SAFE:
        return None
    claimed, site, referer = headers
    if claimed is not None and claimed != origin:
        return "foreign_origin"
    if site is not None and site != "same-origin":
        return "cross_site"
    if referer is not None and not is_within(referer, origin):
        return "foreign_referer"
    if carries_cookie and claimed is None and site is None:
        return "origin_unknown"
    return None


def is_within(referer: str, origin: str) -> bool:
    rest = referer[len(origin) :][:1]
    return referer.startswith(origin) and rest in ("", "/", "?", "#")
