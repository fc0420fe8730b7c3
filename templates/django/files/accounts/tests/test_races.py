"""What happens at once. Others see what a test writes, and it sees what they write."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from django.db import connection, connections, transaction
from django.utils import timezone

from accounts import operator, sign_in, store, throttle
[%- if module.tokens %]
from accounts.bearer import families
[%- endif %]
from accounts.models import [% if module.oidc %]Identity, [% endif %]Session, Throttle, User
[%- if module.oidc %]
from accounts.oidc import identities
from accounts.oidc.exchange import Person
[%- endif %]
[%- if module.tokens %]
from accounts.own_sessions import raise_epoch
[%- endif %]

from .site import PASSWORD, Browser, CommittedTestCase


def post(browser: Browser, address: str, fields: dict[str, str]) -> int:
    """In a thread, with a connection that ends with it."""
    try:
        return int(browser.post(address, fields).status_code)
    finally:
        connections.close_all()


def within(act: Callable[[], Any]) -> Any:
    """In a thread, in a transaction of its own."""
    try:
        with transaction.atomic():
            return act()
    finally:
        connections.close_all()


def wait_for_a_lock() -> None:
    for _ in range(200):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
        time.sleep(0.05)
    raise AssertionError("nobody waits")


class Races(CommittedTestCase):
    def test_what_ends_sessions_and_what_renews_one_do_not_wait_for_each_other(
        self,
    ) -> None:
        """RAC-05: whoever changes several rows holds the account first"""
        cases: list[tuple[str, dict[str, str], str, int]] = [
            ("/auth/reauth", {"password": PASSWORD}, "prove", 401),
            (
                "/auth/login",
                {"email": "ada@example.org", "password": PASSWORD},
                "admitted",
                200,
            ),
        ]
        ada = self.member()
        for address, fields, proof, expected in cases:
            ada.login("ada@example.org")
            user = User.objects.get()

            def proven(*_: Any, user: User = user) -> User:
                return user

            with (
                self.subTest(address=address),
                patch.object(sign_in, proof, proven),
                ThreadPoolExecutor(1) as pool,
            ):
                with transaction.atomic():
                    store.hold(user.pk)
                    answer = pool.submit(post, ada, address, fields)
                    wait_for_a_lock()
                    # Would fail if that request had begun to change sessions.
                    store.end_all(user.pk)
                self.assertEqual(answer.result(), expected)

    def test_all_sessions_are_revoked_while_somebody_signs_in(self) -> None:
        """RAC-05: a sign-in holds an account, and may end a session of another one's"""
        self.member()
        self.member("eve@example.org", "192.0.2.9")
        first, last = User.objects.order_by("created_at")
        with ThreadPoolExecutor(1) as pool:
            with transaction.atomic():
                store.hold(last.pk)
                done = pool.submit(within, lambda: operator.act("revoke", None))
                wait_for_a_lock()
                Session.objects.filter(user=first).delete()
            self.assertIn("2 account(s)", done.result())

    def test_what_is_over_is_removed_without_waiting(self) -> None:
        """RAC-05: what somebody holds is left for the next time"""
        self.member()
        at = timezone.now() - timedelta(seconds=1)
        Session.objects.update(expire_date=at)
        held = Session.objects.create(session_key="x", expire_date=at)
        others = Session.objects.count() - 1
        with ThreadPoolExecutor(1) as pool, transaction.atomic():
            Session.objects.select_for_update().get(pk=held.pk)
            removed = pool.submit(within, operator.purge).result(timeout=30)
        self.assertGreater(others, 0)
        self.assertTrue(removed.endswith(f" {others} row(s)"), removed)
        self.assertEqual(list(Session.objects.all()), [held])
[%- if module.oidc %]

    def test_an_identity_that_is_unlinked_meanwhile_opens_nothing(self) -> None:
        """OIC-23, RAC-05"""
        self.member()
        user = User.objects.get()
        linked = Identity.objects.create(
            user=user, provider="test", issuer="https://id.test", subject="s-ada"
        )
        person = Person("https://id.test", "s-ada", "ada@example.org", True, 0)
        self.assertEqual(within(lambda: identities.owner_of(person)), user)
        with ThreadPoolExecutor(1) as pool:
            with transaction.atomic():
                store.hold(user.pk)
                owner = pool.submit(within, lambda: identities.owner_of(person))
                wait_for_a_lock()
                linked.delete()
            self.assertIsNone(owner.result())
[%- endif %]
[%- if module.tokens %]

    def test_a_program_goes_on_while_its_user_ends_a_session(self) -> None:
        """RFT-03, RAC-05"""
        fields = {"grant": "password", "email": "ada@example.org", "password": PASSWORD}
        token = self.member().post("/auth/token", fields).json()["refresh_token"]
        user = User.objects.get()
        with ThreadPoolExecutor(1) as pool:
            with transaction.atomic():
                raise_epoch(user)
                known = pool.submit(within, lambda: families.of_refresh_token(token))
                wait_for_a_lock()
                families.carry_over(user)
            self.assertIsNotNone(known.result())
[%- endif %]

    def test_a_counter_counts_whatever_comes_at_once(self) -> None:
        """THR-06, RAC-02: also the first of a counter"""

        def hit(_turn: int) -> bool:
            try:
                return throttle.hit("x", 3, 60).is_allowed
            finally:
                connections.close_all()

        with ThreadPoolExecutor(8) as pool:
            self.assertEqual(sum(pool.map(hit, range(24))), 3)
        self.assertEqual(Throttle.objects.get(key="x").count, 24)
