"""Changing a password, and replacing one that was forgotten."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator

from .. import password
from ..guards import signed_in, user_of
from ..registration import usable
from ..tokens import Purpose
from ..visit import visit_of
from .forms import AccountForm, AddressForm, ChangePasswordForm, ResetForm
from .page import FormPage, LinkPage


@method_decorator(signed_in, name="dispatch")
class Change(FormPage):
    template_name = "accounts/password.html"
    title = "Change password"
    place = "/auth/password"
    form_class = ChangePasswordForm
    done = "/auth/account?done=password-changed"

    def about(self) -> dict[str, Any]:
        return {"owner": user_of(self.request).email}

    def act(self, request: HttpRequest) -> HttpResponse:
        return password.change(request)


class Forgot(FormPage):
    template_name = "accounts/forgot.html"
    title = "Forgot your password?"
    form_class = AddressForm
    done = "/auth/mailbox"

    def act(self, request: HttpRequest) -> HttpResponse:
        return password.forgot(request)


class Reset(LinkPage):
    template_name = "accounts/reset.html"
    title = "Choose a new password"
    form_class = ResetForm
    done = "/auth/login?done=password-changed"

    def form(self, request: HttpRequest | None = None) -> AccountForm:
        found = usable(visit_of(self.request), Purpose.RESET, self.token)
        self.owner = found.email
        return super().form(request)

    def about(self) -> dict[str, Any]:
        return {"owner": self.owner}

    def act(self, request: HttpRequest) -> HttpResponse:
        return password.reset(request)
