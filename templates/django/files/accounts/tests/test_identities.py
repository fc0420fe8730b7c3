"""Whose account an identity opens, and what it opens there."""

[% if 'github' in providers -%]
import json

[% endif -%]
from accounts import operator
from accounts.models import Session, [% if module.tokens %]TokenFamily, [% endif %]User
[%- if 'github' in providers %]
from accounts.oidc.endpoints import Endpoints
[%- endif %]
from accounts.oidc.presets import Preset
from accounts.oidc.underway import now

from .provider import [% if 'github' in providers %]Instead, [% endif %]parameters
from .world import WorldTestCase


class Identities(WorldTestCase):
    def test_an_account_is_found_by_issuer_and_subject(self) -> None:
        """OIC-19"""
        ada = self.me(self.federated())["id"]
        self.provider.is_("s-ada", "moved@example.org")
        browser = self.browser()
        self.assertEqual(self.sign_in(browser).status_code, 303)
        self.assertEqual(self.me(browser)["id"], ada)
        for sub in ("s-eve", "S-ADA", " s-ada"):
            self.provider.is_(sub, "ada@example.org", preferred_username="s-ada")
            answer = self.sign_in(self.browser())
            self.assertRefused(answer, 409, "account_exists")
        self.other.is_("s-ada", "eve@example.org")
        browser = self.browser()
        path = self.other.consents(self.begin(browser, "other"))
        self.assertEqual(self.comes_back(browser, path).status_code, 303)
        self.assertNotEqual(self.me(browser)["id"], ada)

    def test_nothing_is_linked_by_an_address(self) -> None:
        """OIC-20"""
        self.member()
        for number, said in enumerate([True, False, "true", "false", 1, None, ""]):
            with self.subTest(said=said):
                self.provider.is_("s-ada", "ada@example.org", email_verified=said)
                browser = self.browser(f"192.0.2.{number}")
                self.assertIn(self.sign_in(browser).status_code, (403, 409))
                self.assertIsNone(self.me(browser))
        self.provider.is_("s-new", "new@example.org", email_verified="true")
        self.assertRefused(self.sign_in(self.browser()), 403, "email_unverified")
        self.assertEqual(self.identities(), [])

    def test_what_a_stranger_set_up_does_not_survive(self) -> None:
        """OIC-21"""
        stranger = self.browser("192.0.2.66")
        stranger.register("ada@example.org")
        token = self.token("ada@example.org")
        owner = self.federated()
        answer = stranger.login("ada@example.org")
        self.assertRefused(answer, 401, "invalid_credentials")
        answer = stranger.post("/auth/verify", {"token": token})
        self.assertRefused(answer, 400, "token_invalid")
        self.assertEqual(self.me(owner)["amr"], ["fed"])

    def test_linking_is_asked_for_and_for_who_asked(self) -> None:
        """OIC-22"""
        answer = self.browser().post("/auth/oidc/test/link", {})
        self.assertRefused(answer, 401, "not_signed_in")
        ada = self.member()
        self.provider.is_("s-ada", "elsewhere@example.org")
        path = self.returning(ada, "link")
        # Somebody else signs in in the same browser meanwhile.
        eve = self.member("eve@example.org", "192.0.2.9")
        own, ada.session = ada.session, eve.session
        self.assertRefused(self.comes_back(ada, path), 400, "oidc_refused")
        self.assertEqual(self.linked(eve), [])
        ada.session = own
        path = self.returning(ada, "link")
        self.assertEqual(self.comes_back(ada, path).status_code, 303)
        self.assertEqual(self.linked(ada), ["test"])
        self.assertIn("added", self.letter("ada@example.org", "about"))
        # It is never moved.
        answer = self.comes_back(eve, self.returning(eve, "link"))
        self.assertRefused(answer, 409, "identity_taken")
        self.assertEqual((self.linked(ada), self.linked(eve)), (["test"], []))
        answer = eve.delete("/auth/oidc/test/link")
        self.assertRefused(answer, 404, "identity_unknown")
        self.assertEqual(self.sign_in(self.browser()).status_code, 303)

    def test_a_sign_in_links_nothing(self) -> None:
        """OIC-22"""
        ada = self.member()
        self.provider.is_("s-new", "new@example.org")
        self.assertEqual(self.sign_in(ada).status_code, 303)
        self.assertEqual(self.me(ada)["email"], "new@example.org")

    def test_the_last_way_in_stays(self) -> None:
        """OIC-23, SES-10"""
        browser = self.federated()
        answer = browser.delete("/auth/oidc/test/link")
        self.assertRefused(answer, 409, "last_login_method")
        path = self.other.consents(self.begin(browser, "other", "link"))
        self.assertEqual(self.comes_back(browser, path).status_code, 303)
        left = self.federated()
        self.assertEqual(left.delete("/auth/oidc/test/link").status_code, 204)
        answer = left.delete("/auth/oidc/other/link")
        self.assertRefused(answer, 409, "last_login_method")
        self.assertIsNotNone(self.me(left))
        self.assertIsNone(self.me(browser))

    def test_what_a_provider_says_is_not_believed(self) -> None:
        """OIC-28"""
        more = {"role": "admin", "id": "x", "password": "x", "name": "n" * 10_000}
        self.provider.is_("s-ada", "ada@example.org", is_superuser=True, **more)
        browser = self.browser()
        self.assertEqual(self.sign_in(browser).status_code, 303)
        self.assertNotEqual(self.me(browser)["id"], "x")
        self.assertFalse(User.objects.get().is_superuser)
        for number, email in enumerate(["a@x.test,b@y.test", "<x>", "a@x.test\0"]):
            self.provider.is_(f"s-{number}", email)
            answer = self.sign_in(self.browser())
            self.assertRefused(answer, 403, "email_unverified")
