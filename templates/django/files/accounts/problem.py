"""Refusals, as RFC 9457 has them. None repeats what was sent."""

from collections.abc import Mapping

from django.http import JsonResponse

PROBLEMS: Mapping[str, tuple[int, str]] = {
[%- if module.oidc %]
    "account_exists": (
        409,
        "There is an account with this address. Sign in to it, then link the provider.",
    ),
[%- endif %]
    "body_too_large": (413, "The request is too large."),
[%- if module.tokens %]
    "device_unknown": (404, "There is no such device."),
[%- endif %]
    "email_invalid": (422, "This is not an e-mail address."),
    "email_unchanged": (422, "This is the address of the account already."),
    "email_unverified": (403, "Confirm the e-mail address first."),
    "foreign_request": (403, "The request does not come from this site."),
[%- if module.oidc %]
    "identity_taken": (
        409,
        "This sign-in belongs to another account, or another one of the provider is linked.",
    ),
    "identity_unknown": (404, "This is not a sign-in of the account."),
[%- endif %]
[%- if module.tokens %]
    "insufficient_scope": (403, "The access token is not for this."),
    "insufficient_user_authentication": (
        403,
        "Sign in again for a new access token to continue.",
    ),
[%- endif %]
    "invalid_credentials": (401, "The address or the password is wrong."),
    "invalid_fields": (422, "A field is missing or has the wrong type."),
[%- if module.tokens %]
    "invalid_grant": (
        400,
        "This refresh token is not valid, was used, or has expired.",
    ),
    "invalid_scope": (400, "There is no such scope, or it was not granted."),
[%- endif %]
    "json_required": (415, "The request must be JSON."),
[%- if module.oidc %]
    "last_login_method": (409, "Without this sign-in, nothing would open the account."),
[%- endif %]
    "malformed_request": (400, "The request cannot be read."),
    "method_not_allowed": (405, "This method is not allowed here."),
    "not_found": (404, "There is nothing here."),
    "not_signed_in": (401, "Sign in first."),
[%- if module.oidc %]
    "oidc_refused": (400, "The sign-in at the provider did not work."),
[%- endif %]
    "password_common": (422, "This password is on a list that attackers try first."),
    "password_contextual": (
        422,
        "This password is made of words that belong to the account.",
    ),
    "password_required": (401, "Enter the password of the account as well."),
    "password_too_long": (422, "This password is too long."),
    "password_too_short": (422, "This password is too short."),
[%- if module.oidc %]
    "provider_unavailable": (
        502,
        "The provider does not answer right now; try again later.",
    ),
    "provider_unknown": (404, "This provider is not known here."),
    "reauth_required": (403, "Sign in again first."),
    "reauth_unsupported": (
        409,
        "This provider does not ask again. Sign out and sign in.",
    ),
[%- else %]
    "reauth_required": (403, "Enter the password again first."),
[%- endif %]
    "session_unknown": (404, "There is no such session."),
    "token_invalid": (400, "This link is not valid, or not any more."),
    "too_many_requests": (429, "Too many requests; try again later."),
    "unavailable": (503, "This does not work right now; try again later."),
}


[% if ui == "pages" -%]
class Refusal(JsonResponse):
    """A refusal as programs are told it; people see a page in its place."""

    problem: "Problem"


[% endif -%]
class Problem(Exception):
    """A refusal with a stable code."""

    def __init__(self, code: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.status, self.title = PROBLEMS[code]
        self.headers = dict(headers or {})

    def response(self) -> [% if ui == "pages" %]Refusal[% else %]JsonResponse[% endif %]:
        body = {
            "type": f"urn:auth:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
        }
        headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
        [% if ui == "pages" %]answer = Refusal([% else %]return JsonResponse([% endif %]
            body,
            status=self.status,
            headers=headers | self.headers,
            content_type="application/problem+json",
        )
[%- if ui == "pages" %]
        answer.problem = self
        return answer
[%- endif %]


def throttled(seconds: int) -> Problem:
    return Problem("too_many_requests", {"Retry-After": str(max(1, seconds))})
[%- if module.tokens %]


def challenged(code: str, challenge: str) -> Problem:
    """A refusal to who came with an access token, or should have (RFC 6750 3, RFC 9470 3)."""
    return Problem(code, {"WWW-Authenticate": challenge})


def access_token_missing() -> Problem:
    return unauthorized("Bearer")


def access_token_invalid() -> Problem:
    return unauthorized('Bearer error="invalid_token"')


def unauthorized(challenge: str) -> Problem:
    """The same code as that of a mailed token, with another status."""
    problem = challenged("token_invalid", challenge)
    problem.status = 401
    problem.title = (
        "The access token is missing, not valid, was revoked, or has expired."
    )
    return problem


def without_scope(name: str) -> Problem:
    challenge = f'Bearer error="insufficient_scope", scope="{name}"'
    return challenged("insufficient_scope", challenge)


def stale_token(seconds: int) -> Problem:
    challenge = f'Bearer error="insufficient_user_authentication", max_age="{seconds}"'
    return challenged("insufficient_user_authentication", challenge)
[%- endif %]
