"""Bodies, headers, settings, logs and the operator."""

import asyncio
import json
import logging
from pathlib import Path

import pytest

from app.auth import operator
from app.auth.audit import JsonLines
from app.auth.db import Database
from app.auth.settings import from_environment
from app.auth.variables import SettingError

from .conftest import ENVIRONMENT, OTHER_PASSWORD, PASSWORD, Site, member
from .database import EXAMPLE, REFUSED


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"{}", "application/json", 422, "invalid_fields"),
        (b"[]", "application/json", 422, "invalid_fields"),
        (b"{", "application/json", 400, "malformed_request"),
        (b'{"email": 1, "password": "x"}', "application/json", 422, "invalid_fields"),
        (
            b'{"email": "a", "email": "b", "password": "x"}',
            "application/json",
            400,
            "malformed_request",
        ),
        (
            b'{"email": "\\ud800", "password": "x"}',
            "application/json",
            400,
            "malformed_request",
        ),
        (b"[" * 30_000, "application/json", 400, "malformed_request"),
        (
            b"email=a&password=b",
            "application/x-www-form-urlencoded",
            415,
            "json_required",
        ),
        (b"{}", "text/plain", 415, "json_required"),
        (
            b'{"email": "' + b"a" * 70_000 + b'"}',
            "application/json",
            413,
            "body_too_large",
        ),
    ],
)
def test_csr_05_inp_02_03_04_05_bodies_are_json_objects_of_the_declared_type(
    site: Site, body: bytes, kind: str, status: int, code: str
) -> None:
    answer = site.client.post(
        "/auth/login", content=body, headers={"Content-Type": kind}
    )
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/auth/me", "/auth/login", "/auth/nothing"])
def test_hdr_01_02_03_04_every_answer_below_auth_has_the_headers(
    site: Site, path: str
) -> None:
    headers = site.client.get(path).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["strict-transport-security"].startswith("max-age=31536000")
    assert headers["x-request-id"]


def test_hdr_01_guarded_routes_of_the_application_stay_out_of_caches(
    site: Site,
) -> None:
    assert member(site).get("/mine").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AUTH_SECRET", None),
        ("AUTH_SECRET", "short"),
        ("AUTH_SECRET", "a" * 64),
        ("AUTH_SECRET", "correct horse battery staple correct horse"),
        ("AUTH_BASE_URL", None),
        ("AUTH_BASE_URL", "http://app.test"),
        ("AUTH_BASE_URL", "https://app.test/path"),
        ("AUTH_BASE_URL", "https://app.test:443"),
        ("DATABASE_URL", None),
        *[("DATABASE_URL", refused) for refused in REFUSED],
        ("SMTP_URL", None),
        ("SMTP_URL", "smtp://mail.app.test"),
        ("SMTP_URL", "smtp://mail.app.test?tls=opportunistic"),
        ("AUTH_MAIL_FROM", "nobody"),
        ("AUTH_TRUSTED_PROXIES", "0.0.0.0/0"),
        ("AUTH_ENV", "dev"),
        ("AUTH_SESSION_IDLE_SECONDS", "0"),
        ("AUTH_SESSION_IDLE_SECONDS", "2592001"),
        ("AUTH_LOGIN_FAILURE_LIMIT", "1e3"),
    ],
)
def test_cfg_01_02_03_04_settings_that_are_missing_or_weak_end_the_start(
    name: str, value: str | None
) -> None:
    environment = ENVIRONMENT | {"DATABASE_URL": EXAMPLE}
    environment.pop(name, None)
    if value is not None:
        environment[name] = value
    with pytest.raises(SettingError) as caught:
        from_environment(environment)
    assert str(caught.value).startswith(name)
    # Its name, never its value.
    assert value in (None, "0", "dev", "sqlite://") or str(value) not in str(
        caught.value
    )


def test_cfg_03_05_development_is_for_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = {"AUTH_ENV": "development", "DATABASE_URL": EXAMPLE}
    with pytest.raises(SettingError):
        from_environment(given | {"ADDR": "0.0.0.0:8000"})
    assert from_environment(given).development
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


def test_log_01_02_logs_hold_no_secret_and_no_address(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ada = member(site)
    session = str(ada.session)
    ada.login(
        "nobody@example.org",
        OTHER_PASSWORD,
    )
    text = "\n".join(JsonLines().format(record) for record in caplog.records)
    events = [json.loads(line).get("event") for line in text.splitlines()]
    assert {"register", "email_verified", "session_created", "login"} <= set(events)
    for secret in (
        PASSWORD,
        OTHER_PASSWORD,
        session,
        "nobody@example.org",
        "ada@example.org",
    ):
        assert secret not in text


def test_ses_11_15_the_operator_ends_sessions_and_disables_accounts(site: Site) -> None:
    ada = member(site)

    def act(command: str, whom: str | None) -> None:
        async def run() -> None:
            database = Database(site.settings.database_url)
            await operator.act(database, command, whom)
            await database.close()

        asyncio.run(run())

    act("revoke", "ada@example.org")
    assert ada.get("/mine").status_code == 401
    assert ada.login("ada@example.org").status_code == 200
    act("disable", "ada@example.org")
    assert (ada.get("/mine").status_code, ada.login("ada@example.org").status_code) == (
        401,
        401,
    )
    act("enable", "ada@example.org")
    assert ada.login("ada@example.org").status_code == 200
