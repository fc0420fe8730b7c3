"""Bodies, headers, settings, logs and the operator."""

import json
import logging
import os
import tempfile
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import CommandError, call_command
from django.http import HttpResponse, HttpResponseNotAllowed
from django.test import RequestFactory, SimpleTestCase
from django.urls import resolve
from waitress.parser import HTTPRequestParser
from waitress.utilities import RequestEntityTooLarge

from accounts import checks, conf, [% if db == "postgres" %]database, [% endif %]mail
from accounts.audit import JsonLines
from accounts.guards import signed_in
from accounts.management.commands import serve
from accounts.middleware import in_one_form
from accounts.models import Event, User
from accounts.variables import SettingError

from .site import [% if db == "postgres" %]DATABASE, [% endif %]ENVIRONMENT, OTHER_PASSWORD, PASSWORD, SiteTestCase


class Surface(SiteTestCase):
    def test_bodies_are_json_objects_with_fields_of_text(self) -> None:
        """CSR-05, INP-02, INP-03, INP-04, INP-05"""
        kind = "application/json"
        for body, declared, status, code in [
            ("{}", kind, 422, "invalid_fields"),
            ("[]", kind, 422, "invalid_fields"),
            ("{", kind, 400, "malformed_request"),
            ('{"email": 1, "password": "x"}', kind, 422, "invalid_fields"),
            (
                '{"email": "a", "email": "b", "password": "x"}',
                kind,
                400,
                "malformed_request",
            ),
            ('{"email": "\\ud800", "password": "x"}', kind, 400, "malformed_request"),
            ("[" * 30_000, kind, 400, "malformed_request"),
[%- if ui == "api" %]
            (
                "email=a&password=b",
                "application/x-www-form-urlencoded",
                415,
                "json_required",
            ),
[%- endif %]
            ("{}", "text/plain", 415, "json_required"),
            ('{"email": "' + "a" * 70_000 + '"}', kind, 413, "body_too_large"),
        ]:
            with self.subTest(body=body[:40], declared=declared):
                browser = self.browser()
                answer = browser.send(
                    "POST", "/auth/login", body, Content_Type=declared
                )
                self.assertRefused(answer, status, code)
                self.assertEqual(answer["Content-Type"], "application/problem+json")

    def test_a_body_that_no_view_would_take_is_not_read(self) -> None:
        """INP-03"""
        limit = self.configured.policy.body
        server = serve.server_at("127.0.0.1", 0, WSGIHandler())
        self.addCleanup(server.close)
        for length, error in ((limit - 1, None), (limit + 1, RequestEntityTooLarge)):
            request = HTTPRequestParser(server.adj)
            head = f"POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n"
            request.received(head.encode())
            self.assertIs(type(request.error) if request.error else None, error)

    def test_what_says_when_to_ask_again_stands_beside_a_refusal(self) -> None:
        """HDR-05"""
        headers = {"Retry-After": "60", "Content-Language": "de"}
        answers = [HttpResponseNotAllowed(["POST"]), HttpResponse("x", headers=headers)]
        answers[1].status_code = 429
        allow, later = [in_one_form(answer) for answer in answers]
        self.assertEqual((allow.status_code, allow["Allow"]), (405, "POST"))
        self.assertEqual((later.status_code, later["Retry-After"]), (429, "60"))
        self.assertEqual(later["Content-Type"], "application/problem+json")
        self.assertNotIn("Content-Language", later)

    def test_a_mail_that_cannot_be_sent_is_told_to_the_log(self) -> None:
        """EML-08"""
        letter = mail.letter("ada@example.org", "x", "y")
        with (
            patch.object(letter, "send", side_effect=ValueError),
            self.assertLogs("accounts", logging.ERROR) as caught,
        ):
            mail.Outbox()._deliver(letter)
        self.assertIn("could not be sent", caught.output[0])

    def test_every_answer_below_auth_has_the_headers(self) -> None:
        """HDR-01, HDR-02, HDR-03, HDR-04, RST-07"""
        for address in ("/auth/me", "/auth/login", "/auth/nothing", "/auth/csrf"):
            with self.subTest(address=address):
                answer = self.browser().get(address)
                self.assertEqual(answer["Cache-Control"], "no-store")
                self.assertEqual(answer["X-Content-Type-Options"], "nosniff")
                self.assertEqual(answer["Referrer-Policy"], "no-referrer")
                policy = answer["Content-Security-Policy"]
                self.assertIn("frame-ancestors 'none'", policy)
                hsts = answer["Strict-Transport-Security"]
                self.assertTrue(hsts.startswith("max-age=31536000"))
                self.assertNotIn("Access-Control-Allow-Origin", answer)

    def test_what_was_sent_is_not_repeated(self) -> None:
        """PWD-10, RED-03"""
        marked = "<script>marked</script>"
        browser = self.browser()
        for answer in (
            browser.register(marked, marked),
            browser.get(f"/auth/verify?token={marked}"),
            browser.get(f"/auth/{marked}"),
        ):
            self.assertNotIn("marked", answer.content.decode())

    def test_a_name_that_nothing_has_is_not_found(self) -> None:
        """INP-02"""
        ada = self.member()
        for name in ("x", "%00", "a%00b"):
            with self.subTest(name=name):
                answer = ada.delete(f"/auth/sessions/{name}")
                self.assertEqual(answer.status_code, 404)

    def test_logs_hold_no_secret_and_no_address(self) -> None:
        """LOG-01, LOG-02, LOG-03"""
        with self.assertLogs("accounts", logging.DEBUG) as caught:
            ada = self.member()
            ada.login("nobody@example.org", OTHER_PASSWORD, User_Agent="a\r\nb")
        lines = [JsonLines().format(record) for record in caught.records]
        events = {json.loads(line).get("event") for line in lines}
        made = {"register", "email_verified", "session_created", "login"}
        self.assertLessEqual(made, events)
        text = "\n".join(lines) + str(list(Event.objects.values()))
        for secret in (
            PASSWORD,
            OTHER_PASSWORD,
            ada.session,
            "nobody@example.org",
            "ada@example.org",
        ):
            self.assertNotIn(secret, text)

    def test_the_operator_ends_sessions_and_disables_accounts(self) -> None:
        """SES-11, SES-15"""
        ada, out = self.member(), StringIO()
        call_command("accounts", "revoke", "ada@example.org", stdout=out)
        self.assertEqual(ada.get("/mine").status_code, 401)
        self.assertEqual(ada.login("ada@example.org").status_code, 200)
        call_command("accounts", "disable", "ada@example.org", stdout=out)
        self.assertEqual(ada.get("/mine").status_code, 401)
        self.assertEqual(ada.login("ada@example.org").status_code, 401)
        call_command("accounts", "enable", "ada@example.org", stdout=out)
        self.assertEqual(ada.login("ada@example.org").status_code, 200)
        call_command("accounts", "revoke", "--all", stdout=out)
        self.assertEqual(ada.get("/mine").status_code, 401)
        with self.assertRaises(CommandError):
            call_command("accounts", "disable", stdout=out)


