"""Throttles, and whom a request counts for."""

from datetime import timedelta

from django.utils import timezone

from accounts.conf import trusted_proxies
from accounts.models import Session, Throttle
from accounts.sessions import SessionStore
from accounts.throttle import source_of
from accounts.visit import client_ip

from .site import OTHER_PASSWORD, SiteTestCase


class Limits(SiteTestCase):
    def test_guesses_close_the_account_for_a_while(self) -> None:
        """THR-01, THR-07"""
        self.member()
        for number in range(5):
            stranger = self.browser(f"192.0.2.{number + 10}")
            wrong = stranger.login("ada@example.org", OTHER_PASSWORD)
            self.assertEqual(wrong.status_code, 401)
        answer = self.browser("192.0.2.99").login("ada@example.org")
        self.assertRefused(answer, 429, "too_many_requests")
        self.assertIn(int(answer["Retry-After"]), range(1, 31))

    def test_each_further_guess_closes_it_for_longer(self) -> None:
        """THR-01"""
        self.change(login_failures=1, login_backoff=100)
        waits = []
        for number in range(3):
            Throttle.objects.update(blocked_until=None)
            stranger = self.browser(f"192.0.2.{number + 10}")
            stranger.login("ada@example.org", OTHER_PASSWORD)
            closed = Throttle.objects.get(blocked_until__isnull=False).blocked_until
            assert closed is not None
            waits.append((closed - timezone.now()).total_seconds())
        for wait, expected in zip(waits, (100, 200, 400), strict=True):
            self.assertLess(abs(wait - expected), 30)

    def test_another_spelling_is_the_same_account(self) -> None:
        """THR-05"""
        self.member()
        for number in range(5):
            stranger = self.browser(f"192.0.2.{number + 10}")
            stranger.login(" ADA@example.ORG", OTHER_PASSWORD)
        answer = self.browser("192.0.2.99").login("ada@example.org")
        self.assertRefused(answer, 429, "too_many_requests")

    def test_one_source_cannot_try_many_accounts(self) -> None:
        """THR-02"""
        self.change(login_source_failures=3)
        stranger = self.browser("192.0.2.66")
        statuses = [
            stranger.login(f"{n}@example.org", OTHER_PASSWORD).status_code
            for n in range(4)
        ]
        self.assertEqual(statuses, [401, 401, 401, 429])

    def test_the_cap_disables_the_password_until_it_is_reset(self) -> None:
        """THR-09"""
        self.change(login_cap=2, login_failures=10)
        self.member()
        for number in range(2):
            stranger = self.browser(f"192.0.2.{number + 10}")
            stranger.login("ada@example.org", OTHER_PASSWORD)
        self.assertEqual(self.browser().login("ada@example.org").status_code, 401)
        self.assertIn("was disabled", self.letter("ada@example.org", "your account"))

    def test_sign_ups_and_mails_are_limited_by_source(self) -> None:
        """THR-08"""
        self.change(register_source=1, mail_source=1)
        browser = self.browser()
        answers = [browser.register(f"{n}@example.org") for n in range(2)]
        self.assertEqual([a.status_code for a in answers], [202, 429])
        fields = {"email": "a@b.org"}
        forgot = [browser.post("/auth/password/forgot", fields) for _ in range(2)]
        self.assertEqual([a.status_code for a in forgot], [202, 429])

    def test_sessions_of_nobody_are_limited_by_source_and_make_room(self) -> None:
        """THR-08"""
        self.change(csrf_source=2)
        browsers = [self.browser() for _ in range(3)]
        answers = [b.get("/auth/csrf").status_code for b in browsers]
        self.assertEqual(answers, [200, 200, 429])
        again = [browsers[0].get("/auth/csrf").status_code for _ in range(3)]
        self.assertEqual(again, [200, 200, 200])
        soon = timezone.now() + timedelta(hours=2)
        self.assertEqual(Session.objects.filter(expire_date__lt=soon).count(), 2)
        Session.objects.update(expire_date=timezone.now())
        self.browser("192.0.2.2").get("/auth/csrf")
        self.assertEqual(Session.objects.count(), 1)

    def test_a_session_that_the_project_uses_lives_as_the_project_says(self) -> None:
        """SES-07"""
        kept, browser = SessionStore(), self.browser()
        kept["basket"] = "a lamp"
        kept.save()
        before = Session.objects.get().expire_date
        self.assertGreater(before, timezone.now() + timedelta(hours=2))
        browser.session = kept.session_key or ""
        self.assertEqual(browser.get("/auth/csrf").status_code, 200)
        self.assertGreaterEqual(Session.objects.get().expire_date, before)

    def test_counters_name_nobody(self) -> None:
        """CFG-06"""
        self.browser().login("ada@example.org", OTHER_PASSWORD)
        kept = str(list(Throttle.objects.values()))
        self.assertNotIn("ada@example.org", kept)
        self.assertNotIn("192.0.2.1", kept)

    def test_only_own_proxies_are_believed(self) -> None:
        """THR-03"""
        proxies = tuple(trusted_proxies("10.0.0.0/24"))
        for peer, forwarded, expected in [
            ("203.0.113.9", "192.0.2.1", "203.0.113.9"),
            ("10.0.0.1", "192.0.2.1", "192.0.2.1"),
            ("10.0.0.1", "6.6.6.6, 192.0.2.1", "192.0.2.1"),
            ("10.0.0.1", "6.6.6.6,192.0.2.1, 10.0.0.2", "192.0.2.1"),
            ("::ffff:10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
            ("10.0.0.1", "192.0.2.1, nonsense", "10.0.0.1"),
            ("10.0.0.1", "", "10.0.0.1"),
        ]:
            with self.subTest(peer=peer, forwarded=forwarded):
                self.assertEqual(client_ip(peer, forwarded, proxies), expected)

    def test_a_household_is_one_source(self) -> None:
        """THR-04"""
        self.assertEqual(source_of("2001:db8:1:2::3"), "2001:db8:1:2::/64")
        self.assertEqual(source_of("2001:db8:1:2:ffff::1"), "2001:db8:1:2::/64")
        self.assertEqual(source_of("192.0.2.1"), "192.0.2.1")
