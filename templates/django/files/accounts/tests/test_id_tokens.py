"""What an ID token must be to count."""

import json
import time
from collections.abc import Callable
from typing import Any

from accounts.models import OidcTransaction
from accounts.oidc.underway import now
from accounts.randomness import random

from .lies import (
    LIES,
    altered,
    brings_key,
    by_another,
    by_secret,
    cut,
    names_address,
    set_header,
    unsigned,
    zeros,
)
from .provider import CLIENT, SECRET, Draft, new_key, parameters
from .world import WorldTestCase


class IdTokens(WorldTestCase):
    def refuses(self, number: int) -> None:
        browser = self.browser(f"192.0.2.{number}")
        self.assertRefused(self.sign_in(browser), 400, "oidc_refused")
        self.assertIsNone(self.me(browser))

    def test_one_with_one_thing_wrong_is_none(self) -> None:
        """OIC-08, OIC-11, OIC-12, OIC-13, OIC-14"""
        self.provider.is_lax = True
        for control, lies in LIES.items():
            for number, lie in enumerate(lies):
                with self.subTest(control=control, number=number):
                    self.provider.lies(lie)
                    self.refuses(number)
        self.provider.lies()
        self.assertEqual(self.sign_in(self.browser()).status_code, 303)

    def test_clocks_may_differ_a_little(self) -> None:
        """OIC-13"""

        def late(draft: Draft) -> None:
            draft.claims.update(
                iat=now() - 30, exp=now() - 20, aud=[CLIENT], azp=CLIENT
            )

        self.provider.lies(late)
        self.assertEqual(self.sign_in(self.browser()).status_code, 303)

    def test_only_what_its_key_signed_counts(self) -> None:
        """OIC-09, OIC-10, OIC-16"""
        public = json.dumps(self.provider.keys[0].as_dict(private=False))
        pem = self.provider.keys[0].as_pem(private=False).decode()
        self.elsewhere.shown = {"keys": [new_key("one").as_dict(private=False)]}
        lies: list[Callable[[Draft], str]] = [altered, cut, by_another, zeros, unsigned]
        lies += [brings_key, names_address]
        lies += [by_secret(SECRET), by_secret(public), by_secret(pem)]
        for number, lie in enumerate(lies):
            with self.subTest(number=number):
                self.provider.lies(finish=lie)
                self.refuses(number)
        self.assertEqual(self.elsewhere.log, [])
        self.assertEqual(self.provider.count("/userinfo"), 0)

    def test_nothing_critical_is_understood(self) -> None:
        """JWT-05"""
        for number, critical in enumerate(([], ["x"], ["b64"], "x", None)):
            with self.subTest(critical=critical):
                self.provider.lies(set_header("crit", critical))
                self.refuses(number)

    def test_userinfo_is_of_whom_the_token_is_about(self) -> None:
        """OIC-14"""
        browser = self.browser()
        self.provider.is_("s-ada", None)
        self.provider.userinfo = {"sub": "victim", "email": "ada@example.org"}
        self.assertRefused(self.sign_in(browser), 400, "oidc_refused")
        self.provider.userinfo |= {"sub": "s-ada", "email_verified": True}
        self.assertEqual(self.sign_in(browser).status_code, 303)
        self.assertEqual(self.me(browser)["email"], "ada@example.org")

    def test_what_was_asked_for_must_be_said(self) -> None:
        """OIC-26"""
        self.restart(max_age=60, acr="urn:x:mfa")
        asked = parameters(self.begin(self.browser()))
        self.assertEqual((asked["max_age"], asked["acr_values"]), ("60", "urn:x:mfa"))
        said: list[tuple[dict[str, object], int]] = [
            ({"auth_time": now() - 10, "acr": "urn:x:mfa"}, 303),
            ({"auth_time": now() - 150, "acr": "urn:x:mfa"}, 400),
            ({"auth_time": None, "acr": "urn:x:mfa"}, 400),
            ({"auth_time": now() - 10, "acr": "urn:x:pwd"}, 400),
            ({"auth_time": now() - 10}, 400),
        ]
        for number, (claims, status) in enumerate(said):
            with self.subTest(claims=claims):
                self.provider.is_("s-ada", "ada@example.org", **claims)
                answer = self.sign_in(self.browser(f"192.0.2.{number}"))
                self.assertEqual(answer.status_code, status)


class Keys(WorldTestCase):
    def test_a_new_one_is_found_and_made_up_ones_cost_nothing(self) -> None:
        """OIC-15"""
        self.assertEqual(self.sign_in(self.browser()).status_code, 303)
        self.assertEqual(self.provider.count("/keys"), 1)
        self.provider.keys = [new_key("two")]
        self.assertEqual(self.sign_in(self.browser()).status_code, 303)
        self.assertEqual(self.provider.count("/keys"), 2)
        self.provider.lies(lambda draft: draft.header.update(kid=random(9)))
        for number in range(5):
            answer = self.sign_in(self.browser(f"192.0.2.{number}"))
            self.assertRefused(answer, 400, "oidc_refused")
        self.assertEqual(self.provider.count("/keys"), 2)

    def test_one_for_something_else_is_none(self) -> None:
        """OIC-15"""
        own = self.provider.keys[0].as_dict(private=False)
        for name, value in (("use", "enc"), ("alg", "ES384"), ("kid", "another")):
            with self.subTest(name=name):
                self.restart()
                self.provider.shown = {"keys": [own | {name: value}, {"kty": "?"}]}
                answer = self.sign_in(self.browser())
                self.assertRefused(answer, 400, "oidc_refused")
        self.provider.shown = None
        self.provider.lies(lambda draft: draft.header.pop("kid"))
        self.restart()
        self.assertEqual(self.sign_in(self.browser()).status_code, 303)
        self.provider.keys = [new_key("one"), new_key("two")]
        self.restart()
        self.assertRefused(self.sign_in(self.browser()), 400, "oidc_refused")

    def test_one_that_was_withdrawn_is_gone_in_time(self) -> None:
        """OIC-15"""
        self.restart(keys=1)
        self.assertEqual(self.sign_in(self.browser()).status_code, 303)
        self.provider.shown = {"keys": [new_key("one").as_dict(private=False)]}
        time.sleep(1.1)
        self.assertRefused(self.sign_in(self.browser()), 400, "oidc_refused")

    def test_a_description_of_another_issuer_is_none(self) -> None:
        """OIC-17"""
        lies: list[Callable[[dict[str, Any]], object]] = [
            lambda said: said | {"issuer": "https://evil.test"},
            lambda said: said | {"issuer": "https://id.test/"},
            lambda said: {k: v for k, v in said.items() if k != "issuer"},
            lambda said: [said],
            lambda said: said | {"authorization_endpoint": "http://id.test/authorize"},
        ]
        for number, lie in enumerate(lies):
            with self.subTest(number=number):
                browser = self.browser(f"192.0.2.{number}")
                self.provider.lies(describe=lie)
                answer = browser.post("/auth/oidc/test/start", {})
                self.assertRefused(answer, 502, "provider_unavailable")
                self.assertIn("https://other.test/", self.begin(browser, "other"))
        self.assertFalse(OidcTransaction.objects.filter(provider="test").exists())
