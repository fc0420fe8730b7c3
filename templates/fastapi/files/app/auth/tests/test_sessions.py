"""Sessions, cookies, freshness, and requests from elsewhere."""

import pytest

from app.auth import tokens
from app.auth.passwords import Hasher

from .conftest import OTHER_PASSWORD, PASSWORD, Site, member


def test_cke_01_02_03_the_cookie_is_bound_to_the_host_and_out_of_reach_of_scripts(
    site: Site,
) -> None:
    member(site)
    line = site.browser().login("ada@example.org").headers["set-cookie"]
    assert line.startswith("__Host-auth-session=")
    for attribute in (
        "Path=/",
        "HttpOnly",
        "Secure",
        "SameSite=Lax",
        f"Max-Age={site.settings.policy.session_absolute}",
    ):
        assert attribute in line.split("; ")
    assert "Domain" not in line


def test_ses_02_the_database_holds_the_hash_of_the_cookie(site: Site) -> None:
    ada = member(site)
    assert ada.session is not None
    assert site.rows("SELECT id_hash FROM auth_sessions") == [
        (tokens.digest(ada.session),)
    ]


def test_ses_03_signing_in_makes_a_new_session_and_ends_the_old_one(site: Site) -> None:
    ada = member(site)
    before = ada.session
    ada.login("ada@example.org")
    assert ada.session != before
    thief = site.browser()
    thief.cookies = {"__Host-auth-session": str(before)}
    assert thief.get("/mine").status_code == 401


def test_ses_05_a_cookie_that_comes_twice_counts_for_nothing(site: Site) -> None:
    ada = member(site)
    value = f"__Host-auth-session={ada.session}"
    assert site.browser().get("/mine", Cookie=f"{value}; {value}").status_code == 401


@pytest.mark.parametrize("column", ["last_seen_at", "expires_at"])
def test_ses_06_07_sessions_end_by_themselves(site: Site, column: str) -> None:
    ada = member(site)
    site.rows(f"UPDATE auth_sessions SET {column} = {column} - 3000000")
    assert ada.get("/mine").status_code == 401


def test_a_request_keeps_a_session_from_idling(site: Site) -> None:
    ada = member(site)
    site.rows("UPDATE auth_sessions SET last_seen_at = last_seen_at - 600")
    before = site.rows("SELECT last_seen_at FROM auth_sessions")
    assert ada.get("/mine").status_code == 200
    assert site.rows("SELECT last_seen_at FROM auth_sessions") > before


def test_ses_08_signing_out_ends_the_session_on_the_server(site: Site) -> None:
    ada = member(site)
    session = ada.session
    answer = ada.post("/auth/logout")
    assert '"cookies"' in answer.headers["clear-site-data"]
    ada.cookies = {"__Host-auth-session": str(session)}
    assert ada.get("/mine").status_code == 401


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/auth/reauth", {"password": PASSWORD}),
        (
            "/auth/password",
            {"current_password": PASSWORD, "new_password": OTHER_PASSWORD},
        ),
    ],
)
def test_rac_05_what_was_logged_out_at_that_moment_does_not_go_on(
    site: Site, monkeypatch: pytest.MonkeyPatch, path: str, body: dict[str, str]
) -> None:
    ada, verify = member(site), Hasher.verify

    async def logged_out_meanwhile(
        hasher: Hasher, password: str, stored: str | None
    ) -> bool:
        site.rows("DELETE FROM auth_sessions")
        return await verify(hasher, password, stored)

    monkeypatch.setattr(Hasher, "verify", logged_out_meanwhile)
    assert ada.post(path, body).json()["code"] == "not_signed_in"
    assert site.rows("SELECT * FROM auth_sessions") == []
    assert site.browser().login("ada@example.org").status_code == 200


def test_ses_12_the_oldest_session_makes_room(site: Site) -> None:
    site.change(sessions=2)
    first = member(site)
    others = [site.browser(), site.browser()]
    for browser in others:
        browser.login("ada@example.org")
    assert first.get("/mine").status_code == 401
    assert all(browser.get("/mine").status_code == 200 for browser in others)


def test_ses_09_12_sessions_are_listed_and_ended_by_their_owner_only(
    site: Site,
) -> None:
    ada, eve = member(site), member(site, "eve@example.org", "192.0.2.66")
    phone = site.browser()
    phone.login("ada@example.org")
    listed = ada.get("/auth/sessions").json()["sessions"]
    other = next(entry["id"] for entry in listed if not entry["current"])
    assert eve.delete(f"/auth/sessions/{other}").status_code == 404
    assert ada.delete(f"/auth/sessions/{other}").status_code == 204
    assert (phone.get("/mine").status_code, ada.get("/mine").status_code) == (401, 200)


def test_ses_09_all_other_sessions_end_at_once(site: Site) -> None:
    ada, phone = member(site), site.browser()
    phone.login("ada@example.org")
    assert ada.post("/auth/sessions/revoke-others").json() == {
        "status": "revoked",
        "revoked": 1,
    }
    assert (phone.get("/mine").status_code, ada.get("/mine").status_code) == (401, 200)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/fresh"),
        ("GET", "/auth/export"),
        ("DELETE", "/auth/account"),
        ("POST", "/auth/email"),
        ("POST", "/auth/sessions/revoke-others"),
        ("DELETE", "/auth/sessions/x"),
    ],
)
def test_ses_13_what_matters_takes_the_password_again(
    site: Site, method: str, path: str
) -> None:
    ada = member(site)
    site.rows("UPDATE auth_sessions SET authenticated_at = authenticated_at - 900")
    body = {"email": "new@example.org"} if method == "POST" else None
    answer = ada.send(method, path, body)
    assert (answer.status_code, answer.json()["code"]) == (403, "reauth_required")
    assert ada.post("/auth/reauth", {"password": PASSWORD}).status_code == 200
    assert ada.get("/fresh").status_code == 200


def test_ses_11_an_account_is_exported_and_deleted(site: Site) -> None:
    ada = member(site)
    export = ada.get("/auth/export").json()
    assert export["account"]["email"] == "ada@example.org"
    assert "argon2" not in str(export)
    assert ada.delete("/auth/account").status_code == 204
    assert ada.get("/mine").status_code == 401
    assert site.rows("SELECT * FROM auth_sessions") == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.test", "Sec_Fetch_Site": None},
        {"Origin": "https://app.test:8443"},
        {"Origin": "http://app.test"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Referer": "https://evil.test/https://app.test/"},
        {"Referer": "https://app.test.evil.test/"},
        {"Origin": None, "Sec_Fetch_Site": None},
    ],
)
@pytest.mark.parametrize("path", ["/mine", "/auth/logout"])
def test_csr_02_requests_from_elsewhere_are_refused(
    site: Site, path: str, headers: dict[str, str | None]
) -> None:
    ada = member(site)
    answer = ada.post(path, **headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_request")
    assert ada.get("/mine").status_code == 200


def test_a_program_without_cookies_need_not_say_where_it_comes_from(site: Site) -> None:
    member(site)
    answer = site.browser().post(
        "/auth/login",
        {"email": "ada@example.org", "password": PASSWORD},
        Origin=None,
        Sec_Fetch_Site=None,
    )
    assert answer.status_code == 200
