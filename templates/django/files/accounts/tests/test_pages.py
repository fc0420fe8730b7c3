"""The pages: attacks on what stands between a person and the functions that answer the API."""

import re
from base64 import b64encode
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import ImproperlyConfigured
from django.db.models import F
from django.views.debug import SafeExceptionReporterFilter

from accounts import checks
from accounts.models import MailToken, Session, [% if module.tokens %]TokenFamily, [% endif %]User
from accounts.pages.words import duration

from .site import ORIGIN, OTHER_PASSWORD, PASSWORD, Browser, SiteTestCase

ADA = "ada@example.org"
OPEN = (
    "/auth/login",
    "/auth/register",
    "/auth/mailbox",
    "/auth/verify/resend",
    "/auth/password/forgot",
)
SIGNED_IN = (
    "/auth/account",
    "/auth/password",
    "/auth/email",
    "/auth/sessions",
    "/auth/reauth",
    "/auth/data",
    "/auth/account/delete",
)
ENGINE = {
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
}
HIDDEN_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


def text(page: Any) -> str:
    return str(page.content.decode())


def inputs(page: Any) -> list[str]:
    return re.findall(r"<input [^>]+>", text(page))


class Pages(SiteTestCase):
    def sign_in(self, browser: Browser, **fields: str) -> Any:
        known = {"email": ADA, "password": PASSWORD}
        return browser.submit("/auth/login", known | fields)

    def assertLeads(self, answer: Any, to: str) -> None:
        self.assertEqual((answer.status_code, answer.get("Location")), (303, to))

    def grow_old(self) -> None:
        """The password was entered a while ago."""
        ago = timedelta(seconds=self.configured.policy.reauth + 1)
        Session.objects.update(authenticated_at=F("authenticated_at") - ago)

    def test_people_get_pages_and_programs_json(self) -> None:
        """CSR-05"""
        ada = self.member()
        browsers = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
        for accepted, kind in [
            (browsers, "text/html"),
            ("text/html", "text/html"),
            ("*/*", "application/json"),
            (None, "application/json"),
            ("application/json, text/html;q=0.5", "application/json"),
        ]:
            with self.subTest(accepted=accepted):
                answer = ada.get("/auth/sessions", Accept=accepted)
                self.assertTrue(answer["Content-Type"].startswith(kind))
        # Where there is no page, no form is taken.
        form = {"Content_Type": "application/x-www-form-urlencoded"}
        answer = ada.send("POST", "/auth/csrf", "a=b", **form)
        self.assertEqual(answer.status_code, 405)
        for address in ("/auth/data", "/auth/account/delete"):
            self.assertRefused(ada.get(address), 404, "not_found")

    def test_a_form_carries_the_token_of_its_session(self) -> None:
        """CSR-01, CSR-02"""
        browser, other = self.browser(), self.browser()
        tokens = []
        for one in (browser, other):
            match = HIDDEN_TOKEN.search(text(one.open("/auth/register")))
            assert match is not None
            tokens.append(match[1])
        fields = {"email": ADA, "password": PASSWORD}
        for forged in ({}, {"csrfmiddlewaretoken": tokens[1]}):
            answer = browser.submit("/auth/register", fields | forged, X_CSRFToken=None)
            self.assertEqual(answer.status_code, 403)
            self.assertContains(answer, "The request was stopped", status_code=403)
        right = fields | {"csrfmiddlewaretoken": tokens[0]}
        foreign = {"Origin": "https://evil.test", "X_CSRFToken": None}
        answer = browser.submit("/auth/register", right, **foreign)
        self.assertEqual((answer.status_code, User.objects.count()), (403, 0))
        answer = browser.submit("/auth/register", right, X_CSRFToken=None)
        self.assertLeads(answer, "/auth/mailbox")

    def test_reports_of_errors_leave_passwords_out(self) -> None:
        """PWD-10"""
        request = self.sign_in(self.browser()).wsgi_request
        shown = SafeExceptionReporterFilter().get_post_parameters(request)
        self.assertIn("password", shown)
        self.assertNotIn(PASSWORD, str(shown) + str(request.META))

    def test_nothing_happens_by_looking(self) -> None:
        """CSR-04, EML-04"""
        ada, browser = self.member(), self.browser()
        browser.register("bob@example.org")
        token = self.token("bob@example.org")
        for _ in range(2):
            page = browser.open(f"/auth/verify?token={token}")
            self.assertEqual(page.status_code, 200)
        browser.open(f"/auth/verify?token={token}&password={PASSWORD}")
        self.assertFalse(MailToken.objects.filter(used_at__isnull=False).exists())
        handle = Session.objects.filter(user__isnull=False).get().handle
        for address in (
            "/auth/logout",
            "/auth/sessions/revoke-others",
            f"/auth/sessions/{handle}/revoke",
        ):
            self.assertEqual(ada.open(address).status_code, 405, address)
        self.assertEqual(ada.get("/mine").status_code, 200)

    def test_a_sign_in_leads_to_this_origin_alone(self) -> None:
        """RED-01, RED-02"""
        self.member()
        for way in (
            "https://evil.test/",
            "//evil.test",
            "/\\evil.test",
            "/\t/evil.test",
            "/%2f/evil.test",
            "/..//evil.test",
            "javascript:evil",
            "evil.test",
        ):
            with self.subTest(way=way):
                page = self.browser().open("/auth/login?" + urlencode({"next": way}))
                self.assertNotContains(page, "evil")
                answer = self.sign_in(self.browser(), next=way)
                self.assertLeads(answer, "/auth/account")
        browser = self.browser()
        page = browser.open("/auth/login?next=%2Fnotes%3Fa%3D1")
        self.assertIn(
            '<input type="hidden" name="next" value="/notes?a=1">', inputs(page)
        )
        page = browser.open("/auth/login?next=%2F%2Fevil.test")
        self.assertNotIn("evil.test", text(page))
        self.assertLeads(self.sign_in(browser, next="/notes?a=1"), "/notes?a=1")
        # Another account may do what this one may not: leading back could go on for ever.
        self.assertContains(browser.open("/auth/login?next=/notes"), "<form")
        self.assertLeads(browser.open("/auth/login"), "/auth/account")

    def test_who_is_not_signed_in_is_led_there_and_back(self) -> None:
        """SES-14"""
        stranger = self.browser()
        for address in (*SIGNED_IN, "/auth/export", "/mine?a=1"):
            answer = stranger.open(address)
            self.assertLeads(answer, "/auth/login?" + urlencode({"next": address}))
            self.assertEqual(answer["Cache-Control"], "no-store")
        # What was to be changed is not done by a way back.
        answer = stranger.submit("/auth/password", {"current_password": "x"})
        self.assertLeads(answer, "/auth/login?done=sign-in-again")

    def test_what_is_sensitive_takes_the_password_again(self) -> None:
        """SES-13"""
        ada = self.member()
        other = self.browser("192.0.2.2")
        other.login(ADA)
        self.grow_old()
        sessions = ada.get("/auth/sessions").json()["sessions"]
        handle = next(one["id"] for one in sessions if not one["current"])
        revoke = f"/auth/sessions/{handle}/revoke"
        for answer, back in [
            (ada.open("/auth/email"), "%2Fauth%2Femail"),
            (ada.open("/auth/data"), "%2Fauth%2Fdata"),
            (ada.open("/auth/export"), "%2Fauth%2Fdata"),
            (ada.open("/auth/account/delete"), "%2Fauth%2Faccount%2Fdelete"),
            (ada.submit("/auth/email", {"email": "x@example.org"}), "%2Fauth%2Femail"),
            (
                ada.submit("/auth/account/delete", {"confirmed": "on"}),
                "%2Fauth%2Faccount%2Fdelete",
            ),
            (ada.submit(revoke), "%2Fauth%2Fsessions"),
            (ada.submit("/auth/sessions/revoke-others"), "%2Fauth%2Fsessions"),
        ]:
            self.assertLeads(answer, f"/auth/reauth?next={back}")
        self.assertEqual(other.get("/mine").status_code, 200)
        wrong = {"password": OTHER_PASSWORD, "next": "/auth/email"}
        self.assertEqual(ada.submit("/auth/reauth", wrong).status_code, 401)
        right = {"password": PASSWORD, "next": "/auth/email"}
        self.assertLeads(ada.submit("/auth/reauth", right), "/auth/email")
        self.assertLeads(ada.submit(revoke), "/auth/sessions?done=device-signed-out")
        self.assertEqual(other.get("/mine").status_code, 401)
        self.assertLeads(ada.submit(revoke), "/auth/sessions?done=device-unknown")
        self.assertEqual(ada.submit("/auth/account/delete").status_code, 422)
        answer = ada.submit("/auth/account/delete", {"confirmed": "on"})
        self.assertLeads(answer, "/auth/login?done=account-deleted")
        self.assertFalse(User.objects.exists())

    def test_pages_are_fenced_and_not_kept(self) -> None:
        """HDR-01, HDR-02, HDR-03"""
        ada = self.member()
        pages = [self.browser().open(address) for address in OPEN]
        pages += [ada.open(address) for address in SIGNED_IN]
        pages += [ada.open("/auth/nowhere"), ada.open("/auth/verify?token=x")]
        for page in pages:
            kind = "text/html; charset=utf-8"
            self.assertEqual(
                (page["Content-Type"], page["X-Frame-Options"]), (kind, "DENY")
            )
            self.assertEqual(page["Cache-Control"], "no-store")
            style = re.search(r"<style>(.*)</style>", text(page), re.DOTALL)
            assert style is not None
            known = b64encode(sha256(style[1].encode()).digest()).decode()
            self.assertEqual(
                page["Content-Security-Policy"],
                f"default-src 'none'; style-src 'sha256-{known}'; base-uri 'none';"
                " form-action 'self'; frame-ancestors 'none'",
            )

    def test_the_projects_own_style_is_known_by_its_hash(self) -> None:
        """HDR-02"""
        with TemporaryDirectory() as folder:
            style = Path(folder, "accounts", "style.css")
            style.parent.mkdir()
            style.write_text("p { color: red }\n")
            self.use(TEMPLATES=[ENGINE | {"DIRS": [folder]}])
            page = self.browser().open("/auth/login")
        known = b64encode(sha256(b"p { color: red }\n").digest()).decode()
        self.assertIn(f"'sha256-{known}'", page["Content-Security-Policy"])
        self.assertContains(page, "<style>p { color: red }\n</style>")

    def test_pages_that_cannot_be_found_end_the_start(self) -> None:
        """CFG-01"""
        checks.refuse_lost_pages()
        self.use(TEMPLATES=[ENGINE | {"APP_DIRS": False}])
        self.assertRaises(ImproperlyConfigured, checks.refuse_lost_pages)

    def test_a_mailed_link_leaves_its_page_by_the_form_alone(self) -> None:
        """RST-07, RST-05, RST-01"""
        self.member()
        browser = self.browser()
        browser.submit("/auth/password/forgot", {"email": ADA})
        token = self.token(ADA)
        page = browser.open(f"/auth/password/reset?token={token}")
        self.assertEqual(page["Referrer-Policy"], "no-referrer")
        self.assertEqual(text(page).count(token), 1)
        self.assertIn(
            f'<input type="hidden" name="token" value="{token}">', inputs(page)
        )
        links = re.findall(r'(?:href|action)="([^"]*)"', text(page))
        self.assertTrue(all(link[0] in "/#" for link in links), links)
        short = {"token": token, "password": "short"}
        self.assertEqual(browser.submit("/auth/password/reset", short).status_code, 422)
        new = {"token": token, "password": OTHER_PASSWORD}
        answer = browser.submit("/auth/password/reset", new)
        self.assertLeads(answer, "/auth/login?done=password-changed")
        again = browser.submit("/auth/password/reset", new)
        self.assertContains(again, "does not work any more", status_code=400)
        self.assertNotIn(token, text(again))

    def test_confirming_elsewhere_takes_the_password(self) -> None:
        """OIC-21"""
        self.browser("192.0.2.66").submit(
            "/auth/register", {"email": ADA, "password": PASSWORD}
        )
        owner, token = self.browser(), self.token(ADA)
        self.assertContains(
            owner.open(f"/auth/verify?token={token}"), 'type="password"'
        )
        for wrong, status in ((None, 422), (OTHER_PASSWORD, 401)):
            fields = {"token": token} | ({"password": wrong} if wrong else {})
            answer = owner.submit("/auth/verify", fields)
            self.assertEqual(answer.status_code, status)
        self.assertIsNone(User.objects.get().verified_at)
        answer = owner.submit("/auth/verify", {"token": token, "password": PASSWORD})
        self.assertLeads(answer, "/auth/login?done=address-confirmed")

    def test_passwords_are_not_put_back_and_managers_find_their_fields(self) -> None:
        """PWD-10, PWD-11"""
        ada = self.member()
        browser = self.browser()
        pages = [
            browser.open("/auth/login"),
            browser.open("/auth/register"),
            ada.open("/auth/password"),
            ada.open("/auth/reauth"),
            self.sign_in(browser, password=OTHER_PASSWORD),
            browser.submit(
                "/auth/register", {"email": "x", "password": OTHER_PASSWORD}
            ),
            ada.submit(
                "/auth/password",
                {"current_password": OTHER_PASSWORD, "new_password": "short"},
            ),
        ]
        for page in pages:
            self.assertNotIn(OTHER_PASSWORD, text(page))
            masked = [tag for tag in inputs(page) if 'type="password"' in tag]
            self.assertTrue(masked)
            for tag in masked:
                self.assertRegex(tag, 'autocomplete="(current|new)-password"')
                self.assertNotRegex(tag, " (value|maxlength|pattern)=")
            self.assertIn('autocomplete="username"', text(page))

    def test_forms_tell_no_account_from_none(self) -> None:
        """REG-01, REG-02"""
        self.member()
        for address in (
            "/auth/register",
            "/auth/password/forgot",
            "/auth/verify/resend",
        ):
            for email in (ADA, "new@example.org"):
                fields = {"email": email, "password": PASSWORD}
                answer = self.browser().submit(address, fields)
                self.assertLeads(answer, "/auth/mailbox")
        told = []
        for email in (ADA, "eve@example.org"):
            page = self.sign_in(self.browser(), email=email, password=OTHER_PASSWORD)
            self.assertEqual(page.status_code, 401)
            told.append(HIDDEN_TOKEN.sub("", text(page)).replace(email, "somebody"))
        self.assertEqual(*told)

    def test_what_was_sent_is_escaped_or_not_repeated(self) -> None:
        """RED-03, INP-06"""
        marked = '"><script>marked</script>'
        browser = self.browser()
        page = browser.submit("/auth/register", {"email": marked, "password": PASSWORD})
        self.assertContains(page, "&quot;&gt;&lt;script&gt;marked", status_code=422)
        for address in (
            "/auth/login?done=",
            "/auth/login?next=",
            "/auth/verify?token=",
        ):
            self.assertNotIn("marked", text(browser.open(address + marked)))
        self.assertNotIn("marked", text(browser.open(f"/auth/{marked}")))

    def test_forms_are_readable_small_and_name_each_field_once(self) -> None:
        """INP-02, INP-03, INP-05"""
        self.member()
        form = {
            "Accept": "text/html",
            "Content_Type": "application/x-www-form-urlencoded",
        }
        right = f"email={ADA}&password={PASSWORD.replace(' ', '+')}"
        for body, status in [
            ("", 422),
            (f"{right}&email=bob@example.org", 422),
            (f"{right}&a=1&a=1", 422),
            (f"{right}%ff", 422),
            (f"{right}&x={'a' * 70_000}", 413),
        ]:
            with self.subTest(body=body[:60]):
                answer = self.browser().send("POST", "/auth/login", body, **form)
                self.assertEqual(answer.status_code, status)
        answer = self.browser().submit(f"/auth/login?{right}")
        self.assertEqual(answer.status_code, 422)
        answer = self.browser().send("POST", "/auth/login", right, **form)
        self.assertLeads(answer, "/auth/account")

    def test_a_page_says_how_long_to_wait(self) -> None:
        """THR-01"""
        self.member()
        for _ in range(self.configured.policy.login_failures):
            self.sign_in(self.browser(), password=OTHER_PASSWORD)
        answer = self.sign_in(self.browser())
        self.assertEqual(answer.status_code, 429)
        wait = duration(int(answer["Retry-After"]))
        self.assertContains(answer, f"Wait {wait}, then", status_code=429)
        self.assertEqual((duration(1), duration(91)), ("1 second", "2 minutes"))
        self.assertEqual((duration(3_600), duration(5_401)), ("60 minutes", "2 hours"))

    def test_signing_out_ends_the_session(self) -> None:
        """SES-08, CKE-01"""
        browser = self.browser()
        self.member()
        answer = self.sign_in(browser)
        cookie = answer.cookies["__Host-auth-session"]
        self.assertTrue(cookie["secure"] and cookie["httponly"])
        self.assertEqual(cookie["samesite"], "Lax")
        session = browser.session
        answer = browser.submit("/auth/logout")
        self.assertLeads(answer, "/auth/login?done=signed-out")
        self.assertIn("cookies", answer["Clear-Site-Data"])
        browser.session = session
        self.assertEqual(browser.get("/mine").status_code, 401)

    def test_the_address_is_changed_by_who_asked(self) -> None:
        """EML-06, EML-07"""
        ada, new = self.member(), "new@example.org"
        answer = ada.submit("/auth/email", {"email": new})
        self.assertLeads(answer, "/auth/account?done=address-mailed")
        link = f"/auth/email/confirm?token={self.token(new)}"
        stranger = self.member("bob@example.org", "192.0.2.2")
        self.assertEqual(stranger.open(link).status_code, 400)
        self.assertContains(ada.open(link), new)
        answer = ada.submit("/auth/email/confirm", {"token": self.token(new)})
        self.assertLeads(answer, "/auth/account?done=address-changed")
        self.assertTrue(User.objects.filter(email=new).exists())

