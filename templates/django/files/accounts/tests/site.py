"""The application as in production, with a mailbox of its own for each test, and browsers."""

import json
import re
import secrets
from dataclasses import replace
from typing import Any
from unittest.mock import patch
[%- if ui == "pages" %]
from urllib.parse import urlencode
[%- endif %]

from django.core import mail as django_mail
from django.http import HttpRequest, JsonResponse
from django.test import Client, TestCase, [% if db == "postgres" %]TransactionTestCase, [% endif %]override_settings
from django.urls import path

from accounts import conf, mail, urls
[%- if module.tokens %]
from accounts.bearer import keys
from accounts.bearer.guards import api_user_of, fresh_token_required, token_required
[%- endif %]
from accounts.guards import lately_signed_in, signed_in, user_of
from accounts.models import Session
[%- if module.oidc %]
from accounts.oidc.presets import PRESETS
[%- endif %]
[%- if ui == "pages" %]
from accounts.pages.requested import FORM
[%- endif %]

ORIGIN = "https://app.test"
PASSWORD = "quiet meadow under nine clouds"
OTHER_PASSWORD = "seven boats and one slow river"
[%- if db == "postgres" %]
# Nothing is asked of it: tests have a database of their own.
DATABASE = "postgres://app@127.0.0.1/app"
[%- endif %]
ENVIRONMENT = {
    "AUTH_SECRET": secrets.token_hex(32),
    "AUTH_BASE_URL": ORIGIN,
    "AUTH_MAIL_FROM": "App <app@app.test>",
    "SMTP_URL": "smtps://mail.app.test",
    "AUTH_TRUSTED_PROXIES": "10.0.0.1",
[%- if db == "postgres" %]
    "DATABASE_URL": DATABASE,
[%- endif %]
[%- if module.tokens %]
    "AUTH_TOKEN_KEY": keys.fresh_key(),
[%- endif %]
}
[%- if module.oidc %]
for preset in PRESETS:
    issuer = f"https://{preset.id}.test"
    said = {"ISSUER": issuer, "CLIENT_ID": "client", "CLIENT_SECRET": "secret"}
    ENVIRONMENT |= {preset.variable(what): value for what, value in said.items()}
[%- endif %]


@signed_in
def mine(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"id": user_of(request).pk})


@lately_signed_in
def fresh(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"id": user_of(request).pk})


[% if module.tokens -%]
@token_required("read")
def api(request: HttpRequest) -> JsonResponse:
    asked = {"id": api_user_of(request).id, "session": str(request.user)}
    return JsonResponse(asked)


@fresh_token_required()
def fresh_api(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"id": api_user_of(request).id})


[% endif -%]
urlpatterns = [
    path("mine", mine),
    path("fresh", fresh),
[%- if module.tokens %]
    path("api", api),
    path("api/fresh", fresh_api),
[%- endif %]
    *urls.urlpatterns,
]


class InlineOutbox(mail.Outbox):
    """Sends at once, into Django's mailbox for tests."""

    def run(self, write: mail.Writer) -> None:
        letter = write()
        if letter is not None:
            letter.send()


[% if db == "postgres" -%]
class CommittedTestCase(TransactionTestCase):
    """One application, as its owner would run it, whose transactions others see."""
[%- else -%]
class SiteTestCase(TestCase):
    """One application, as its owner would run it."""
