"""Around every request: one cookie of a name, headers of answers, and refusals in one form."""

import logging
from collections.abc import Callable

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from . import conf
[% if ui == "pages" -%]
from .pages.page import PageResponse
from .pages.present import present
from .pages.redirects import SeeOther
[% endif -%]
from .problem import Problem
from .visit import is_own, parse_ip, visit_of

[% if ui == "pages" -%]
POLICY = "Content-Security-Policy"
[% endif -%]
# ASVS 3.4.1 (HSTS), 3.4.3 (CSP), 3.4.4 (nosniff), 3.4.5 (Referrer-Policy), 3.4.6 (framing), 3.4.8
# (COOP), 14.3.2 (no-store).
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    [% if ui == "pages" %]POLICY[% else %]"Content-Security-Policy"[% endif %]: (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
}
CODES = {
    403: "foreign_request",
    404: "not_found",
    405: "method_not_allowed",
    429: "too_many_requests",
}

log = logging.getLogger("accounts")

Handler = Callable[[HttpRequest], HttpResponseBase]


class AccountsMiddleware:
    """The first of the project's middleware."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        visit = visit_of(request)
        refuse_other_cookies(request)
        if conf.current().development and not is_local(request):
            return Problem("unavailable").response()
[%- if ui == "pages" %]
        answer = present(request, self.answer(request))
        lock_cookies(answer)
        if is_own(request) or isinstance(answer, PageResponse | SeeOther):
[%- else %]
        answer = self.answer(request)
        lock_cookies(answer)
        if is_own(request):
[%- endif %]
            protect(answer)
            answer["X-Request-Id"] = visit.request_id
        elif is_private(request) or answer.cookies:
            answer.setdefault("Cache-Control", "no-store")
        return answer

    def answer(self, request: HttpRequest) -> HttpResponseBase:
        try:
            answer = self.get_response(request)
        except DatabaseError as error:
            # Without sessions, Django's page about errors fails as well. The kind alone: an error's
            # text may hold what was sent.
            log.error("the database failed: %s", type(error).__name__)
            return Problem("unavailable").response()
        return in_one_form(answer) if is_own(request) else answer

    def process_exception(
        self, _request: HttpRequest, error: Exception
    ) -> HttpResponse | None:
        """A guard or a sign-in said no, in whatever view."""
        return error.response() if isinstance(error, Problem) else None


def protect(answer: HttpResponseBase) -> None:
[%- if ui == "pages" %]
    """A page keeps the policy that it brings."""
    own = answer.get(POLICY) if isinstance(answer, PageResponse) else None
    for name, value in HEADERS.items():
        answer[name] = own if own and name == POLICY else value
[%- else %]
    for name, value in HEADERS.items():
        answer[name] = value
[%- endif %]


def is_private(request: HttpRequest) -> bool:
    """For one user: it stays out of caches (ASVS 14.3.2)."""
    row = getattr(getattr(request, "session", None), "row", None)
    return row is not None and row.user_id is not None


def is_local(request: HttpRequest) -> bool:
    """Development is for this machine only."""
    peer = parse_ip(request.META.get("REMOTE_ADDR", ""))
    return peer is None or peer.is_loopback


def refuse_other_cookies(request: HttpRequest) -> None:
    """The cookie of exactly that name; two of them are as good as none: which of them would it be?"""
    parts = request.META.get("HTTP_COOKIE", "").split(";")
    names = [part.partition("=")[0].removeprefix(" ") for part in parts]
    loose = [name.strip() for name in names]
    for name in conf.current().cookies:
        if names.count(name) != 1 or loose.count(name) != 1:
            request.COOKIES.pop(name, None)


def lock_cookies(answer: HttpResponseBase) -> None:
    """Also those that are taken away, for which Django leaves attributes out (ASVS 3.3)."""
    for name in conf.current().cookies:
        if name in answer.cookies:
            answer.cookies[name]["httponly"] = True
            answer.cookies[name]["samesite"] = "Lax"
            if not conf.current().development:
                answer.cookies[name]["secure"] = True


def in_one_form(answer: HttpResponseBase) -> HttpResponseBase:
    """What Django refuses by itself, as this module's refusals are."""
    kind = answer.get("Content-Type", "")
    if answer.status_code < 400 or kind == "application/problem+json":
        return answer
[%- if ui == "pages" %]
    if isinstance(answer, PageResponse):
        return answer
[%- endif %]
    if answer.status_code >= 500:
        made = Problem("unavailable").response()
    else:
        made = Problem(CODES.get(answer.status_code, "malformed_request")).response()
    for name, value in answer.items():
        # What says when or how to ask again stands; what was said in the body does not.
        if not name.lower().startswith("content-"):
            made.headers.setdefault(name, value)
    made.cookies = answer.cookies
    return made
