"""The account itself: an overview, another address, taking the data away, deletion."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator

from .. import email_change, personal
from ..guards import lately_signed_in, signed_in, user_of
from ..visit import visit_of
from .forms import AccountForm, DeleteForm, NewAddressForm
from .page import FormPage, LinkPage, Page


@method_decorator(signed_in, name="dispatch")
class Account(Page):
    template_name = "accounts/account.html"
    title = "Account"
    place = "/auth/account"
    tells = True

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.show(email=user_of(request).email)


@method_decorator(lately_signed_in, name="dispatch")
class Email(FormPage):
    template_name = "accounts/email.html"
    title = "Change e-mail address"
    place = "/auth/account"
    form_class = NewAddressForm
    done = "/auth/account?done=address-mailed"

    def about(self) -> dict[str, Any]:
        return {"email": user_of(self.request).email}

    def act(self, request: HttpRequest) -> HttpResponse:
        return email_change.request_change(request)


@method_decorator(signed_in, name="dispatch")
class ConfirmEmail(LinkPage):
    template_name = "accounts/email_confirm.html"
    title = "Confirm your new address"
    place = "/auth/account"
    done = "/auth/account?done=address-changed"

    def form(self, request: HttpRequest | None = None) -> AccountForm:
        visit, user = visit_of(self.request), user_of(self.request)
        self.new_email = email_change.usable(visit, user, self.token)
        return super().form(request)

    def about(self) -> dict[str, Any]:
        return {"email": user_of(self.request).email, "new_email": self.new_email}

    def act(self, request: HttpRequest) -> HttpResponse:
        return email_change.confirm(request)


@method_decorator(lately_signed_in, name="dispatch")
class Data(Page):
    """Asks for a fresh password, so that the download does not have to."""

    template_name = "accounts/data.html"
    title = "Your data"
    place = "/auth/data"


@method_decorator(lately_signed_in, name="dispatch")
class Delete(FormPage):
    template_name = "accounts/delete.html"
    title = "Delete your account"
    place = "/auth/data"
    form_class = DeleteForm
    done = "/auth/login?done=account-deleted"

    def about(self) -> dict[str, Any]:
        return {"email": user_of(self.request).email}

    def act(self, request: HttpRequest) -> HttpResponse:
        return personal.delete(request)