class Caches(SimpleTestCase):
    def test_no_cache_of_the_project_keeps_what_one_user_is_shown(self) -> None:
        """HDR-01"""
        address, ada = "/auth/logout", User(email="ada@example.org")
        request = RequestFactory().get(address)
        request.user = ada
        guarded = signed_in(lambda _request: HttpResponse("hers"))(request)
        # Before the module's middleware, which stands outside of a project's cache.
        for answer in (resolve(address).func(request), guarded):
            for word in ("private", "no-store"):
                self.assertIn(word, answer["Cache-Control"])


class Settings(SimpleTestCase):
    def test_settings_that_are_missing_or_weak_end_the_start(self) -> None:
        """CFG-01, CFG-02, CFG-03, CFG-04"""
        refused: list[tuple[str, str | None]] = [
            ("AUTH_SECRET", None),
            ("AUTH_SECRET", "a" * 64),
            ("AUTH_SECRET", "c2hvcnQ="),
            ("AUTH_BASE_URL", None),
            ("AUTH_BASE_URL", "http://app.test"),
            ("AUTH_BASE_URL", "https://app.test/path"),
            ("AUTH_MAIL_FROM", "nobody"),
            ("SMTP_URL", None),
            ("SMTP_URL", "smtp://mail.app.test"),
            ("AUTH_TRUSTED_PROXIES", "0.0.0.0/0"),
            ("AUTH_ENV", "dev"),
[%- if db == "postgres" %]
            ("DATABASE_URL", None),
            ("DATABASE_URL", "sqlite:///x.db"),
            ("DATABASE_URL", "postgres://app@db.app.test/app"),
            ("DATABASE_URL", "postgres://app@db.app.test/app?sslmode=require"),
            ("DATABASE_URL", "postgres://app@127.0.0.1/app?hostaddr=192.0.2.1"),
            ("DATABASE_URL", "postgres://127.0.0.1,db.app.test/app"),
            ("DATABASE_URL", "postgres:///app"),
            ("DATABASE_URL", "postgres://127.0.0.1/app?service=x"),
            ("PGHOSTADDR", "192.0.2.1"),
            ("PGSERVICE", "x"),
            ("PGSERVICEFILE", "/etc/x"),
[%- else %]
            ("DATABASE_URL", "sqlite://"),
[%- endif %]
            ("AUTH_LOGIN_FAILURE_LIMIT", "0"),
            ("AUTH_SESSION_IDLE_SECONDS", "99999999"),
        ]
        for name, value in refused:
            with self.subTest(name=name, value=value):
                environment = {k: v for k, v in ENVIRONMENT.items() if k != name}
                if value is not None:
                    environment[name] = value
                with self.assertRaises(SettingError) as caught:
                    conf.from_environment(environment)
                self.assertTrue(str(caught.exception).startswith(name))

    def test_a_setting_that_takes_a_protection_away_ends_the_start(self) -> None:
        """CFG-03, CFG-08"""
        checks.refuse_weakened()
        first = "accounts.middleware.AccountsMiddleware"
        weakened: list[dict[str, Any]] = [
            {"SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies"},
            {"SESSION_COOKIE_HTTPONLY": False},
            {"PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"]},
            {"AUTHENTICATION_BACKENDS": ["django.contrib.auth.backends.ModelBackend"]},
            {"CSRF_USE_SESSIONS": False},
            {"MIDDLEWARE": [first]},
        ]
        for weak in weakened:
            with self.subTest(weak=weak), self.settings(**weak):
                self.assertRaises(ImproperlyConfigured, checks.refuse_weakened)
