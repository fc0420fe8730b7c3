"""The way to a provider and back."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

from django.test import SimpleTestCase
from django.utils import timezone

from accounts import conf
from accounts.local_path import is_local_path
from accounts.models import Identity, OidcTransaction
from accounts.oidc.calls import Line, line
from accounts.oidc.failure import Unavailable
from accounts.oidc.metadata import CONFIGURATION
from accounts.oidc.presets import PRESETS[% if 'apple' in providers %], Preset[% endif %]
from accounts.oidc.question import authorize_at
from accounts.oidc.settings import is_safe
from accounts.variables import SettingError

from .provider import CLIENT, SECRET, Instead, parameters
from .site import ENVIRONMENT, ORIGIN
from .world import TRANSACTION, WorldTestCase, changed


class Questions(WorldTestCase):
    def test_null_is_no_way_back_that_was_left_out(self) -> None:
        """INP-04"""
        answer = self.browser().post("/auth/oidc/test/start", {"next": None})
        self.assertRefused(answer, 422, "invalid_fields")

    def test_what_is_asked_is_complete_and_fresh(self) -> None:
        """OIC-01, OIC-07"""
        seen = set[str]()
        for number in range(3):
            answer = self.browser(f"192.0.2.{number}").post(
                "/auth/oidc/test/start", {}, X_Forwarded_Host="evil.test"
            )
            asked = parameters(answer.json()["location"])
            self.assertEqual(asked["response_type"], "code")
            self.assertEqual(asked["redirect_uri"], f"{ORIGIN}/auth/oidc/test/callback")
            self.assertEqual(asked["scope"], "openid email")
            self.assertEqual(asked["code_challenge_method"], "S256")
            self.assertEqual(asked["client_id"], CLIENT)
            self.assertNotIn("secret", answer.content.decode())
            for name in ("state", "nonce", "code_challenge"):
                self.assertEqual(len(asked[name]), 43, name)
                seen.add(asked[name])
        self.assertEqual(len(seen), 9)

    def test_a_browser_has_few_open(self) -> None:
        """OIC-04, THR-08"""
        browser = self.browser()
        for _ in range(8):
            self.begin(browser)
        self.assertEqual(OidcTransaction.objects.count(), 5)
        browser.client.cookies[TRANSACTION] = "made-up"
        self.begin(browser)
        self.assertNotEqual(browser.client.cookies[TRANSACTION].value, "made-up")

    def test_the_cookie_is_bound_to_the_host(self) -> None:
        """CKE-01, CKE-02, CKE-03, CKE-04"""
        browser = self.browser()
        self.begin(browser)
        morsel = browser.client.cookies[TRANSACTION]
        self.assertTrue(morsel["secure"] and morsel["httponly"])
        self.assertEqual(
            [morsel[name] for name in ("path", "domain", "samesite", "max-age")],
            ["/", "", "Lax", 600],
        )

    def test_a_source_begins_so_many_sign_ins(self) -> None:
        """THR-02"""
        self.change(login_source=2)
        for ip, status in (("1", 200), ("1", 200), ("1", 429), ("2", 200)):
            browser = self.browser(f"192.0.2.{ip}")
            answer = browser.post("/auth/oidc/test/start", {})
            self.assertEqual(answer.status_code, status)

    def test_only_this_site_begins_one(self) -> None:
        """CSR-01, CSR-02"""
        for headers in (
            {"Origin": "https://evil.test", "Sec_Fetch_Site": None},
            {"Sec_Fetch_Site": "cross-site"},
            {"X_CSRFToken": "a" * 64},
        ):
            with self.subTest(headers=headers):
                path = "/auth/oidc/test/start"
                answer = self.browser().post(path, {}, **headers)
                self.assertRefused(answer, 403, "foreign_request")
                self.assertFalse(OidcTransaction.objects.exists())

    def test_only_a_path_of_this_site_is_gone_to(self) -> None:
        """RED-01, RED-02"""
        for path in ("/", "/a/", "/a?b=//c", "/a/b#c"):
            self.assertTrue(is_local_path(path), path)
        for path in (
            "",
            "a",
            "//evil.test",
            "/\\evil.test",
            "/a/../b",
            "/%2e%2e/x",
            "/%2f/x",
            "/a\t",
            "https://evil.test",
            "/" + "a" * 2_048,
        ):
            self.assertFalse(is_local_path(path), path)
        for wish, there in (("/notes?a=1", "/notes?a=1"), ("//evil.test", "/")):
            browser = self.browser()
            answer = browser.post("/auth/oidc/test/start", {"next": wish})
            path = self.provider.consents(answer.json()["location"])
            self.assertEqual(self.comes_back(browser, path)["Location"], there)


class Answers(WorldTestCase):
    def test_without_its_state_an_answer_is_none(self) -> None:
        """OIC-02"""
        self.provider.is_lax = True
        other = parameters(self.begin(self.browser()))["state"]
        for number, change in enumerate([None, "", "short", other, "longer"]):
            browser = self.browser(f"192.0.2.{number + 10}")
            path = self.returning(browser)
            state = parameters(path)["state"]
            wrong = {"short": state[:-1], "longer": state + "A"}
            self.refuses_unasked(
                browser, changed(path, state=wrong.get(change or "", change))
            )
            self.assertEqual(self.comes_back(browser, path).status_code, 303)

    def test_an_answer_belongs_to_the_browser_that_began(self) -> None:
        """OIC-03"""
        self.provider.is_lax = True
        for has_begun in (False, True):
            victim = self.browser("192.0.2.5")
            path = self.returning(self.browser("192.0.2.66"))
            if has_begun:
                self.begin(victim)
            self.refuses_unasked(victim, path)

    def test_an_answer_counts_once_and_not_for_long(self) -> None:
        """OIC-04"""
        self.provider.is_lax = True
        browser = self.browser()
        for spoilt in ({}, {"error": "access_denied"}, {"code": ""}):
            path = self.returning(browser)
            answer = self.comes_back(browser, changed(path, **spoilt))
            self.assertEqual(answer.status_code, 400 if spoilt else 303)
            browser.post("/auth/logout", {})
            self.refuses_unasked(browser, path)
        path = self.returning(browser)
        OidcTransaction.objects.update(expires_at=timezone.now())
        self.refuses_unasked(browser, path)

    def test_an_answer_is_of_the_provider_that_was_asked(self) -> None:
        """OIC-05"""
        self.provider.is_lax = self.other.is_lax = True
        browser = self.browser()
        path = changed(self.returning(browser), iss=None)
        self.refuses_unasked(browser, path.replace("/test/", "/other/"))
        self.assertEqual(self.other.count("/token"), 0)

    def test_an_answer_says_whose_it_is(self) -> None:
        """OIC-06"""
        browser, issuer = self.browser(), self.provider.issuer
        for iss in (None, "https://evil.test", issuer + "/", issuer.upper()):
            self.refuses_unasked(browser, changed(self.returning(browser), iss=iss))
        names_itself = "authorization_response_iss_parameter_supported"
        self.provider.lies(describe=lambda said: said | {names_itself: False})
        self.restart()
        path = self.returning(browser)
        self.refuses_unasked(browser, changed(path, iss="https://evil.test"))
        path = changed(self.returning(browser), iss=None)
        self.assertEqual(self.comes_back(browser, path).status_code, 303)

    def test_a_code_of_another_sign_in_is_none(self) -> None:
        """OIC-07"""
        browser = self.browser()
        theirs = parameters(self.returning(self.browser("192.0.2.66")))["code"]
        path = changed(self.returning(browser), code=theirs)
        self.assertRefused(self.comes_back(browser, path), 400, "oidc_refused")
        self.assertIsNone(self.me(browser))
        (_, form) = self.provider.log[-1]
        verifier = parameters(f"?{form.split(' ')[0]}")["code_verifier"]
        self.assertEqual(len(verifier), 43)

    def test_nothing_of_the_provider_reaches_the_browser(self) -> None:
        """OIC-24, OIC-27"""
        browser = self.browser()
        answer = self.sign_in(browser)
        self.assertEqual(answer["Location"], "/")
        self.assertEqual(answer["Referrer-Policy"], "no-referrer")
        self.assertEqual(answer["Cache-Control"], "no-store")
        everything = f"{answer.headers} {browser.client.cookies}"
        for path in ("/auth/me", "/auth/identities", "/auth/export"):
            everything += browser.get(path).content.decode()
        everything += str(list(Identity.objects.values()))
        everything += str(list(OidcTransaction.objects.values()))
        self.assertNotIn("sentinel", everything)
        self.assertNotIn(SECRET, everything)

    def test_an_answer_that_is_no_code_signs_nobody_in(self) -> None:
        """OIC-25"""
        browser = self.browser()
        self.provider.is_lax = True
        for spoil in ("&error=access_denied", "&code=other", "&state=other", "&iss=x"):
            self.refuses_unasked(browser, self.returning(browser) + spoil)
        path = changed(self.returning(browser), code="")
        answer = self.comes_back(browser, path)
        self.assertRefused(answer, 400, "oidc_refused")

    def test_a_token_endpoint_that_talks_nonsense_signs_nobody_in(self) -> None:
        """OIC-25"""
        bearer = b'{"access_token": "a", "token_type": "Bearer"'
        for number, instead in enumerate(
            [
                Instead(400, b'{"error": "invalid_grant"}'),
                Instead(200, b'{"error": "invalid_grant"}'),
                Instead(401, b'{"error": "invalid_client"}'),
                Instead(200, b"<html>"),
                Instead(200, b""),
                Instead(200, bearer + b"}"),
                Instead(200, bearer + b', "id_token": 7}'),
                Instead(200, b'{"access_token": "a", "token_type": "mac"}'),
                Instead(200, b'{"access_token": "a\\nb", "token_type": "Bearer"}'),
            ]
        ):
            with self.subTest(body=instead.body):
                browser = self.browser(f"192.0.2.{number}")
                path = self.returning(browser)
                self.provider.instead = {"/token": instead}
                self.assertIn(self.comes_back(browser, path).status_code, (400, 502))
                self.assertIsNone(self.me(browser))
                self.provider.instead = {}
                self.refuses_unasked(browser, path)
[%- if 'apple' in providers %]

    def test_a_posted_answer_does_nothing_by_itself(self) -> None:
        """OIC-25, CSR-03"""
        browser = self.browser()
        path, _, query = self.returning(browser).partition("?")
        form = "application/x-www-form-urlencoded"
        foreign = {"Host": "app.test", "Origin": "https://appleid.apple.com"}
        post = self.browser().client.post
        answer = post(path, query, content_type=form, headers=foreign)
        self.assertEqual(answer.status_code, 405)
        self.restart(Preset(id="test", name="Test", form_post=True))
        location = self.begin(browser)
        self.assertEqual(parameters(location)["response_mode"], "form_post")
        path, _, query = self.provider.consents(location).partition("?")
        posted = f"{query}&user=evil"
        answer = post(path, posted, content_type=form, headers=foreign)
        self.assertEqual(answer.status_code, 303)
        self.assertTrue(answer["Location"].startswith(f"{path}?"))
        self.assertNotIn("evil", answer["Location"])
        self.assertEqual(self.provider.count("/token"), 0)
        answer = self.comes_back(browser, answer["Location"])
        self.assertEqual(answer.status_code, 303)
        self.assertEqual(self.me(browser)["amr"], ["fed"])
[%- endif %]


class Calls(WorldTestCase):
    def test_no_call_follows_a_redirect(self) -> None:
        """OIC-18"""
        for path in (CONFIGURATION, "/keys", "/token"):
            self.restart()
            browser = self.browser()
            back = self.returning(browser) if path == "/token" else None
            there = {"Location": f"https://elsewhere.test{path}"}
            self.provider.instead = {path: Instead(307, headers=there)}
            answer = (
                self.comes_back(browser, back)
                if back
                else browser.post("/auth/oidc/test/start", {})
            )
            self.assertRefused(answer, 502, "provider_unavailable")
            self.provider.instead = {}
        self.assertEqual(self.elsewhere.log, [])

    def test_many_wait_for_a_dead_provider_once(self) -> None:
        """OIC-18, CFG-07"""
        self.provider.instead = {CONFIGURATION: Instead(500, seconds=1)}
        client, anew = self.configured.oidc.providers["test"], Line()

        def start(_turn: int) -> bool:
            try:
                anew.ask(lambda oidc: authorize_at(oidc, client))
            except Unavailable:
                return True
            return False

        with ThreadPoolExecutor(5) as pool:
            self.assertTrue(all(pool.map(start, range(5))))
        self.assertEqual(self.provider.count(CONFIGURATION), 1)
        self.provider.instead = {}
        # Whoever comes later asks again.
        self.assertEqual(self.sign_in(self.browser()).status_code, 303)

    def test_a_process_that_is_forked_later_asks_by_itself(self) -> None:
        client = self.configured.oidc.providers["test"]

        def ask() -> None:
            line.ask(lambda oidc: authorize_at(oidc, client))

        ask()
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            failed = 1
            try:
                ask()
                failed = 0
            finally:
                os._exit(failed)
        _, status = os.waitpid(child, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), 0)

    def test_a_slow_or_endless_provider_costs_little(self) -> None:
        """OIC-18"""
        self.restart(timeout=1)
        for instead in (Instead(seconds=60), Instead(is_endless=True), Instead(500)):
            browser = self.browser()
            path = self.returning(browser)
            self.provider.instead = {"/token": instead}
            begun = time.monotonic()
            answer = self.comes_back(browser, path)
            self.assertRefused(answer, 502, "provider_unavailable")
            self.assertLess(time.monotonic() - begun, 5)
            self.provider.instead = {}


class Settings(SimpleTestCase):
    def test_a_provider_has_tls(self) -> None:
        """OIC-18, CFG-03"""
        self.assertTrue(is_safe("https://id.test", development=False))
        for address in (
            "http://id.test",
            "http://127.0.0.1:4000",
            "ftp://id.test",
            "https://",
            "id.test",
        ):
            self.assertFalse(is_safe(address, development=False), address)
        self.assertTrue(is_safe("http://127.0.0.1:4000", development=True))

    def test_a_provider_that_is_not_safe_keeps_it_from_starting(self) -> None:
        """CFG-01, CFG-03"""
        preset = PRESETS[0]
        read = conf.from_environment
        self.assertIn(preset.id, read(ENVIRONMENT).oidc.providers)
        client = preset.variable("CLIENT_ID")
        left = {name: value for name, value in ENVIRONMENT.items() if name != client}
        with self.assertRaisesRegex(SettingError, client):
            read(left)
        wrong = {"AUTH_OIDC_CA_FILE": "/dev/null", "AUTH_OIDC_TIMEOUT_SECONDS": "6"}
[%- if providers | length > 1 or 'github' not in providers %]
        issued = next(one for one in PRESETS if one.id != "github").variable("ISSUER")
        for value in ("http://id.test", "https://id.test?x", "https://a@id.test", "id"):
            with self.assertRaisesRegex(SettingError, issued):
                read(ENVIRONMENT | {issued: value})
[%- endif %]
        for name, value in wrong.items():
            with self.assertRaisesRegex(SettingError, name):
                read(ENVIRONMENT | {name: value})
