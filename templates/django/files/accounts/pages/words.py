"""What the pages say besides their templates. Nothing that a request holds is repeated, so that a
link cannot put words into this site's mouth."""

from collections.abc import Mapping

from .. import conf, passwords
from ..problem import Problem

Ways = tuple[tuple[str, str], ...]

# What was done, by the code that a page's address names it with.
DONE: Mapping[str, str] = {
    "signed-out": "You are signed out.",
    "sign-in-again": "Sign in, then do it again: what you sent was not saved.",
    "address-confirmed": "Your address is confirmed.",
    "address-mailed": (
        "Open the link in the mail to the new address. Until then, your address stays as it is."
    ),
    "address-changed": "Your address is changed. Every other device is signed out.",
    "device-signed-out": "The device is signed out.",
    "devices-signed-out": "Every other device is signed out.",
    "device-unknown": "That device was signed out already.",
[%- if module.oidc %]
    "provider-connected": (
        "The provider is connected: it opens your account from now on."
    ),
    "provider-disconnected": (
        "The provider is disconnected. Every other device is signed out."
    ),
[%- endif %]
    "account-deleted": "Your account is deleted.",
    "password-changed": "Your password is changed. Other devices are signed out.",
}

# What to do about a refusal, where that is more than its title.
ADVICE: Mapping[str, str] = {
[%- if module.oidc %]
    "account_exists": (
        "It has the address that the provider named. Sign in to it as you did before, then connect"
        " the provider under “Ways to sign in”."
    ),
[%- endif %]
    "body_too_large": "What you sent is too long. Go back and shorten it.",
    "email_invalid": "Enter an e-mail address like name@example.com.",
    "email_unchanged": "This is your address already. Enter another one.",
[%- if module.oidc %]
    "email_unverified": (
        "Confirm your address first: open the link that we mailed to you, or confirm it at the"
        " provider that you sign in with."
    ),
[%- else %]
    "email_unverified": "Confirm your address first: open the link that we mailed to you.",
[%- endif %]
    "foreign_request": (
        "It did not come from a page of this site that is still good. Open the page again and"
        " repeat what you did."
    ),
[%- if module.oidc %]
    "identity_taken": (
        "That sign-in opens another account, or yours is connected with another one of this"
        " provider."
    ),
[%- endif %]
    "invalid_credentials": "Check the address and the password, and try again.",
    "invalid_fields": (
        "What was sent cannot be read. Go back, fill in every field and try again."
    ),
[%- if module.oidc %]
    "last_login_method": "Nothing else would open your account. Choose a password first.",
[%- endif %]
    "malformed_request": (
        "What was sent cannot be read. Go back, fill in every field and try again."
    ),
    "not_found": "Check the address. If you followed a link, go back and try another.",
[%- if module.oidc %]
    "oidc_refused": "Nothing was changed. Begin again from the sign-in page.",
[%- endif %]
    "password_common": "Choose another password: attackers try this one first.",
    "password_contextual": (
        "Choose another password: this one is made of your address or of this site’s name."
    ),
    "password_required": "Enter the password that you chose when you signed up.",
    "password_too_long": (
        f"Choose a shorter password: at most {passwords.MAX_CHARACTERS} characters."
    ),
[%- if module.oidc %]
    "provider_unavailable": (
        "The provider does not answer as it should. Try again in a few minutes."
    ),
[%- endif %]
    "token_invalid": "It was used before, or it has expired. Ask for a new mail.",
    "unavailable": "Nothing was changed. Try again in a few minutes.",
}

TITLES: Mapping[str, str] = {
[%- if module.oidc %]
    "account_exists": "You have an account already",
[%- endif %]
    "foreign_request": "The request was stopped",
    "not_found": "There is no such page",
[%- if module.oidc %]
    "oidc_refused": "The sign-in did not work",
    "provider_unavailable": "The sign-in did not work",
[%- endif %]
    "token_invalid": "This link does not work any more",
    "too_many_requests": "Too many attempts",
    "unavailable": "This does not work right now",
}

[% if module.oidc -%]
TO_LOGIN = (("/auth/login", "Go to the sign-in page"),)
TO_IDENTITIES = (("/auth/identities", "Go back to your ways to sign in"),)
[% endif -%]
WAYS: Mapping[str, Ways] = {
[%- if module.oidc %]
    "account_exists": TO_LOGIN,
    "email_unverified": TO_LOGIN,
    "identity_taken": TO_IDENTITIES,
    "last_login_method": TO_IDENTITIES,
    "oidc_refused": TO_LOGIN,
    "provider_unavailable": TO_LOGIN,
[%- endif %]
    "token_invalid": (
        ("/auth/verify/resend", "Send the confirmation again"),
        ("/auth/password/forgot", "Ask for a new password"),
        ("/auth/login", "Go to the sign-in page"),
    ),
}


def title(problem: Problem) -> str:
    return TITLES.get(problem.code, "That did not work")


def ways_on(problem: Problem) -> Ways:
    return WAYS.get(problem.code, (("/", "Go to the start page"),))


def advice(problem: Problem, is_owner_known: bool = False) -> str:
    """What happened and what to do about it."""
    if problem.code == "too_many_requests":
        wait = duration(int(problem.headers["Retry-After"]))
        return f"There were too many attempts. Wait {wait}, then try again."
    if problem.code == "password_too_short":
        shortest = conf.current().policy.password_min
        return f"Choose a longer password: at least {shortest} characters."
    if problem.code == "invalid_credentials" and is_owner_known:
        return "Check the password and try again."
    return ADVICE.get(problem.code, problem.title)


def password_rules() -> str:
    shortest = conf.current().policy.password_min
    return (
        f"At least {shortest} characters, of any kind, spaces too: a few unrelated words, or what"
        " a password manager makes."
    )


def duration(seconds: int) -> str:
    """A waiting time as people say it, rounded up."""
    count, unit = seconds, "second"
    if seconds > 5_400:
        count, unit = -(-seconds // 3_600), "hour"
    elif seconds > 90:
        count, unit = -(-seconds // 60), "minute"
    return f"{count} {unit}{'' if count == 1 else 's'}"
