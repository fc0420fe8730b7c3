"""What happens at once. Others see what a test writes, and it sees what they write."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import patch

from django.db import connection, connections, transaction

from accounts import sign_in, store, throttle
from accounts.models import Throttle, User

from .site import PASSWORD, Browser, CommittedTestCase


def post(browser: Browser, address: str, fields: dict[str, str]) -> int:
    """In a thread, with a connection that ends with it."""
    try:
        return int(browser.post(address, fields).status_code)
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
