"""What all pages have in common: the document, its policy, and what becomes of what was sent."""

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.loader import get_template, render_to_string
from django.views import View

from .. import conf, csrf
from ..inputs import take_form
from ..problem import Problem
from .forms import AccountForm
from .redirects import see_after
from .words import DONE

# Where somebody who is signed in can go.
PLACES = {
    "/auth/account": "Account",
    "/auth/password": "Password",
[%- if module.oidc %]
    "/auth/identities": "Ways to sign in",
[%- endif %]
    "/auth/sessions": "Devices",
    "/auth/data": "Your data",
}
# Of refusals that lead to another page.
ELSEWHERE = ("not_signed_in", "reauth_required")


class PageResponse(HttpResponse):
    """A page, with a policy of its own."""


def shown(
    request: HttpRequest, template: str, context: Mapping[str, Any], status: int = 200
) -> PageResponse:
    site = {"site": conf.current().app_name}
    text = render_to_string(template, {**site, **context}, request)
    answer = PageResponse(text, status=status)
    answer["Content-Security-Policy"] = policy()
    return answer


def policy() -> str:
    """Nothing runs and nothing is loaded; the one style sheet is known by its hash (ASVS 3.4.3)."""
    style = get_template("accounts/style.css").render()
    known = b64encode(sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{known}'; base-uri 'none'; form-action 'self';"
        " frame-ancestors 'none'"
    )


class Page(View):
    """A page under a title that no other page has."""

    template_name = ""
    title = ""
    # Which of `PLACES` it belongs to; `None` is for who is not signed in.
    place: str | None = None
    # Whether it tells what was done before.
    tells = False

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.show()

    def show(self, status: int = 200, **context: Any) -> HttpResponse:
        # Whoever sends a form has a token already, and gets no new cookie with a refusal.
        if self.request.method in csrf.SAFE:
            csrf.token_of(self.request)
        done = self.request.GET.get("done", "") if self.tells else ""
        mine = {
            "title": self.title,
            "place": self.place,
            "places": {} if self.place is None else PLACES,
            "notice": DONE.get(done),
        }
        return shown(self.request, self.template_name, mine | context, status)


class FormPage(Page):
    """A page with a form, whose fields go to the function that answers the API."""

    form_class = AccountForm
    # Where to go when it is done.
    done = ""

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.show_form(self.form())

    def post(self, request: HttpRequest) -> HttpResponse:
        take_form(request)
        form = self.form(request)
        if not form.is_valid():
            return self.show_form(form, status=422)
        try:
            answer = self.act(request)
        except Problem as problem:
            if problem.code in ELSEWHERE:
                raise
            form.refuse(problem)
            refused = self.show_form(form, status=problem.status)
            for name, value in problem.headers.items():
                refused[name] = value
            return refused
        return see_after(answer, self.after())

    def form(self, request: HttpRequest | None = None) -> AccountForm:
        """The form, empty or with what was sent."""
        return self.form_class(request.POST if request else None)

    def show_form(self, form: AccountForm, status: int = 200) -> HttpResponse:
        about = {"form": form, "action": self.request.path, "hidden": self.hidden()}
        return self.show(status, **about, **self.about())

    def hidden(self) -> dict[str, str]:
        """What the form carries along."""
        return {}

    def about(self) -> dict[str, Any]:
        """What else the template names. `owner` is the address that a password manager keeps the
        password under, where the form does not ask for it."""
        return {}

    def act(self, request: HttpRequest) -> HttpResponse:
        raise NotImplementedError

    def after(self) -> str:
        return self.done


class LinkPage(FormPage):
    """The page that a mailed link leads to: it looks at the link, and its button uses it. A link
    that does not work is a page of its own."""

    @property
    def token(self) -> str:
        given = self.request.POST if self.request.method == "POST" else self.request.GET
        return given.get("token", "")

    def hidden(self) -> dict[str, str]:
        return {"token": self.token}
