"""What the module's addresses have in common."""

import logging
from collections.abc import Callable
from typing import Any, Concatenate

from django.db import DatabaseError, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
[%- if ui == "pages" %]
from django.http.response import HttpResponseBase
[%- endif %]
from django.views.decorators.cache import cache_control
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters

from . import csrf
[% if ui == "pages" -%]
from .pages.requested import is_for_page
[% endif -%]
from .problem import Problem

log = logging.getLogger("accounts")

View = Callable[Concatenate[HttpRequest, ...], HttpResponse[% if ui == "pages" %]Base[% endif %]]

# The answer to a sign-up, a resend and a forgotten password: the same for every address.
ACCEPTED = {"status": "accepted", "next": "Follow the link in the mail."}


def accepted() -> JsonResponse:
    return JsonResponse(ACCEPTED, status=202)


[% if ui == "pages" -%]
def route(page: View | None = None, **views: View) -> View:
    """One address: a view for each method, and a page for whoever asks for one. A refusal is an
    answer, not an error: what was counted and recorded on the way to it stays."""
[% else -%]
def route(**views: View) -> View:
    """One address: a view for each method. A refusal is an answer, not an error: what was counted
    and recorded on the way to it stays."""
[% endif %]
    # A form may hold a password, which Django's reports of errors are to leave out; and a cache of
    # the project's keeps none of the answers.
    @transaction.non_atomic_requests
    @sensitive_post_parameters()
    @cache_control(private=True, no_store=True)
    def handle(request: HttpRequest, **arguments: Any) -> HttpResponse[% if ui == "pages" %]Base[% endif %]:
        method = "GET" if request.method == "HEAD" else request.method or ""
        try:
[%- if ui == "pages" %]
            if page is not None and is_for_page(request):
                csrf.check_origin(request)
                return page(request, **arguments)
            if not views:
                raise Problem("not_found")
[%- endif %]
            if method not in views:
                raise Problem("method_not_allowed", {"Allow": ", ".join(views)})
            csrf.check_origin(request)
            return views[method](request, **arguments)
        except Problem as problem:
            return problem.response()
        except DatabaseError as error:
            # The kind alone: an error's text may hold what was sent.
            log.error("the database failed: %s", type(error).__name__)
            return Problem("unavailable").response()

    return handle


[% if module.oidc and 'apple' in providers -%]
def from_elsewhere(own: View, posted: View) -> View:
    """An address that another site may post to: `posted` must be good for whatever comes."""

    @csrf_exempt
    def handle(request: HttpRequest, **arguments: Any) -> HttpResponse[% if ui == "pages" %]Base[% endif %]:
        view = posted if request.method == "POST" else own
        return view(request, **arguments)

    return handle


[% endif -%]
[% if module.tokens -%]
def for_programs(view: View) -> View:
    """An address that programs ask as well, which have no session."""

    @csrf_exempt
    def handle(request: HttpRequest, **arguments: Any) -> HttpResponse[% if ui == "pages" %]Base[% endif %]:
        try:
            csrf.check_session(request)
        except Problem as problem:
            return problem.response()
        return view(request, **arguments)

    return handle


[% endif -%]
@csrf_exempt
def missing(request: HttpRequest, **_: Any) -> HttpResponse:
    return Problem("not_found").response()