[%- if 'github' in providers %]

    def test_an_api_says_who_somebody_is_by_number(self) -> None:
        """OIC-14, OIC-19"""
        endpoints = Endpoints(
            authorize="https://id.test/authorize",
            token="https://id.test/token",
            user="https://id.test/user",
            emails="https://id.test/emails",
        )
        self.restart(
            Preset(
                id="test",
                name="Test",
                secret_in_body=True,
                reauth=False,
                endpoints=endpoints,
            )
        )
        addresses = [
            {"email": "first@example.org", "primary": False, "verified": True},
            {"email": "ada@example.org", "primary": True, "verified": True},
        ]
        browser = self.browser()
        for said, status in (
            ({"id": "7"}, 502),
            ({"login": "ada"}, 502),
            ({"id": 7, "login": "ada"}, 303),
        ):
            location = self.begin(browser)
            self.assertNotIn("nonce", parameters(location))
            # The stub notes one for its ID token, which nobody reads here.
            path = self.provider.consents(f"{location}&nonce=none")
            self.provider.instead = {
                "/user": Instead(body=json.dumps(said).encode()),
                "/emails": Instead(body=json.dumps(addresses).encode()),
            }
            self.assertEqual(self.comes_back(browser, path).status_code, status)
        self.assertEqual(self.me(browser)["email"], "ada@example.org")
        self.assertEqual([one.subject for one in self.identities()], ["7"])
        (_, form) = next(call for call in self.provider.log if call[0] == "/token")
        self.assertIn("client_secret=", form)
[%- endif %]


