"""Throttles, and whom a request counts for."""

import pytest

from app.auth.settings import trusted_proxies
from app.auth.throttle import source_of
from app.auth.visit import client_ip

from .conftest import OTHER_PASSWORD, Site, member


def test_thr_01_guesses_close_the_account_for_a_while(site: Site) -> None:
    member(site)
    for number in range(5):
        wrong = site.browser(f"192.0.2.{number + 10}").login(
            "ada@example.org", OTHER_PASSWORD
        )
        assert wrong.status_code == 401
    answer = site.browser("192.0.2.99").login("ada@example.org")
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")
    assert 1 <= int(answer.headers["retry-after"]) <= 30


def test_thr_02_one_source_cannot_try_many_accounts(site: Site) -> None:
    site.change(login_source_failures=3)
    stranger = site.browser("192.0.2.66")
    statuses = [
        stranger.login(f"{n}@example.org", OTHER_PASSWORD).status_code for n in range(4)
    ]
    assert statuses == [401, 401, 401, 429]


def test_thr_09_the_cap_disables_the_password_until_it_is_reset(site: Site) -> None:
    site.change(login_cap=2, login_failures=10)
    member(site)
    for number in range(2):
        site.browser(f"192.0.2.{number + 10}").login("ada@example.org", OTHER_PASSWORD)
    assert site.browser().login("ada@example.org").status_code == 401
    assert "was disabled" in site.letter("ada@example.org", "about your account")


def test_thr_08_sign_ups_and_mails_are_limited_by_source(site: Site) -> None:
    site.change(register_source=1, mail_source=1)
    browser = site.browser()
    assert [browser.register(f"{n}@example.org").status_code for n in range(2)] == [
        202,
        429,
    ]
    forgot = [
        browser.post("/auth/password/forgot", {"email": "a@b.org"}) for _ in range(2)
    ]
    assert [answer.status_code for answer in forgot] == [202, 429]


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", ["192.0.2.1"], "203.0.113.9"),
        ("10.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["6.6.6.6, 192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["6.6.6.6", "192.0.2.1, 10.0.0.2"], "192.0.2.1"),
        ("::ffff:10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("10.0.0.1", ["192.0.2.1, nonsense"], "10.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1"),
    ],
)
def test_thr_03_only_own_proxies_are_believed(
    peer: str, forwarded: list[str], expected: str
) -> None:
    assert client_ip(peer, forwarded, tuple(trusted_proxies("10.0.0.0/24"))) == expected


def test_thr_04_a_household_is_one_source() -> None:
    assert (
        source_of("2001:db8:1:2::3")
        == source_of("2001:db8:1:2:ffff::1")
        == "2001:db8:1:2::/64"
    )
    assert source_of("192.0.2.1") == "192.0.2.1"