[%- if module.tokens %]

    def test_programs_are_on_the_page_of_devices(self) -> None:
        """SES-12, SES-13, CSR-01, INP-06"""
        ada, fields = self.member(), {"grant": "session", "device": "<b>phone</b>"}
        token = ada.post("/auth/token", fields).json()["access_token"]
        page = ada.open("/auth/sessions")
        self.assertContains(page, "&lt;b&gt;phone")
        self.assertNotContains(page, fields["device"])
        family = TokenFamily.objects.get().pk
        revoke = f"/auth/devices/{family}/revoke"
        self.assertContains(page, f'action="{revoke}"')
        self.assertEqual(ada.submit(revoke, X_CSRFToken=None).status_code, 403)
        bearer = {"Authorization": f"Bearer {token}"}
        self.assertEqual(ada.get("/auth/token/me", **bearer).status_code, 200)
        fresh = Session.objects.get().authenticated_at
        self.grow_old()
        answer = ada.submit(revoke)
        self.assertLeads(answer, "/auth/reauth?next=%2Fauth%2Fsessions")
        Session.objects.update(authenticated_at=fresh)
        answer = ada.submit(revoke)
        self.assertLeads(answer, "/auth/sessions?done=device-signed-out")
        answer = ada.submit(revoke)
        self.assertLeads(answer, "/auth/sessions?done=device-unknown")
        answer = ada.get("/auth/token/me", Accept="text/html", **bearer)
        self.assertRefused(answer, 401, "token_invalid")
[%- endif %]

    def test_links_name_this_origin(self) -> None:
        """RST-04"""
        self.browser().submit("/auth/register", {"email": ADA, "password": PASSWORD})
        self.assertIn(f"{ORIGIN}/auth/verify?token=", self.letter(ADA))