class Federated(WorldTestCase):
    def test_a_sign_in_is_a_session_of_its_own(self) -> None:
        """SES-03, SES-11"""
        ada = self.federated()
        first = ada.session
        self.assertEqual(self.sign_in(ada).status_code, 303)
        thief = self.browser()
        thief.session = first
        self.assertIsNone(self.me(thief))
        operator.act("disable", "ada@example.org")
        self.assertIsNone(self.me(ada))
        self.assertRefused(self.sign_in(self.browser()), 400, "oidc_refused")

    def test_a_session_is_as_fresh_as_the_sign_in_there(self) -> None:
        """SES-13"""
        browser = self.browser()
        for auth_time in (now() - 7_200, None, now() + 999):
            with self.subTest(auth_time=auth_time):
                self.provider.is_("s-ada", "ada@example.org", auth_time=auth_time)
                browser = self.browser()
                self.assertEqual(self.sign_in(browser).status_code, 303)
                self.assertRefused(browser.get("/fresh"), 403, "reauth_required")
                answer = browser.delete("/auth/oidc/test/link")
                self.assertRefused(answer, 403, "reauth_required")
        asked = parameters(self.begin(browser, what="reauth"))
        self.assertEqual((asked["prompt"], asked["max_age"]), ("login", "0"))
        self.provider.is_("s-ada", "ada@example.org", auth_time=now() - 300)
        path = self.returning(browser, "reauth")
        self.assertRefused(self.comes_back(browser, path), 400, "oidc_refused")
        self.provider.is_("s-ada", "ada@example.org")
        before, path = browser.session, self.returning(browser, "reauth")
        self.assertEqual(self.comes_back(browser, path).status_code, 303)
        self.assertNotEqual(browser.session, before)
        self.assertEqual(browser.get("/fresh").status_code, 200)
        self.provider.is_("s-eve", "eve@example.org")
        path = self.returning(browser, "reauth")
        self.assertRefused(self.comes_back(browser, path), 400, "oidc_refused")

    def test_a_provider_that_never_says_when_counts_as_now(self) -> None:
        """SES-13"""
        self.restart(Preset(id="test", name="Test", reauth=False))
        self.provider.is_("s-ada", "ada@example.org", auth_time=None)
        browser = self.browser()
        self.assertNotIn("max_age", parameters(self.begin(browser)))
        self.assertEqual(self.sign_in(browser).status_code, 303)
        self.assertEqual(browser.get("/fresh").status_code, 200)
        answer = browser.post("/auth/oidc/test/reauth", {})
        self.assertRefused(answer, 409, "reauth_unsupported")

    def test_how_somebody_signed_in_stays_known(self) -> None:
        """SES-04"""
        ada = self.federated()
        self.assertEqual(self.me(ada)["amr"], ["fed"])
        ada.post("/auth/email", {"email": "moved@example.org"})
        answer = ada.post(
            "/auth/email/confirm", {"token": self.token("moved@example.org")}
        )
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(self.me(ada)["amr"], ["fed"])

    def test_an_account_is_exported_and_deleted(self) -> None:
        ada = self.federated()
        export = ada.get("/auth/export").json()
        self.assertEqual([one["provider"] for one in export["identities"]], ["test"])
        self.assertEqual(ada.delete("/auth/account").status_code, 204)
        self.assertFalse(User.objects.exists())
        self.assertFalse(Session.objects.filter(user__isnull=False).exists())
        self.assertEqual(self.identities(), [])
[%- if module.tokens %]

    def test_programs_are_as_fresh_as_the_sign_in_at_the_provider(self) -> None:
        """JWT-10, JWT-15, SES-10"""
        for auth_time, status in ((now(), 200), (now() - 7_200, 403)):
            with self.subTest(status=status):
                self.provider.is_("s-ada", "ada@example.org", auth_time=auth_time)
                ada = self.browser()
                self.assertEqual(self.sign_in(ada).status_code, 303)
                given = ada.post("/auth/token", {"grant": "session"}).json()
                bearer = {"Authorization": f"Bearer {given['access_token']}"}
                answer = self.browser().get("/api/fresh", **bearer)
                self.assertEqual(answer.status_code, status)
        self.assertEqual(set(TokenFamily.objects.values_list("amr")), {("fed",)})
        operator.act("revoke", "ada@example.org")
        answer = self.browser().get("/auth/token/me", **bearer)
        self.assertRefused(answer, 401, "token_invalid")
[%- endif %]
