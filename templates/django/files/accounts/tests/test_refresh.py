"""Refresh tokens."""

from datetime import timedelta
from io import StringIO
from unittest.mock import patch

from django.core.management import call_command
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone

from accounts import sign_in
from accounts.bearer import families
from accounts.bearer.families import Shown
from accounts.models import Event, RefreshToken, TokenFamily, User
from accounts.randomness import digest

from .programs import ProgramTestCase


class RefreshTokens(ProgramTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.ada = self.member()
        self.given = self.issued()
        self.first = str(self.given["refresh_token"])

    def test_each_works_once_and_reuse_ends_the_family(self) -> None:
        """RFT-01, RFT-02"""
        second = self.refresh(self.first).json()
        third = self.refresh(second["refresh_token"]).json()
        self.assertTrue(self.opens(third["access_token"]))
        other = self.issued()
        self.assertRefused(self.refresh(self.first), 400, "invalid_grant")
        self.assertFalse(self.opens(third["access_token"]))
        self.assertEqual(self.refresh(third["refresh_token"]).status_code, 400)
        self.assertEqual(Event.objects.filter(event="token_reuse").count(), 1)
        self.assertTrue(self.opens(other["access_token"]))

    def test_of_two_uses_at_once_one_succeeds(self) -> None:
        """RFT-03"""
        use_up = families.use_up

        def overtaken(token: str) -> Shown:
            """Between finding the family and using the token up, another use was faster."""
            self.assertIs(use_up(token), Shown.NEXT)
            return use_up(token)

        with patch.object(families, "use_up", overtaken):
            self.assertRefused(self.refresh(self.first), 400, "invalid_grant")
        self.assertEqual(RefreshToken.objects.count(), 1)
        self.assertFalse(self.opens(self.given["access_token"]))

    def test_the_database_holds_hashes(self) -> None:
        """RFT-04"""
        stored = RefreshToken.objects.get().token_hash
        self.assertEqual(stored, digest(self.first))
        self.assertGreaterEqual(len(self.first), 43)
        self.assertNotIn(self.first, str(list(Event.objects.values())))

    def test_each_ends_by_itself(self) -> None:
        """RFT-05"""
        past = F("expires_at") - timedelta(days=40)
        for model in (RefreshToken, TokenFamily):
            with self.subTest(model=model.__name__):
                token = self.issued()["refresh_token"]
                model._default_manager.update(expires_at=past)
                self.assertRefused(self.refresh(token), 400, "invalid_grant")
                shown = RefreshToken.objects.get(token_hash=digest(token))
                self.assertIsNone(shown.used_at)

    def test_use_keeps_a_program_from_idling_but_not_from_its_end(self) -> None:
        """RFT-05"""
        ends = TokenFamily.objects.get().expires_at
        RefreshToken.objects.update(expires_at=timezone.now() + timedelta(minutes=1))
        self.assertEqual(self.refresh(self.first).status_code, 200)
        following = RefreshToken.objects.get(used_at__isnull=True)
        self.assertGreater(following.expires_at, timezone.now() + timedelta(hours=1))
        self.assertEqual(TokenFamily.objects.get().expires_at, ends)

    def test_the_end_of_a_program_tells_nothing(self) -> None:
        """RFT-06"""
        access = self.given["access_token"]
        for text in ("x", "a\0b", access, access):
            answer = self.program.post("/auth/token/revoke", {"token": text})
            self.assertEqual(answer.status_code, 200)
            self.assertEqual(answer.json(), {"status": "revoked"})
        self.assertFalse(self.opens(access))
        self.assertRefused(self.refresh(self.first), 400, "invalid_grant")
        self.assertEqual(Event.objects.filter(event="token_revoked").count(), 1)

    def test_a_refresh_token_that_was_used_ends_its_program_too(self) -> None:
        """RFT-06"""
        following = self.refresh(self.first).json()
        self.program.post("/auth/token/revoke", {"token": self.first})
        self.assertFalse(self.opens(following["access_token"]))

    def test_tokens_go_in_bodies_and_stay_out_of_caches(self) -> None:
        """RFT-07"""
        path = f"/auth/token/refresh?refresh_token={self.first}"
        self.assertEqual(self.program.post(path, {}).status_code, 422)
        self.assertEqual(self.program.get(path).status_code, 405)
        answer = self.refresh(self.first)
        self.assertEqual(answer.status_code, 200)
        self.assertIn("no-store", answer["Cache-Control"])

    def test_an_access_token_is_no_refresh_token_nor_the_other_way(self) -> None:
        """JWT-09, RFT-01"""
        answer = self.refresh(self.given["access_token"])
        self.assertRefused(answer, 400, "invalid_grant")
        self.assertFalse(self.opens(self.first))

    def test_a_scope_is_narrowed_and_never_widened(self) -> None:
        """RFT-08"""
        token = self.issued(scope="read")["refresh_token"]
        wider = self.refresh(token, scope="read write")
        self.assertRefused(wider, 400, "invalid_scope")
        self.assertEqual(self.refresh(token, scope="read").json()["scope"], "read")

    def test_a_narrower_token_narrows_none_that_follows(self) -> None:
        """RFT-08"""
        narrow = self.refresh(self.first, scope="read").json()
        self.assertEqual(narrow["scope"], "read")
        following = self.refresh(narrow["refresh_token"]).json()
        self.assertEqual(following["scope"], "read write")

    def test_what_ended_at_that_moment_begins_no_program(self) -> None:
        """RAC-05"""
        admitted = sign_in.admitted

        def changed_meanwhile(request: HttpRequest, email: str, password: str) -> User:
            user = admitted(request, email, password)
            User.objects.update(epoch=F("epoch") + 1)
            return user

        with patch.object(sign_in, "admitted", changed_meanwhile):
            self.assertRefused(self.ask(), 401, "not_signed_in")
        self.assertEqual(TokenFamily.objects.count(), 1)

    def test_what_is_over_can_be_removed(self) -> None:
        TokenFamily.objects.update(expires_at=timezone.now())
        kept = self.issued()
        call_command("accounts", "purge", stdout=StringIO())
        self.assertEqual(TokenFamily.objects.count(), 1)
        self.assertEqual(self.refresh(kept["refresh_token"]).status_code, 200)
