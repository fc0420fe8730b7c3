"""Sign-up, confirmation, sign-in, and what answers reveal."""

from django.contrib.auth.hashers import make_password
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import email_change
from accounts.models import User

from .site import OTHER_PASSWORD, PASSWORD, SiteTestCase


class Accounts(SiteTestCase):
    def test_an_account_is_confirmed_and_signed_in(self) -> None:
        """EML-01, SES-08"""
        ada = self.member()
        me = ada.get("/auth/me").json()
        self.assertEqual(
            (me["email"], me["email_verified"], me["amr"]),
            ("ada@example.org", True, ["pwd"]),
        )
        self.assertEqual(ada.get("/mine").json(), {"id": me["id"]})
        self.assertEqual(ada.post("/auth/logout").status_code, 204)
        self.assertEqual(ada.get("/mine").status_code, 401)

    def test_a_known_address_is_told_by_mail_only(self) -> None:
        """REG-01"""
        self.member()
        stranger = self.browser("192.0.2.2")
        new = stranger.register("new@example.org", OTHER_PASSWORD)
        known = stranger.register("ada@example.org", OTHER_PASSWORD)
        self.assertEqual(
            (new.status_code, new.json()), (known.status_code, known.json())
        )
        self.assertEqual(set(new.cookies), set(known.cookies))
        told = self.letter("ada@example.org", "you have an account")
        self.assertIn("has an account already", told)
        wrong = stranger.login("ada@example.org", OTHER_PASSWORD)
        self.assertEqual(wrong.status_code, 401)

    def test_a_known_address_is_not_written_to_the_log_of_the_database(self) -> None:
        """LOG-03: what a database refuses, it may log with what was sent"""
        self.member()
        with CaptureQueriesContext(connection) as asked:
            self.browser("192.0.2.2").register("ada@example.org", OTHER_PASSWORD)
        made = [query for query in asked if "argon2" in query["sql"]]
        self.assertEqual(made, [])

    def test_a_save_of_what_was_read_before_takes_nothing_back(self) -> None:
        """SES-10, RST-03"""
        self.member()
        old, new = User.objects.get(), make_password(OTHER_PASSWORD)
        User.objects.update(
            password=new,
            epoch=F("epoch") + 1,
            failed_logins=7,
            email="lovelace@example.org",
            verified_at=None,
            is_active=False,
        )
        old.is_staff = True
        old.save()
        self.assertEqual((old.password, old.epoch), (new, 1))
        now = User.objects.get()
        self.assertEqual((now.password, now.epoch), (new, 1))
        self.assertEqual((now.failed_logins, now.verified_at), (7, None))
        self.assertEqual(now.email, "lovelace@example.org")
        self.assertEqual((now.is_staff, now.is_active), (True, False))
        # What was changed in memory counts, also with what was read anew.
        now.refresh_from_db()
        now.verified_at = timezone.now()
        now.save()
        self.assertIsNotNone(User.objects.get().verified_at)

    def test_a_password_that_was_typed_in_meanwhile_ends_what_was_before(self) -> None:
        """SES-10, RST-03: as `manage.py changepassword` waits for it"""
        for fields in (None, ["password"]):
            with self.subTest(fields=fields):
                User.objects.all().delete()
                ada = self.member()
                waits = User.objects.get()
                User.objects.update(epoch=F("epoch") + 1)
                self.assertEqual(ada.get("/mine").status_code, 401)
                ada.login("ada@example.org")
                before = User.objects.get().epoch
                waits.set_password(OTHER_PASSWORD)
                waits.save(update_fields=fields)
                self.assertEqual(User.objects.get().epoch, before + 1)
                self.assertEqual(ada.get("/mine").status_code, 401)
                self.assertTrue(waits.check_password(OTHER_PASSWORD))
                waits.save()
                self.assertEqual(User.objects.get().epoch, before + 1)

    def test_a_link_is_not_written_for_a_session_that_ended(self) -> None:
        """EML-05, SES-10"""
        self.member()
        user = User.objects.get()
        User.objects.update(epoch=F("epoch") + 1)
        self.assertIsNone(email_change.write_link(user, "lovelace@example.org"))
        user = User.objects.get()
        User.objects.update(is_active=False)
        self.assertIsNone(email_change.write_link(user, "lovelace@example.org"))

    def test_wrong_passwords_and_unknown_addresses_look_alike(self) -> None:
        """REG-02"""
        self.member()
        stranger = self.browser("192.0.2.2")
        wrong = stranger.login("ada@example.org", OTHER_PASSWORD)
        unknown = stranger.login("nobody@example.org", OTHER_PASSWORD)
        self.assertEqual((wrong.status_code, unknown.status_code), (401, 401))
        self.assertEqual(wrong.json(), unknown.json())

    def test_an_unconfirmed_account_does_not_sign_in(self) -> None:
        """EML-01"""
        browser = self.browser()
        browser.register("ada@example.org")
        self.assertRefused(browser.login("ada@example.org"), 403, "email_unverified")
        self.assertEqual(self.sessions(), [])

    def test_fields_that_nobody_asked_for_change_nothing(self) -> None:
        """REG-05"""
        fields = {
            "email": "ada@example.org",
            "password": PASSWORD,
            "is_staff": True,
            "is_superuser": True,
            "verified_at": "2026-01-01T00:00:00Z",
        }
        self.browser().post("/auth/register", fields)
        user = User.objects.get()
        self.assertEqual(
            (user.is_staff, user.is_superuser, user.verified_at), (False, False, None)
        )

    def test_there_are_no_accounts_but_those_that_were_made(self) -> None:
        """REG-06"""
        self.assertFalse(User.objects.exists())

    def test_a_link_alone_does_not_confirm_what_a_stranger_registered(self) -> None:
        """OIC-21"""
        self.browser("192.0.2.66").register("ada@example.org")
        owner, token = self.browser(), self.token("ada@example.org")
        shown = owner.get(f"/auth/verify?token={token}").json()
        self.assertTrue(shown["password_required"])
        bare = owner.post("/auth/verify", {"token": token})
        self.assertRefused(bare, 401, "password_required")
        wrong = {"token": token, "password": OTHER_PASSWORD}
        self.assertRefused(
            owner.post("/auth/verify", wrong), 401, "invalid_credentials"
        )
        self.assertIsNone(User.objects.get().verified_at)

    def test_a_link_works_once_and_looking_does_not_use_it(self) -> None:
        """EML-03, EML-04"""
        browser = self.browser()
        browser.register("ada@example.org")
        token = self.token("ada@example.org")
        for _ in range(2):
            looked = browser.get(f"/auth/verify?token={token}")
            self.assertEqual(looked.status_code, 200)
        once = browser.post("/auth/verify", {"token": token})
        self.assertEqual(once.status_code, 200)
        again = browser.post("/auth/verify", {"token": token})
        self.assertRefused(again, 400, "token_invalid")

    def test_an_expired_link_is_refused(self) -> None:
        """EML-03"""
        self.change(verify_token=-1)
        browser = self.browser()
        browser.register("ada@example.org")
        answer = browser.post("/auth/verify", {"token": self.token("ada@example.org")})
        self.assertRefused(answer, 400, "token_invalid")

    def test_a_resent_link_takes_the_place_of_the_first(self) -> None:
        """EML-03"""
        browser = self.browser()
        browser.register("ada@example.org")
        first = self.token("ada@example.org")
        self.empty_mailbox()
        browser.post("/auth/verify/resend", {"email": "ada@example.org"})
        second = self.token("ada@example.org")
        old = browser.post("/auth/verify", {"token": first})
        self.assertRefused(old, 400, "token_invalid")
        new = browser.post("/auth/verify", {"token": second})
        self.assertTrue(new.json()["signed_in"])

    def test_bad_passwords_are_refused_with_a_reason(self) -> None:
        """PWD-02, PWD-03, PWD-05, PWD-07"""
        for password, code in [
            ("short", "password_too_short"),
            ("x" * 257, "password_too_long"),
            ("ä" * 600, "password_too_long"),
            ("123456789123456789", "password_common"),
            ("ada@example.org-123", "password_contextual"),
        ]:
            with self.subTest(code=code):
                answer = self.browser().register("ada@example.org", password)
                self.assertRefused(answer, 422, code)

    def test_spellings_of_a_password_that_look_the_same_are_the_same(self) -> None:
        """PWD-12"""
        browser = self.browser()
        browser.register("ada@example.org", "cafe\u0301 under nine clouds")
        browser.post("/auth/verify", {"token": self.token("ada@example.org")})
        answer = self.browser().login("ada@example.org", "café under nine clouds")
        self.assertEqual(answer.status_code, 200)
        for other in ("Café under nine clouds", " café under nine clouds"):
            answer = self.browser("192.0.2.9").login("ada@example.org", other)
            self.assertEqual(answer.status_code, 401)

    def test_other_spellings_of_addresses_are_refused(self) -> None:
        """INP-01, THR-05"""
        for address in [
            "",
            "ada",
            "ada@localhost",
            "a b@example.org",
            "ada@exämple.org",
            "ada@example.org\n",
        ]:
            with self.subTest(address=address):
                answer = self.browser().register(address)
                self.assertRefused(answer, 422, "email_invalid")

    def test_passwords_are_stored_as_argon2id(self) -> None:
        """PWD-01"""
        self.browser().register("ada@example.org")
        stored = User.objects.get().password
        self.assertTrue(stored.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$"))

    def test_an_old_hash_is_renewed_by_a_sign_in(self) -> None:
        """PWD-09"""
        self.member()
        weak = (
            "argon2$argon2id$v=19$m=8192,t=1,p=1$"
            "XxwKm+J9RIOhbpDSx7X4NA$IDG4T/n2xxeOq4AQNNkghwET2c05AX5PuQzjPiEjSDw"
        )
        User.objects.update(password=weak)
        self.browser().login("ada@example.org", "violet harbour 58 quits the marble")
        self.assertIn("m=19456", User.objects.get().password)
