"""From an address to a confirmed account."""

from typing import Any

from django.http import HttpRequest, HttpResponse

from .. import registration
from ..tokens import Purpose
from ..visit import visit_of
from .forms import AccountForm, AddressForm, PasswordForm, SignUpForm
from .page import FormPage, LinkPage, Page


class SignUp(FormPage):
    template_name = "accounts/sign_up.html"
    title = "Create an account"
    form_class = SignUpForm
    done = "/auth/mailbox"

    def act(self, request: HttpRequest) -> HttpResponse:
        return registration.register(request)


class Mailbox(Page):
    """The same after a sign-up, a repeated mail and a forgotten password, and for every address."""

    template_name = "accounts/mailbox.html"
    title = "Look into your mailbox"


class Resend(FormPage):
    template_name = "accounts/resend.html"
    title = "Send the confirmation again"
    form_class = AddressForm
    done = "/auth/mailbox"

    def act(self, request: HttpRequest) -> HttpResponse:
        return registration.resend(request)


class Verify(LinkPage):
    """Asks for the password where the account was registered in another browser."""

    template_name = "accounts/verify.html"
    title = "Confirm your address"

    def form(self, request: HttpRequest | None = None) -> AccountForm:
        found = registration.usable(visit_of(self.request), Purpose.VERIFY, self.token)
        self.owner = found.email
        is_same = registration.is_registering_browser(self.request, found)
        kind = AccountForm if is_same else PasswordForm
        return kind(request.POST if request else None)

    def about(self) -> dict[str, Any]:
        return {"owner": self.owner}

    def act(self, request: HttpRequest) -> HttpResponse:
        return registration.verify(request)

    def after(self) -> str:
        is_in = self.request.user.is_authenticated
        page = "/auth/account" if is_in else "/auth/login"
        return f"{page}?done=address-confirmed"