[%- endif %]

    def setUp(self) -> None:
        outbox = patch.object(mail, "outbox", InlineOutbox())
        outbox.start()
        self.addCleanup(outbox.stop)
        self.configured = conf.from_environment(ENVIRONMENT)
        self.use(
            ALLOWED_HOSTS=["app.test"],
            CSRF_TRUSTED_ORIGINS=[ORIGIN],
            ROOT_URLCONF="accounts.tests.site",
            ACCOUNTS=self.configured,
            **conf.protections(self.configured),
        )

    def use(self, **settings: Any) -> None:
        override = override_settings(**settings)
        override.enable()
        self.addCleanup(override.disable)

    def change(self, **policy: int) -> None:
        changed = replace(
            self.configured, policy=replace(self.configured.policy, **policy)
        )
        self.configured = changed
        self.use(ACCOUNTS=changed)

    def browser(self, ip: str = "192.0.2.1") -> "Browser":
        return Browser(ip)

    def member(
        self, email: str = "ada@example.org", ip: str = "192.0.2.1"
    ) -> "Browser":
        """A browser that is signed in to a confirmed account."""
        browser = self.browser(ip)
        self.assertEqual(browser.register(email).status_code, 202)
        answer = browser.post("/auth/verify", {"token": self.token(email)})
        self.assertEqual(answer.json(), {"status": "verified", "signed_in": True})
        return browser

    def letter(self, to: str, subject: str = "") -> str:
        """The newest mail to an address."""
        found = [m for m in self.mailbox() if m.to == [to] and subject in m.subject]
        self.assertTrue(found, f"no mail to {to}")
        return str(found[-1].body)

    def token(self, to: str) -> str:
        match = re.search(r"token=([A-Za-z0-9_-]+)", self.letter(to))
        assert match is not None
        return match[1]

    def mailbox(self) -> list[Any]:
        return list(django_mail.outbox)

    def empty_mailbox(self) -> None:
        django_mail.outbox.clear()

    def assertRefused(self, answer: Any, status: int, code: str) -> None:
        self.assertEqual((answer.status_code, answer.json()["code"]), (status, code))

    def sessions(self) -> list[Session]:
        return list(Session.objects.filter(user__isnull=False))
[%- if db == "postgres" %]


class SiteTestCase(TestCase, CommittedTestCase):
    """The same, and nothing of a test is left."""
[%- endif %]


class Browser:
    """Keeps its cookies, says where its requests come from, and asks for a token before each that
    changes something."""

    def __init__(self, ip: str) -> None:
        self.client = Client(enforce_csrf_checks=True)
        self.headers: dict[str, str] = {
            "Host": "app.test",
            "Origin": ORIGIN,
            "Sec-Fetch-Site": "same-origin",
            "X-Forwarded-For": ip,
            "User-Agent": "Test/1.0",
        }

    def send(
        self, method: str, address: str, body: Any = None, **headers: str | None
    ) -> Any:
        sent: dict[str, str | None] = dict(self.headers)
        if method not in ("GET", "HEAD"):
            sent["X-CSRFToken"] = self.csrf_token()
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        kept = {name: value for name, value in sent.items() if value is not None}
        return self.client.generic(
            method,
            address,
            "" if body is None else body,
            "application/json",
            headers=kept,
            REMOTE_ADDR="10.0.0.1",
        )

    def csrf_token(self) -> str:
        return str(self.get("/auth/csrf").json()["csrf_token"])

    def get(self, address: str, **headers: str | None) -> Any:
        return self.send("GET", address, **headers)

    def post(self, address: str, fields: Any = None, **headers: str | None) -> Any:
        body = None if fields is None else json.dumps(fields)
        return self.send("POST", address, body, **headers)
[%- if ui == "pages" %]

    def open(self, address: str, **headers: str | None) -> Any:
        return self.get(address, Accept="text/html", **headers)

    def submit(
        self, address: str, fields: dict[str, str] | None = None, **headers: str | None
    ) -> Any:
        """As a form of a page."""
        kind = {"Accept": "text/html", "Content_Type": FORM, **headers}
        return self.send("POST", address, urlencode(fields or {}), **kind)
[%- endif %]

    def delete(self, address: str, **headers: str | None) -> Any:
        return self.send("DELETE", address, **headers)

    @property
    def session(self) -> str:
        morsel = self.client.cookies.get("__Host-auth-session")
        return morsel.value if morsel else ""

    @session.setter
    def session(self, value: str) -> None:
        self.client.cookies["__Host-auth-session"] = value

    def register(self, email: str, password: str = PASSWORD) -> Any:
        return self.post("/auth/register", {"email": email, "password": password})

    def login(
        self, email: str, password: str = PASSWORD, /, **headers: str | None
    ) -> Any:
        fields = {"email": email, "password": password}
        return self.post("/auth/login", fields, **headers)
