"""An application with a database[% if module.password %] and a mailbox[% endif %] of its own for each test."""

[% if module.password -%]
import re
[% endif -%]
import secrets
[% if module.password -%]
import time
[% endif -%]
from collections.abc import Iterator
from dataclasses import replace
[% if module.password -%]
from email.message import EmailMessage
[% endif -%]
from pathlib import Path
[% if module.tokens -%]
from typing import Annotated, Any

import pytest
from fastapi import FastAPI, Security
[%- else -%]
from typing import Any

import pytest
from fastapi import FastAPI
[%- endif %]
from starlette.testclient import TestClient

from app import auth
[% if module.tokens -%]
from app.auth import (
    ApiUser,
    CurrentUser,
    FreshApiUser,
    FreshUser,
    Settings,
    api_user,
)
[%- else -%]
from app.auth import CurrentUser, FreshUser, Settings
[%- endif %]
[%- if module.tokens %]
from app.auth.bearer import keys
[%- endif %]
[%- if module.password %]
from app.auth.mail import Outbox
[%- endif %]
[%- if module.oidc %]
from app.auth.oidc.presets import PRESETS
[%- endif %]
from app.auth.settings import from_environment

from .database import Place[% if db == "sqlite" %], server[% endif %]
[%- if db == "postgres" %]
from .postgres import server
[%- endif %]

ORIGIN = "https://app.test"
[%- if module.password %]
PASSWORD = "quiet meadow under nine clouds"
OTHER_PASSWORD = "seven boats and one slow river"
[%- endif %]
ENVIRONMENT = {
    "AUTH_SECRET": secrets.token_hex(32),
    "AUTH_BASE_URL": ORIGIN,
[%- if module.password %]
    "AUTH_MAIL_FROM": "App <app@app.test>",
    "SMTP_URL": "smtps://mail.app.test",
[%- endif %]
    "AUTH_TRUSTED_PROXIES": "10.0.0.1",
[%- if module.tokens %]
    "AUTH_TOKEN_KEY": keys.fresh_key(),
[%- endif %]
}


[% if module.oidc -%]
for preset in PRESETS:
    issuer = f"https://{preset.id}.test"
    said = {"ISSUER": issuer, "CLIENT_ID": "client", "CLIENT_SECRET": "secret"}
    ENVIRONMENT |= {preset.variable(what): value for what, value in said.items()}


[% endif -%]
def production(place: Place, **more: str) -> Settings:
    return from_environment(ENVIRONMENT | {"DATABASE_URL": place.url} | more)


class Site:
    """The application[% if module.password %], its mailbox,[% endif %] and browsers that visit it."""

[%- if module.password %]

    def __init__(
        self, place: Place, settings: Settings, mailbox: list[EmailMessage]
    ) -> None:
        self.rows = place.rows
        self.settings = settings
        self.mailbox = mailbox
[%- else %]

    def __init__(self, place: Place, settings: Settings) -> None:
        self.rows = place.rows
        self.settings = settings
[%- endif %]
        self.app = FastAPI()
        self.auth = auth.attach(self.app, settings)

        @self.app.get("/mine")
        @self.app.post("/mine")
        async def mine(user: CurrentUser) -> dict[str, str]:
            return {"id": user.id}

        @self.app.get("/fresh")
        async def fresh(user: FreshUser) -> dict[str, str]:
            return {"id": user.id}
[%- if module.tokens %]

        @self.app.post("/api")
        async def api(
            user: Annotated[ApiUser, Security(api_user, scopes=["read"])],
        ) -> dict[str, str]:
            return {"id": user.id}

        @self.app.get("/api/fresh")
        async def fresh_api(user: FreshApiUser) -> dict[str, str]:
            return {"id": user.id}
[%- endif %]

        self.client = TestClient(
            self.app,
            base_url=ORIGIN,
            client=("10.0.0.1", 4711),
            follow_redirects=False,
        )

    def browser(self, ip: str = "192.0.2.1") -> "Browser":
        return Browser(self, ip)

    def change(self, **policy: int) -> None:
        changed = replace(self.settings, policy=replace(self.settings.policy, **policy))
        self.settings = self.auth.settings = changed
[%- if module.password %]

    def letter(self, to: str, subject: str = "") -> str:
        """The newest mail to an address, once it is there."""
        for _ in range(200):
            found = [
                m
                for m in self.mailbox
                if m["To"] == to and subject in str(m["Subject"])
            ]
            if found:
                return str(found[-1].get_content())
            time.sleep(0.02)
        raise AssertionError(f"no mail to {to}")

    def token(self, to: str) -> str:
        match = re.search(r"token=([A-Za-z0-9_-]+)", self.letter(to))
        assert match
        return match[1]
[%- endif %]


class Browser:
    """Keeps its own cookies and says where its requests come from."""

    def __init__(self, site: Site, ip: str) -> None:
        self.site = site
        self.cookies: dict[str, str] = {}
        self.headers = {
            "Origin": ORIGIN,
            "Sec-Fetch-Site": "same-origin",
            "X-Forwarded-For": ip,
            "User-Agent": "Test/1.0",
        }

    def send(
        self, method: str, path: str, json: Any = None, **headers: str | None
    ) -> Any:
        client = self.site.client
        client.cookies.clear()
        sent = self.headers | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        kept = {name: value for name, value in sent.items() if value is not None}
        if self.cookies:
            kept["Cookie"] = "; ".join(
                f"{name}={value}" for name, value in self.cookies.items()
            )
        answer = client.request(method, path, json=json, headers=kept)
        for name, value in answer.cookies.items():
            self.cookies[name] = value
        for line in answer.headers.get_list("set-cookie"):
            if "Max-Age=0" in line:
                self.cookies.pop(line.partition("=")[0], None)
        return answer

    def get(self, path: str, **headers: str | None) -> Any:
        return self.send("GET", path, **headers)

    def post(self, path: str, json: Any = None, **headers: str | None) -> Any:
        return self.send("POST", path, json, **headers)

    def delete(self, path: str, **headers: str | None) -> Any:
        return self.send("DELETE", path, **headers)

    @property
    def session(self) -> str | None:
        return self.cookies.get("__Host-auth-session")
[%- if module.password %]

    def register(self, email: str, password: str = PASSWORD) -> Any:
        return self.post("/auth/register", {"email": email, "password": password})

    def login(self, email: str, password: str = PASSWORD) -> Any:
        return self.post("/auth/login", {"email": email, "password": password})


def member(
    site: Site, email: str = "ada@example.org", ip: str = "192.0.2.1"
) -> Browser:
    """A browser that is signed in to a confirmed account."""
    browser = site.browser(ip)
    assert browser.register(email).status_code == 202
    answer = browser.post("/auth/verify", {"token": site.token(email)})
    assert answer.json() == {"status": "verified", "signed_in": True}
    return browser
[%- endif %]


@pytest.fixture(scope="session")
def database_server() -> Iterator[str]:
    with server() as url:
        yield url


@pytest.fixture
def place(database_server: str, tmp_path: Path) -> Iterator[Place]:
    made = Place(database_server, tmp_path)
    yield made
    made.drop()


[% if module.password -%]
@pytest.fixture
def site(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    mailbox: list[EmailMessage] = []

    async def send(_outbox: Outbox, letter: EmailMessage) -> None:
        mailbox.append(letter)

    monkeypatch.setattr(Outbox, "_send", send)
    made = Site(place, production(place), mailbox)
    with made.client:
        yield made
[%- else -%]
@pytest.fixture
def site(place: Place) -> Iterator[Site]:
    made = Site(place, production(place))
    with made.client:
        yield made
[%- endif %]
