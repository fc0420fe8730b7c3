"""Tells a person with a page what a program is told with a problem document."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from ..problem import Problem, Refusal
from . import words
from .page import PageResponse, shown
from .redirects import SeeOther, to_login, to_reauth
from .requested import is_for_page


def present(request: HttpRequest, answer: HttpResponseBase) -> HttpResponseBase:
    """Of every view, the project's own too. Who is not signed in is led to the sign-in page, and from
    there back to what they wanted to read."""
    if not isinstance(answer, Refusal) or not is_for_page(request):
        return answer
[%- if module.tokens %]
    if "WWW-Authenticate" in answer:
        # Asks for an access token, which no page has.
        return answer
[%- endif %]
    made = told(request, answer.problem)
    made.cookies = answer.cookies
    for name, value in answer.items():
        if not name.startswith("Content-"):
            made.headers.setdefault(name, value)
    return made


def told(request: HttpRequest, problem: Problem) -> PageResponse | SeeOther:
    if problem.code == "not_signed_in":
        return to_login(request)
    if problem.code == "reauth_required":
        return to_reauth(request)
    context = {
        "title": words.title(problem),
        "advice": words.advice(problem),
        "ways": words.ways_on(problem),
    }
    return shown(request, "accounts/problem.html", context, problem.status)
