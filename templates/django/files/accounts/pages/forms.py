"""The forms: what they ask for, in words for people and for password managers. What may stand in
their fields is decided by the function that answers the API, so no rule of it is here."""

from collections.abc import Collection
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.functional import lazy

from ..problem import Problem
from . import words

# Nothing that a keyboard should correct.
AS_TYPED = {"autocapitalize": "none", "spellcheck": "false"}


class AddressField(forms.CharField):
    refusals = ("email_invalid", "email_unchanged")

    def __init__(
        self, label: str = "E-mail address", autocomplete: str = "username"
    ) -> None:
        kind = {"autocomplete": autocomplete, "inputmode": "email", **AS_TYPED}
        super().__init__(
            label=label,
            error_messages={"required": "Enter an e-mail address."},
            widget=forms.EmailInput(attrs=kind),
        )


class PasswordField(forms.CharField):
    refusals: Collection[str] = ("password_required", "invalid_credentials")
    autocomplete = "current-password"
    empty = "Enter your password."

    def __init__(self, label: str = "Password", **options: Any) -> None:
        kind = {"autocomplete": self.autocomplete, **AS_TYPED}
        super().__init__(
            label=label,
            strip=False,
            error_messages={"required": self.empty},
            widget=forms.PasswordInput(attrs=kind),
            **options,
        )


class NewPasswordField(PasswordField):
    refusals = (
        "password_common",
        "password_contextual",
        "password_too_long",
        "password_too_short",
    )
    autocomplete = "new-password"
    empty = "Enter a new password."

    def __init__(self, label: str = "Password") -> None:
        super().__init__(label, help_text=lazy(words.password_rules, str)())


class AccountForm(forms.Form):
    """A form whose fields have their names as ids."""

    # The code of the refusal that it is shown again for.
    refused = ""

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data, auto_id="%s")

    def refuse(self, problem: Problem) -> None:
        """Tells a refusal in words, at the field that it is about."""
        self.refused = problem.code
        about = [name for name in self.fields if self._is_about(name, problem)]
        is_owner_known = "email" not in self.fields
        text = words.advice(problem, is_owner_known)
        self.add_error(about[0] if about else None, text)

    def _is_about(self, name: str, problem: Problem) -> bool:
        return problem.code in getattr(self.fields[name], "refusals", ())


class SignUpForm(AccountForm):
    email = AddressField()
    password = NewPasswordField()


class SignInForm(AccountForm):
    email = AddressField()
    password = PasswordField()


class AddressForm(AccountForm):
    email = AddressField()


class PasswordForm(AccountForm):
    password = PasswordField()


class ChangePasswordForm(AccountForm):
    current_password = PasswordField("Current password")
    new_password = NewPasswordField("New password")


class ResetForm(AccountForm):
    password = NewPasswordField("New password")


class NewAddressForm(AccountForm):
    email = AddressField("New e-mail address", "email")


class DeleteForm(AccountForm):
    confirmed = forms.BooleanField(
        label="Yes, delete my account for good",
        error_messages={"required": "Tick the box if you are sure."},
    )