[%- if db == "postgres" %]

    def test_a_database_that_was_made_another_ends_the_start(self) -> None:
        """CFG-03, RAC-02"""
        made = settings.DATABASES["default"]
        others: list[dict[str, Any]] = [
            {"ENGINE": "django.db.backends.sqlite3"},
            {"HOST": "db.app.test"},
            {"HOST": ""},
            {"OPTIONS": {}},
        ]
        for other in others:
            with self.subTest(other=other), patch.dict(made, other):
                self.assertRaises(ImproperlyConfigured, checks.refuse_weakened)
        foreign = {"ENGINE": "django.db.backends.mysql"}
        with self.assertRaises(SettingError):
            database.configure(foreign, database.from_url(DATABASE))

    def test_a_database_elsewhere_is_reached_with_tls(self) -> None:
        """CFG-03"""
        url = "postgres://app:se%40cret@db.app.test/app?sslmode=verify-full"
        given = database.from_url(url)
        self.assertEqual((given["HOST"], given["PASSWORD"]), ("db.app.test", "se@cret"))
        self.assertEqual(given["OPTIONS"]["sslmode"], "verify-full")
        self.assertIn("lock_timeout", given["OPTIONS"]["options"])
        given = database.from_url(f"{url}&options=")
        self.assertEqual(given["OPTIONS"]["options"], "")
[%- endif %]

    def test_a_database_that_undoes_counts_ends_the_start(self) -> None:
        """THR-06, CFG-03"""
        for undone in ({"ATOMIC_REQUESTS": True}, {"AUTOCOMMIT": False}):
            database = settings.DATABASES["default"]
            with self.subTest(undone=undone), patch.dict(database, undone):
                with self.assertRaises(ImproperlyConfigured) as caught:
                    checks.refuse_weakened()
                self.assertIn(next(iter(undone)), str(caught.exception))

    def test_debug_is_for_development(self) -> None:
        """CFG-03"""
        production = conf.from_environment(ENVIRONMENT)
        settings = {"ACCOUNTS": production, **conf.protections(production)}
        with self.settings(DEBUG=True, **settings):
            self.assertRaises(ImproperlyConfigured, checks.refuse_weakened)

    def test_a_key_that_everybody_knows_is_replaced(self) -> None:
        """CFG-02"""
        settings: dict[str, Any] = {
            "SECRET_KEY": "django-insecure-known",
            "INSTALLED_APPS": [],
            "MIDDLEWARE": [],
[%- if db == "sqlite" %]
            "DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3"}},
[%- endif %]
        }
[%- if db == "postgres" %]
        with patch.dict(os.environ, {"DATABASE_URL": DATABASE}):
            conf.configure(settings)
[%- else %]
        conf.configure(settings)
[%- endif %]
        self.assertNotIn("insecure", settings["SECRET_KEY"])
        other = settings | {"AUTH_USER_MODEL": "auth.User"}
        self.assertRaises(SettingError, conf.configure, other)

    def test_development_is_for_this_machine(self) -> None:
        """CFG-03, CFG-05"""
        before = Path.cwd()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            self.addCleanup(os.chdir, before)
            given = {"AUTH_ENV": "development"}
            with self.assertRaises(SettingError):
                conf.development_values(given | {"ADDR": "0.0.0.0:8000"})
            made = conf.development_values(given)
[%- if db == "postgres" %]
            made["DATABASE_URL"] = DATABASE
[%- endif %]
            self.assertTrue(conf.from_environment(given | made).development)
            self.assertEqual(Path(".env").stat().st_mode & 0o777, 0o600)
            os.chdir(before)
