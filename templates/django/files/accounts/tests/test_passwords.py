"""Changing and resetting a password, and changing an address."""

from accounts.models import MailToken
from accounts.randomness import digest

from .site import OTHER_PASSWORD, PASSWORD, SiteTestCase


class Passwords(SiteTestCase):
    def test_a_change_takes_the_current_password_and_ends_other_sessions(self) -> None:
        """PWD-08, SES-04, SES-10, RST-08"""
        ada, elsewhere = self.member(), self.browser()
        self.assertEqual(elsewhere.login("ada@example.org").status_code, 200)
        before = ada.session
        wrong = {"current_password": OTHER_PASSWORD, "new_password": OTHER_PASSWORD}
        self.assertEqual(ada.post("/auth/password", wrong).status_code, 401)
        right = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
        self.assertEqual(
            ada.post("/auth/password", right).json(), {"status": "changed"}
        )
        self.assertNotEqual(ada.session, before)
        self.assertEqual(ada.get("/mine").status_code, 200)
        self.assertEqual(elsewhere.get("/mine").status_code, 401)
        old = self.browser().login("ada@example.org", PASSWORD)
        self.assertEqual(old.status_code, 401)
        self.assertIn("was changed", self.letter("ada@example.org", "your account"))

    def test_a_reset_replaces_the_password_and_ends_every_session(self) -> None:
        """RST-01, RST-05, SES-10"""
        ada, stranger = self.member(), self.browser("192.0.2.2")
        self.empty_mailbox()
        stranger.post("/auth/password/forgot", {"email": "ada@example.org"})
        token = self.token("ada@example.org")
        weak = {"token": token, "password": "short"}
        refused = stranger.post("/auth/password/reset", weak)
        self.assertRefused(refused, 422, "password_too_short")
        reset = {"token": token, "password": OTHER_PASSWORD}
        answer = stranger.post("/auth/password/reset", reset)
        self.assertEqual(answer.json(), {"status": "changed"})
        self.assertEqual(stranger.get("/mine").status_code, 401)
        self.assertEqual(ada.get("/mine").status_code, 401)
        again = stranger.post("/auth/password/reset", reset)
        self.assertRefused(again, 400, "token_invalid")
        new = stranger.login("ada@example.org", OTHER_PASSWORD)
        self.assertEqual(new.status_code, 200)

    def test_unknown_addresses_get_the_same_answer_and_no_mail(self) -> None:
        """REG-04"""
        self.member()
        self.empty_mailbox()
        browser = self.browser("192.0.2.2")
        known = browser.post("/auth/password/forgot", {"email": "ada@example.org"})
        unknown = browser.post("/auth/password/forgot", {"email": "no@example.org"})
        self.assertEqual(
            (known.status_code, known.json()), (unknown.status_code, unknown.json())
        )
        self.assertEqual([m.to for m in self.mailbox()], [["ada@example.org"]])

    def test_links_name_the_configured_origin_whatever_the_host(self) -> None:
        """RST-04"""
        self.member()
        self.empty_mailbox()
        self.use(ALLOWED_HOSTS=["*"])
        fields = {"email": "ada@example.org"}
        self.browser().post("/auth/password/forgot", fields, Host="evil.test")
        letter = self.letter("ada@example.org")
        self.assertIn("https://app.test/auth/password/reset?token=", letter)
        self.assertNotIn("evil.test", letter)

    def test_another_host_is_not_answered(self) -> None:
        """RST-04, HDR-05"""
        answer = self.browser().get("/auth/me", Host="evil.test")
        self.assertRefused(answer, 400, "malformed_request")

    def test_a_link_for_one_purpose_does_not_serve_another(self) -> None:
        """EML-05, CKE-05"""
        self.member()
        self.empty_mailbox()
        browser = self.browser("192.0.2.2")
        browser.post("/auth/password/forgot", {"email": "ada@example.org"})
        token = self.token("ada@example.org")
        answer = browser.post("/auth/verify", {"token": token})
        self.assertRefused(answer, 400, "token_invalid")

    def test_the_database_holds_the_hash_of_a_link(self) -> None:
        """EML-02"""
        self.browser().register("ada@example.org")
        token = self.token("ada@example.org")
        self.assertEqual(MailToken.objects.get().token_hash, digest(token))
        self.assertEqual(len(token), 43)

    def test_a_second_link_voids_the_first(self) -> None:
        """RST-03"""
        self.member()
        browser, links = self.browser("192.0.2.2"), []
        for _ in range(2):
            self.empty_mailbox()
            browser.post("/auth/password/forgot", {"email": "ada@example.org"})
            links.append(self.token("ada@example.org"))
        old = {"token": links[0], "password": OTHER_PASSWORD}
        refused = browser.post("/auth/password/reset", old)
        self.assertRefused(refused, 400, "token_invalid")

    def test_an_address_changes_once_the_new_one_is_proven(self) -> None:
        """EML-06, EML-07"""
        ada = self.member()
        asked = ada.post("/auth/email", {"email": "new@example.org"})
        self.assertEqual(asked.status_code, 202)
        told = self.letter("ada@example.org", "your account")
        self.assertIn("another e-mail address", told)
        token = self.token("new@example.org")
        stranger = self.member("eve@example.org", "192.0.2.66")
        stolen = stranger.post("/auth/email/confirm", {"token": token})
        self.assertRefused(stolen, 400, "token_invalid")
        self.assertEqual(ada.get("/auth/me").json()["email"], "ada@example.org")
        self.assertEqual(
            ada.post("/auth/email/confirm", {"token": token}).status_code, 200
        )
        self.assertEqual(ada.get("/auth/me").json()["email"], "new@example.org")
        old = self.browser().login("ada@example.org")
        self.assertEqual(old.status_code, 401)

    def test_an_address_that_is_taken_is_told_by_mail_only(self) -> None:
        """EML-06, REG-01"""
        self.member("eve@example.org", "192.0.2.66")
        ada = self.member()
        self.empty_mailbox()
        asked = ada.post("/auth/email", {"email": "eve@example.org"})
        self.assertEqual(asked.status_code, 202)
        self.assertNotIn("token=", self.letter("eve@example.org"))

    def test_an_address_that_was_taken_meanwhile_is_not_taken_again(self) -> None:
        """EML-07"""
        ada = self.member()
        ada.post("/auth/email", {"email": "new@example.org"})
        token = self.token("new@example.org")
        self.empty_mailbox()
        self.member("new@example.org", "192.0.2.66")
        answer = ada.post("/auth/email/confirm", {"token": token})
        self.assertRefused(answer, 400, "token_invalid")
        self.assertEqual(ada.get("/auth/me").json()["email"], "ada@example.org")
