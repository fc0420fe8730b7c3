"""Sign-in at providers: each test is named after the control that it is about. It begins from a
sign-in that works, and changes one thing."""

[% if not module.password -%]
import asyncio
[% endif -%]
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from app.auth import [% if not module.password %]operator, [% endif %]tokens
from app.auth.db import [% if not module.password %]Database, [% endif %]now
from app.auth.local_path import is_local_path
[% if 'github' in providers -%]
from app.auth.oidc.endpoints import Endpoints
[% endif -%]
from app.auth.oidc.metadata import CONFIGURATION, Oidc
from app.auth.oidc.presets import PRESETS, Preset
from app.auth.oidc.settings import Provider as Client
from app.auth.oidc.settings import is_safe
from app.auth.settings import from_environment
from app.auth.variables import SettingError

from .conftest import ENVIRONMENT, ORIGIN, Browser, Site[% if module.password %], member[% endif %]
from .database import EXAMPLE[% if not module.password %], REFUSED[% endif %]
from .lies import (
    LIES,
    altered,
    brings_key,
    by_another,
    by_secret,
    cut,
    names_address,
    set_header,
    unsigned,
    zeros,
)
from .provider import CLIENT, SECRET, Draft, Instead, Provider, new_key, parameters

TRANSACTION = "__Host-auth-oidc"


class World:
    """An application and its providers."""

    def __init__(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        self.site = site
        self.provider = Provider("https://id.test")
        self.other = Provider("https://other.test/")
        self.elsewhere = Provider("https://elsewhere.test")
        self.hosts = {
            httpx2.URL(one.issuer).host: one
            for one in (self.provider, self.other, self.elsewhere)
        }

        async def handle(
            _transport: httpx2.AsyncHTTPTransport, request: httpx2.Request
        ) -> httpx2.Response:
            return await self.hosts[request.url.host].handle(request)

        monkeypatch.setattr(httpx2.AsyncHTTPTransport, "handle_async_request", handle)
        self.restart()

    def restart(self, preset: Preset | None = None, **settings: Any) -> None:
        """With nothing known of the providers. What is given is changed."""
        known = preset or Preset(id="test", name="Test")
        more = {key: settings.pop(key) for key in ("max_age", "acr") if key in settings}
        theirs = Preset(id="other", name="Other")
        providers = {
            "test": Client(known, self.provider.issuer, CLIENT, SECRET, **more),
            "other": Client(theirs, self.other.issuer, CLIENT, SECRET),
        }
        oidc = replace(self.site.settings.oidc, providers=providers, **settings)
        changed = replace(self.site.settings, oidc=oidc)
        self.site.settings = self.site.auth.settings = changed
        self.site.auth.oidc = Oidc(oidc)

    def begin(
        self, browser: Browser, provider: str = "test", what: str = "start"
    ) -> str:
        """Where a sign-in leads."""
        answer = browser.post(f"/auth/oidc/{provider}/{what}", {})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["location"])

    def returning(self, browser: Browser, what: str = "start") -> str:
        """A browser that has been to the provider: the path that it comes back on."""
        return self.provider.consents(self.begin(browser, what=what))

    def comes_back(self, browser: Browser, path: str) -> Any:
        """From another site, as browsers say."""
        return browser.get(path, Origin=None, Sec_Fetch_Site="cross-site")

    def sign_in(self, browser: Browser) -> Any:
        return self.comes_back(browser, self.returning(browser))

    def federated(self, sub: str = "s-ada", email: str = "ada@example.org") -> Browser:
        self.provider.is_(sub, email)
        browser = self.site.browser()
        assert self.sign_in(browser).status_code == 303
        return browser

    def refuses_unasked(self, browser: Browser, path: str) -> None:
        """Without a session, and without a token request."""
        before = self.asked()
        assert refused(self.comes_back(browser, path)) == (400, "oidc_refused"), path
        assert self.asked() == before, path
        assert me(browser) is None, path

    def asked(self) -> int:
        return self.provider.count("/token") + self.other.count("/token")


@pytest.fixture
def world(site: Site, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(site, monkeypatch)


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def me(browser: Browser) -> Any:
    answer = browser.get("/auth/me")
    return answer.json() if answer.status_code == 200 else None


def identities(browser: Browser) -> list[str]:
    found = browser.get("/auth/identities").json()["identities"]
    return [identity["provider"] for identity in found]


def changed(path: str, **values: str | None) -> str:
    """The path with other parameters. `None` takes one out."""
    url = httpx2.URL(path)
    for name, value in values.items():
        url = (
            url.copy_remove_param(name)
            if value is None
            else url.copy_set_param(name, value)
        )
    return str(url)


def test_oic_01_what_is_asked_is_complete_and_fresh(world: World) -> None:
    seen = set[str]()
    for number in range(3):
        browser = world.site.browser(f"192.0.2.{number}")
        answer = browser.post("/auth/oidc/test/start", {}, Host="evil.test")
        asked = parameters(answer.json()["location"])
        assert asked["response_type"] == "code"
        assert asked["redirect_uri"] == f"{ORIGIN}/auth/oidc/test/callback"
        assert asked["scope"] == "openid email"
        assert asked["code_challenge_method"] == "S256"
        assert asked["client_id"] == CLIENT
        assert "secret" not in answer.text
        for name in ("state", "nonce", "code_challenge"):
            assert len(asked[name]) == 43, name
            seen.add(asked[name])
    assert len(seen) == 9


def test_oic_02_without_its_state_an_answer_is_none(world: World) -> None:
    world.provider.is_lax = True
    browser = world.site.browser()
    other = parameters(world.begin(world.site.browser()))["state"]
    for number, change in enumerate([None, "", "short", other, "longer"]):
        path = world.returning(browser)
        state = parameters(path)["state"]
        wrong = {"short": state[:-1], "longer": state + "A"}.get(change or "", change)
        world.refuses_unasked(browser, changed(path, state=wrong))
        assert world.comes_back(browser, path).status_code == 303, number
        browser = world.site.browser(f"192.0.2.{number + 10}")


def test_oic_03_an_answer_belongs_to_the_browser_that_began(world: World) -> None:
    world.provider.is_lax = True
    for victim in (world.site.browser(), world.site.browser("192.0.2.5")):
        path = world.returning(world.site.browser("192.0.2.66"))
        if victim.headers["X-Forwarded-For"] == "192.0.2.5":
            world.begin(victim)
        world.refuses_unasked(victim, path)


def test_oic_04_an_answer_counts_once_and_not_for_long(world: World) -> None:
    world.provider.is_lax = True
    browser = world.site.browser()
    for spoilt in ({}, {"error": "access_denied"}, {"code": ""}):
        path = world.returning(browser)
        answer = world.comes_back(browser, changed(path, **spoilt))
        assert answer.status_code == (400 if spoilt else 303)
        browser.post("/auth/logout", {})
        world.refuses_unasked(browser, path)
    path = world.returning(browser)
    world.site.rows(f"UPDATE auth_oidc_transactions SET expires_at = {now()}")
    world.refuses_unasked(browser, path)


def test_oic_04_a_browser_has_few_open(world: World) -> None:
    browser = world.site.browser()
    for _ in range(8):
        world.begin(browser)
    assert world.site.rows("SELECT COUNT(*) FROM auth_oidc_transactions") == [(5,)]
    browser.cookies[TRANSACTION] = "made-up"
    world.begin(browser)
    assert browser.cookies[TRANSACTION] != "made-up"


def test_oic_05_an_answer_is_of_the_provider_that_was_asked(world: World) -> None:
    world.provider.is_lax = world.other.is_lax = True
    browser = world.site.browser()
    path = changed(world.returning(browser), iss=None)
    world.refuses_unasked(browser, path.replace("/test/", "/other/"))
    assert world.other.count("/token") == 0


def test_oic_06_an_answer_says_whose_it_is(world: World) -> None:
    browser, issuer = world.site.browser(), world.provider.issuer
    for iss in (None, "https://evil.test", issuer + "/", issuer.upper()):
        world.refuses_unasked(browser, changed(world.returning(browser), iss=iss))
    names_itself = "authorization_response_iss_parameter_supported"
    world.provider.lies(describe=lambda said: said | {names_itself: False})
    world.restart()
    path = world.returning(browser)
    world.refuses_unasked(browser, changed(path, iss="https://evil.test"))
    path = changed(world.returning(browser), iss=None)
    assert world.comes_back(browser, path).status_code == 303


def test_oic_07_a_code_of_another_sign_in_is_none(world: World) -> None:
    browser = world.site.browser()
    theirs = parameters(world.returning(world.site.browser("192.0.2.66")))["code"]
    path = changed(world.returning(browser), code=theirs)
    assert refused(world.comes_back(browser, path)) == (400, "oidc_refused")
    assert me(browser) is None
    (_, form) = world.provider.log[-1]
    assert len(parameters(f"?{form.split(' ')[0]}")["code_verifier"]) == 43


@pytest.mark.parametrize("control", LIES)
def test_oic_08_11_12_13_14_an_id_token_with_one_thing_wrong_is_none(
    world: World, control: str
) -> None:
    world.provider.is_lax = True
    for number, lie in enumerate(LIES[control]):
        browser = world.site.browser(f"192.0.2.{number}")
        world.provider.lies(lie)
        answer = world.sign_in(browser)
        assert refused(answer) == (400, "oidc_refused"), number
        assert me(browser) is None, number
    world.provider.lies()
    assert world.sign_in(world.site.browser("192.0.2.99")).status_code == 303


def test_oic_13_clocks_may_differ_a_little(world: World) -> None:
    def late(draft: Draft) -> None:
        draft.claims.update(iat=now() - 30, exp=now() - 20, aud=[CLIENT], azp=CLIENT)

    world.provider.lies(late)
    assert world.sign_in(world.site.browser()).status_code == 303


def test_oic_09_10_16_only_what_its_key_signed_counts(world: World) -> None:
    public = json.dumps(world.provider.keys[0].as_dict(private=False))
    pem = world.provider.keys[0].as_pem(private=False).decode()
    world.elsewhere.shown = {"keys": [new_key("one").as_dict(private=False)]}
    lies: list[Callable[[Draft], str]] = [altered, cut, by_another, zeros, unsigned]
    lies += [brings_key, names_address]
    lies += [by_secret(SECRET), by_secret(public), by_secret(pem)]
    for number, lie in enumerate(lies):
        browser = world.site.browser(f"192.0.2.{number}")
        world.provider.lies(finish=lie)
        assert refused(world.sign_in(browser)) == (400, "oidc_refused"), number
        assert me(browser) is None, number
    assert world.elsewhere.log == []
    assert world.provider.count("/userinfo") == 0


def test_jwt_05_nothing_critical_is_understood(world: World) -> None:
    for number, critical in enumerate(([], ["x"], ["b64"], "x", None)):
        browser = world.site.browser(f"192.0.2.{number}")
        world.provider.lies(set_header("crit", critical))
        assert refused(world.sign_in(browser)) == (400, "oidc_refused"), critical


def test_oic_14_userinfo_is_of_whom_the_token_is_about(world: World) -> None:
    browser = world.site.browser()
    world.provider.is_("s-ada", None)
    world.provider.userinfo = {"sub": "victim", "email": "ada@example.org"}
    assert refused(world.sign_in(browser)) == (400, "oidc_refused")
    world.provider.userinfo |= {"sub": "s-ada", "email_verified": True}
    assert world.sign_in(browser).status_code == 303
    assert me(browser)["email"] == "ada@example.org"


def test_oic_15_a_new_key_is_found_and_made_up_ones_cost_nothing(world: World) -> None:
    assert world.sign_in(world.site.browser()).status_code == 303
    assert world.provider.count("/keys") == 1
    world.provider.keys = [new_key("two")]
    assert world.sign_in(world.site.browser()).status_code == 303
    assert world.provider.count("/keys") == 2
    world.provider.lies(lambda draft: draft.header.update(kid=tokens.random(9)))
    for number in range(5):
        browser = world.site.browser(f"192.0.2.{number}")
        assert refused(world.sign_in(browser)) == (400, "oidc_refused")
    assert world.provider.count("/keys") == 2


def test_oic_15_a_key_for_something_else_is_none(world: World) -> None:
    own = world.provider.keys[0].as_dict(private=False)
    for name, value in (("use", "enc"), ("alg", "ES384"), ("kid", "another")):
        world.restart()
        world.provider.shown = {"keys": [own | {name: value}, {"kty": "?"}]}
        answer = world.sign_in(world.site.browser())
        assert refused(answer) == (400, "oidc_refused"), name
    world.provider.shown = None
    world.provider.lies(lambda draft: draft.header.pop("kid"))
    world.restart()
    assert world.sign_in(world.site.browser()).status_code == 303
    world.provider.keys = [new_key("one"), new_key("two")]
    world.restart()
    assert refused(world.sign_in(world.site.browser())) == (400, "oidc_refused")


def test_oic_15_a_key_that_was_withdrawn_is_gone_in_time(world: World) -> None:
    world.restart(keys=1)
    assert world.sign_in(world.site.browser()).status_code == 303
    world.provider.shown = {"keys": [new_key("one").as_dict(private=False)]}
    time.sleep(1.1)
    assert refused(world.sign_in(world.site.browser())) == (400, "oidc_refused")


def test_oic_17_a_description_of_another_issuer_is_none(world: World) -> None:
    lies: list[Callable[[dict[str, Any]], object]] = [
        lambda said: said | {"issuer": "https://evil.test"},
        lambda said: said | {"issuer": "https://id.test/"},
        lambda said: {k: v for k, v in said.items() if k != "issuer"},
        lambda said: [said],
        lambda said: said | {"authorization_endpoint": "http://id.test/authorize"},
    ]
    for number, lie in enumerate(lies):
        browser = world.site.browser(f"192.0.2.{number}")
        world.provider.lies(describe=lie)
        answer = browser.post("/auth/oidc/test/start", {})
        assert refused(answer) == (502, "provider_unavailable"), number
        assert world.begin(browser, "other").startswith("https://other.test/")
    assert world.site.rows(
        "SELECT COUNT(*) FROM auth_oidc_transactions WHERE provider = 'test'"
    ) == [(0,)]


def test_oic_18_no_call_follows_a_redirect(world: World) -> None:
    for path in (CONFIGURATION, "/keys", "/token"):
        world.restart()
        browser = world.site.browser()
        back = world.returning(browser) if path == "/token" else None
        there = {"Location": f"https://elsewhere.test{path}"}
        world.provider.instead = {path: Instead(307, headers=there)}
        answer = (
            world.comes_back(browser, back)
            if back
            else browser.post("/auth/oidc/test/start", {})
        )
        assert refused(answer) == (502, "provider_unavailable"), path
        world.provider.instead = {}
    assert world.elsewhere.log == []


def test_oic_18_many_wait_for_a_dead_provider_once(world: World) -> None:
    world.restart()
    world.provider.instead = {CONFIGURATION: Instead(500, seconds=2)}
    before = world.provider.count(CONFIGURATION)

    def start(turn: int) -> httpx2.Response:
        browser = world.site.browser(f"192.0.2.{turn}")
        answer: httpx2.Response = browser.post("/auth/oidc/test/start", {})
        return answer

    with ThreadPoolExecutor(5) as pool:
        for answer in pool.map(start, range(5)):
            assert refused(answer) == (502, "provider_unavailable")
    assert world.provider.count(CONFIGURATION) == before + 1
    world.provider.instead = {}
    answer = world.sign_in(world.site.browser())
    assert answer.status_code == 303, "whoever comes later asks again"


def test_oic_18_a_slow_or_endless_provider_costs_little(world: World) -> None:
    world.restart(timeout=1)
    for instead in (Instead(seconds=60), Instead(is_endless=True), Instead(500)):
        browser = world.site.browser()
        path = world.returning(browser)
        world.provider.instead = {"/token": instead}
        begun = time.monotonic()
        answer = world.comes_back(browser, path)
        assert refused(answer) == (502, "provider_unavailable")
        assert time.monotonic() - begun < 5
        world.provider.instead = {}


@pytest.mark.parametrize(
    ("address", "is_fine"),
    [
        ("https://id.test", True),
        ("http://id.test", False),
        ("http://127.0.0.1:4000", False),
        ("ftp://id.test", False),
        ("https://", False),
        ("id.test", False),
    ],
)
def test_oic_18_a_provider_has_tls(address: str, is_fine: bool) -> None:
    assert is_safe(address, development=False) is is_fine
    assert is_safe("http://127.0.0.1:4000", development=True)


def test_oic_19_an_account_is_found_by_issuer_and_subject(world: World) -> None:
    ada = me(world.federated())["id"]
    world.provider.is_("s-ada", "moved@example.org")
    browser = world.site.browser()
    assert world.sign_in(browser).status_code == 303
    assert me(browser)["id"] == ada
    for sub in ("s-eve", "S-ADA", " s-ada"):
        world.provider.is_(sub, "ada@example.org", preferred_username="s-ada")
        answer = world.sign_in(world.site.browser())
        assert refused(answer) == (409, "account_exists"), sub
    world.other.is_("s-ada", "eve@example.org")
    browser = world.site.browser()
    path = world.other.consents(world.begin(browser, "other"))
    assert world.comes_back(browser, path).status_code == 303
    assert me(browser)["id"] != ada


def test_oic_20_nothing_is_linked_by_an_address(world: World) -> None:
[%- if module.password %]
    member(world.site)
[%- else %]
    world.site.rows(
        "INSERT INTO auth_users (id, email, verified_at, password_changed_at, created_at)"
        " VALUES ('ada', 'ada@example.org', 1, 1, 1)"
    )
[%- endif %]
    for number, said in enumerate([True, False, "true", "false", 1, None, ""]):
        world.provider.is_("s-ada", "ada@example.org", email_verified=said)
        browser = world.site.browser(f"192.0.2.{number}")
        assert world.sign_in(browser).status_code in (403, 409), said
        assert me(browser) is None, said
    world.provider.is_("s-new", "new@example.org", email_verified="true")
    answer = world.sign_in(world.site.browser("192.0.2.99"))
    assert refused(answer) == (403, "email_unverified")
    assert world.site.rows("SELECT COUNT(*) FROM auth_identities") == [(0,)]


[% if module.password -%]
def test_oic_21_what_a_stranger_set_up_does_not_survive(world: World) -> None:
    stranger = world.site.browser("192.0.2.66")
    stranger.register("ada@example.org")
    token = world.site.token("ada@example.org")
    owner = world.federated()
    assert refused(stranger.login("ada@example.org")) == (401, "invalid_credentials")
    answer = stranger.post("/auth/verify", {"token": token})
    assert refused(answer) == (400, "token_invalid")
    assert me(owner)["amr"] == ["fed"]


[% endif -%]
def test_oic_22_linking_is_asked_for_and_for_who_asked(world: World) -> None:
    anonymous = world.site.browser()
    answer = anonymous.post("/auth/oidc/test/link", {})
    assert refused(answer) == (401, "not_signed_in")
[%- if module.password %]
    ada = member(world.site)
[%- else %]
    ada = world.federated("s-first")
    path = world.other.consents(world.begin(ada, "other", "link"))
    world.other.is_("s-other", "ada@example.org")
    assert world.comes_back(ada, path).status_code == 303
    assert ada.delete("/auth/oidc/test/link").status_code == 204
[%- endif %]
    answer = ada.post("/auth/oidc/test/link", {}, Origin="https://evil.test")
    assert refused(answer) == (403, "foreign_request")
    world.provider.is_("s-ada", "elsewhere@example.org")
    path = world.returning(ada, "link")
    # Somebody else signs in in the same browser meanwhile.
[%- if module.password %]
    eve = member(world.site, "eve@example.org", "192.0.2.9")
[%- else %]
    world.other.is_("s-eve", "eve@example.org")
    eve = world.site.browser("192.0.2.9")
    there = world.other.consents(world.begin(eve, "other"))
    assert world.comes_back(eve, there).status_code == 303
[%- endif %]
    both = world.site.browser()
    both.cookies = ada.cookies | {"__Host-auth-session": eve.session or ""}
    assert refused(world.comes_back(both, path)) == (400, "oidc_refused")
    assert "test" not in identities(eve)
    path = world.returning(ada, "link")
    assert world.comes_back(ada, path).status_code == 303
    assert "test" in identities(ada)
[%- if module.password %]
    assert "added" in world.site.letter("ada@example.org", "about")
[%- endif %]
    # It is never moved.
    answer = world.comes_back(eve, world.returning(eve, "link"))
    assert refused(answer) == (409, "identity_taken")
    assert "test" in identities(ada)
    assert "test" not in identities(eve)
    answer = eve.delete("/auth/oidc/test/link")
    assert refused(answer) == (404, "identity_unknown")
    assert world.sign_in(world.site.browser()).status_code == 303


def test_oic_22_a_sign_in_links_nothing(world: World) -> None:
[%- if module.password %]
    ada = member(world.site)
[%- else %]
    ada = world.federated()
[%- endif %]
    world.provider.is_("s-new", "new@example.org")
    assert world.sign_in(ada).status_code == 303
    assert me(ada)["email"] == "new@example.org"


def test_oic_23_the_last_way_in_stays(world: World) -> None:
    browser = world.federated()
    answer = browser.delete("/auth/oidc/test/link")
    assert refused(answer) == (409, "last_login_method")
    path = world.other.consents(world.begin(browser, "other", "link"))
    assert world.comes_back(browser, path).status_code == 303
    left = world.federated()
    with ThreadPoolExecutor() as pool:
        answers = pool.map(
            lambda name: left.delete(f"/auth/oidc/{name}/link").status_code,
            ("test", "other"),
        )
        assert sorted(answers) == [204, 409]
    assert me(left) is not None
    assert me(browser) is None


def test_oic_24_27_nothing_of_the_provider_reaches_the_browser(world: World) -> None:
    browser = world.site.browser()
    answer = world.sign_in(browser)
    assert answer.headers["location"] == "/"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    everything = f"{answer.headers} {answer.text} {browser.cookies}"
    for path in ("/auth/me", "/auth/identities", "/auth/export"):
        everything += browser.get(path).text
    everything += str(world.site.rows("SELECT * FROM auth_identities"))
    everything += str(world.site.rows("SELECT * FROM auth_oidc_transactions"))
    assert "sentinel" not in everything
    assert SECRET not in everything


def test_oic_25_an_answer_that_is_no_code_signs_nobody_in(world: World) -> None:
    browser = world.site.browser()
    world.provider.is_lax = True
    for spoil in ("&error=access_denied", "&code=other", "&state=other", "&iss=x"):
        path = world.returning(browser)
        world.refuses_unasked(browser, path + spoil)
    answer = world.comes_back(browser, changed(world.returning(browser), code=""))
    assert refused(answer) == (400, "oidc_refused")
    assert "access_denied" not in answer.text


@pytest.mark.parametrize(
    "instead",
    [
        Instead(400, b'{"error": "invalid_grant"}'),
        Instead(200, b'{"error": "invalid_grant"}'),
        Instead(401, b'{"error": "invalid_client"}'),
        Instead(200, b"<html>"),
        Instead(200, b""),
        Instead(200, b'{"access_token": "a", "token_type": "Bearer"}'),
        Instead(200, b'{"access_token": "a", "token_type": "Bearer", "id_token": 7}'),
        Instead(200, b'{"access_token": "a", "token_type": "mac", "id_token": "x"}'),
        Instead(200, b'{"access_token": "a\\nb", "token_type": "Bearer"}'),
    ],
)
def test_oic_25_a_token_endpoint_that_talks_nonsense(
    world: World, instead: Instead
) -> None:
    browser = world.site.browser()
    path = world.returning(browser)
    world.provider.instead = {"/token": instead}
    assert world.comes_back(browser, path).status_code in (400, 502)
    assert me(browser) is None
    world.provider.instead = {}
    world.refuses_unasked(browser, path)


def test_oic_26_what_was_asked_for_must_be_said(world: World) -> None:
    world.restart(max_age=60, acr="urn:x:mfa")
    asked = parameters(world.begin(world.site.browser()))
    assert (asked["max_age"], asked["acr_values"]) == ("60", "urn:x:mfa")
    lies: list[tuple[dict[str, object], int]] = [
        ({"auth_time": now() - 10, "acr": "urn:x:mfa"}, 303),
        ({"auth_time": now() - 150, "acr": "urn:x:mfa"}, 400),
        ({"auth_time": None, "acr": "urn:x:mfa"}, 400),
        ({"auth_time": now() - 10, "acr": "urn:x:pwd"}, 400),
        ({"auth_time": now() - 10}, 400),
    ]
    for number, (said, status) in enumerate(lies):
        world.provider.is_("s-ada", "ada@example.org", **said)
        answer = world.sign_in(world.site.browser(f"192.0.2.{number}"))
        assert answer.status_code == status, number


def test_ses_13_a_session_is_as_fresh_as_the_sign_in_there(world: World) -> None:
    for auth_time, status in ((now() - 7_200, 403), (None, 403), (now() + 999, 403)):
        world.provider.is_("s-ada", "ada@example.org", auth_time=auth_time)
        browser = world.site.browser()
        assert world.sign_in(browser).status_code == 303
        assert browser.get("/fresh").status_code == status, auth_time
        assert browser.delete("/auth/oidc/test/link").status_code == status
    path = world.returning(browser, "reauth")
    asked = parameters(world.begin(browser, what="reauth"))
    assert (asked["prompt"], asked["max_age"]) == ("login", "0")
    world.provider.is_("s-ada", "ada@example.org", auth_time=now() - 300)
    assert refused(world.comes_back(browser, path)) == (400, "oidc_refused")
    world.provider.is_("s-ada", "ada@example.org")
    before = browser.session
    path = world.returning(browser, "reauth")
    assert world.comes_back(browser, path).status_code == 303
    assert browser.session != before
    assert browser.get("/fresh").status_code == 200
    world.provider.is_("s-eve", "eve@example.org")
    path = world.returning(browser, "reauth")
    assert refused(world.comes_back(browser, path)) == (400, "oidc_refused")


def test_ses_13_a_provider_that_never_says_when_counts_as_now(world: World) -> None:
    world.restart(Preset(id="test", name="Test", reauth=False))
    world.provider.is_("s-ada", "ada@example.org", auth_time=None)
    browser = world.site.browser()
    assert "max_age" not in parameters(world.begin(browser))
    assert world.sign_in(browser).status_code == 303
    assert browser.get("/fresh").status_code == 200
    answer = browser.post("/auth/oidc/test/reauth", {})
    assert refused(answer) == (409, "reauth_unsupported")


def test_oic_28_what_a_provider_says_is_not_believed(world: World) -> None:
    more = {"role": "admin", "id": "x", "password_hash": "x", "name": "n" * 10_000}
    world.provider.is_("s-ada", "ada@example.org", **more)
    browser = world.site.browser()
    assert world.sign_in(browser).status_code == 303
    assert me(browser)["id"] != "x"
    for number, email in enumerate(["a@x.test,b@y.test", "<x>", "a@x.test\0"]):
        world.provider.is_(f"s-{number}", email)
        answer = world.sign_in(world.site.browser())
        assert refused(answer) == (403, "email_unverified"), email


[% if 'github' in providers -%]
def test_oic_14_an_api_says_who_somebody_is_by_number(world: World) -> None:
    preset = Preset(
        id="test",
        name="Test",
        secret_in_body=True,
        reauth=False,
        endpoints=Endpoints(
            authorize="https://id.test/authorize",
            token="https://id.test/token",
            user="https://id.test/user",
            emails="https://id.test/emails",
        ),
    )
    addresses = [
        {"email": "first@example.org", "primary": False, "verified": True},
        {"email": "ada@example.org", "primary": True, "verified": True},
    ]
    world.restart(preset)
    for number, (said, status) in enumerate(
        (({"id": "7"}, 502), ({"login": "ada"}, 502), ({"id": 7, "login": "ada"}, 303))
    ):
        browser = world.site.browser(f"192.0.2.{number}")
        location = world.begin(browser)
        assert "nonce" not in parameters(location)
        # The stub notes one for its ID token, which nobody reads here.
        path = world.provider.consents(f"{location}&nonce=none")
        world.provider.instead = {
            "/user": Instead(body=json.dumps(said).encode()),
            "/emails": Instead(body=json.dumps(addresses).encode()),
        }
        assert world.comes_back(browser, path).status_code == status, said
    assert me(browser)["email"] == "ada@example.org"
    assert world.site.rows("SELECT subject FROM auth_identities") == [("7",)]
    (_, form) = next(call for call in world.provider.log if call[0] == "/token")
    assert "client_secret=" in form


[% endif -%]
[% if 'apple' in providers -%]
def test_oic_25_a_posted_answer_does_nothing_by_itself(world: World) -> None:
    browser = world.site.browser()
    path, _, query = world.returning(browser).partition("?")
    foreign = {
        "Origin": "https://appleid.apple.com",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    post = world.site.client.post
    assert post(path, content=query, headers=foreign).status_code == 405
    world.restart(Preset(id="test", name="Test", form_post=True))
    location = world.begin(browser)
    assert parameters(location)["response_mode"] == "form_post"
    path, _, query = world.provider.consents(location).partition("?")
    answer = post(path, content=f"{query}&user=evil", headers=foreign)
    there = answer.headers["location"]
    assert answer.status_code == 303
    assert there.startswith(f"{path}?")
    assert "evil" not in there
    assert world.provider.count("/token") == 0
    assert world.comes_back(browser, there).status_code == 303
    assert me(browser)["amr"] == ["fed"]


[% endif -%]
def test_ses_11_a_disabled_account_is_not_opened(world: World) -> None:
    world.federated()
    world.site.rows(f"UPDATE auth_users SET disabled_at = {now()}")
    answer = world.sign_in(world.site.browser())
    assert refused(answer) == (400, "oidc_refused")


def test_rac_04_parallel_answers_make_one_account(world: World) -> None:
    browsers = [world.site.browser(f"192.0.2.{number}") for number in range(4)]
    paths = [world.returning(browser) for browser in browsers]
    # Each comes twice.
    with ThreadPoolExecutor() as pool:
        answers = list(
            pool.map(
                lambda pair: world.comes_back(*pair).status_code,
                list(zip(browsers, paths, strict=True)) * 2,
            )
        )
    assert sorted(answers) == [303] * 4 + [400] * 4
    for table in ("auth_users", "auth_identities"):
        assert world.site.rows(f"SELECT COUNT(*) FROM {table}") == [(1,)]
    assert world.site.rows("SELECT COUNT(*) FROM auth_sessions") == [(4,)]


def test_red_01_only_a_path_of_this_site_is_gone_to(world: World) -> None:
    for path in ("/", "/a/", "/a?b=//c", "/a/b#c"):
        assert is_local_path(path), path
    for path in (
        "",
        "a",
        "//evil.test",
        "/\\evil.test",
        "/a/../b",
        "/%2e%2e/x",
        "/%2f/x",
        "/a\t",
        "https://evil.test",
        "/" + "a" * 2_048,
    ):
        assert not is_local_path(path), path
    for wish, there in (("/notes?a=1", "/notes?a=1"), ("//evil.test", "/")):
        browser = world.site.browser()
        answer = browser.post("/auth/oidc/test/start", {"next": wish})
        path = world.provider.consents(answer.json()["location"])
        assert world.comes_back(browser, path).headers["location"] == there


def test_cfg_01_03_a_provider_that_is_not_safe_keeps_it_from_starting() -> None:
    preset = PRESETS[0]
    complete = ENVIRONMENT | {"DATABASE_URL": EXAMPLE}
    assert preset.id in from_environment(complete).oidc.providers
    client = preset.variable("CLIENT_ID")
    left = {name: value for name, value in complete.items() if name != client}
    with pytest.raises(SettingError, match=client):
        from_environment(left)
    wrong = {"AUTH_OIDC_CA_FILE": "/dev/null", "AUTH_OIDC_TIMEOUT_SECONDS": "6"}
[%- if providers | length > 1 or 'github' not in providers %]
    issued = next(one for one in PRESETS if one.id != "github").variable("ISSUER")
    for value in ("http://id.test", "https://id.test?x", "https://a@id.test", "id"):
        with pytest.raises(SettingError, match=issued):
            from_environment(complete | {issued: value})
[%- endif %]
    for name, value in wrong.items():
        with pytest.raises(SettingError, match=name):
            from_environment(complete | {name: value})
[%- if not module.password %]


def test_ses_01_02_03_a_sign_in_is_a_session_of_its_own(world: World) -> None:
    ada = world.federated()
    first = str(ada.session)
    assert len(first) == 43
    held = world.site.rows("SELECT id_hash FROM auth_sessions")
    assert held == [(tokens.digest(first),)]
    assert world.sign_in(ada).status_code == 303
    thief = world.site.browser()
    thief.cookies = {"__Host-auth-session": first}
    assert me(thief) is None


def test_cke_01_02_03_cookies_are_bound_to_the_host(world: World) -> None:
    browser = world.site.browser()
    begun = browser.post("/auth/oidc/test/start", {})
    path = world.provider.consents(begun.json()["location"])
    for answer in (begun, world.comes_back(browser, path)):
        line = answer.headers["set-cookie"]
        assert line.startswith("__Host-auth-")
        for attribute in ("Path=/", "HttpOnly", "Secure", "SameSite=Lax"):
            assert attribute in line.split("; ")
        assert "Domain" not in line


def test_ses_05_a_cookie_that_comes_twice_counts_for_nothing(world: World) -> None:
    value = f"__Host-auth-session={world.federated().session}"
    answer = world.site.browser().get("/mine", Cookie=f"{value}; {value}")
    assert answer.status_code == 401


@pytest.mark.parametrize("column", ["last_seen_at", "expires_at"])
def test_ses_06_07_sessions_end_by_themselves(world: World, column: str) -> None:
    ada = world.federated()
    world.site.rows(f"UPDATE auth_sessions SET {column} = {column} - 3000000")
    assert me(ada) is None


def test_ses_08_signing_out_ends_the_session_on_the_server(world: World) -> None:
    ada = world.federated()
    session = str(ada.session)
    assert '"cookies"' in ada.post("/auth/logout").headers["clear-site-data"]
    ada.cookies = {"__Host-auth-session": session}
    assert me(ada) is None


def test_ses_09_12_sessions_are_listed_and_ended_by_their_owner(world: World) -> None:
    ada, phone = world.federated(), world.federated()
    eve = world.federated("s-eve", "eve@example.org")
    listed = ada.get("/auth/sessions").json()["sessions"]
    other = next(entry["id"] for entry in listed if not entry["current"])
    assert eve.delete(f"/auth/sessions/{other}").status_code == 404
    assert ada.delete(f"/auth/sessions/{other}").status_code == 204
    assert (me(phone), me(ada)["amr"]) == (None, ["fed"])
    phone = world.federated()
    assert ada.post("/auth/sessions/revoke-others").json()["revoked"] == 1
    assert me(phone) is None


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/fresh"),
        ("GET", "/auth/export"),
        ("DELETE", "/auth/account"),
        ("POST", "/auth/oidc/other/link"),
        ("DELETE", "/auth/oidc/test/link"),
        ("POST", "/auth/sessions/revoke-others"),
        ("DELETE", "/auth/sessions/x"),
    ],
)
def test_ses_13_what_matters_takes_a_fresh_sign_in(
    world: World, method: str, path: str
) -> None:
    ada = world.federated()
    world.site.rows("UPDATE auth_sessions SET authenticated_at = 1")
    answer = ada.send(method, path)
    assert refused(answer) == (403, "reauth_required")


def test_ses_11_an_account_is_exported_and_deleted(world: World) -> None:
    ada = world.federated()
    export = ada.get("/auth/export").json()
    assert export["account"]["email"] == "ada@example.org"
    assert [one["provider"] for one in export["identities"]] == ["test"]
    assert ada.delete("/auth/account").status_code == 204
    assert me(ada) is None
    for table in ("auth_users", "auth_sessions", "auth_identities"):
        assert world.site.rows(f"SELECT * FROM {table}") == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.test", "Sec_Fetch_Site": None},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Referer": "https://app.test.evil.test/"},
        {"Origin": None, "Sec_Fetch_Site": None},
    ],
)
@pytest.mark.parametrize("path", ["/mine", "/auth/logout", "/auth/oidc/test/start"])
def test_csr_02_03_requests_from_elsewhere_are_refused(
    world: World, path: str, headers: dict[str, str | None]
) -> None:
    ada = world.federated()
    assert refused(ada.post(path, **headers)) == (403, "foreign_request")


def test_csr_05_inp_03_04_05_bodies_are_json_objects(world: World) -> None:
    for body, kind, code in (
        (b"next=/", "application/x-www-form-urlencoded", "json_required"),
        (b"{", "application/json", "malformed_request"),
        (b'{"next": "/", "next": "/a"}', "application/json", "malformed_request"),
        (b'{"next": 1}', "application/json", "invalid_fields"),
        (b'{"next": "' + b"a" * 70_000 + b'"}', "application/json", "body_too_large"),
    ):
        answer = world.site.client.post(
            "/auth/oidc/test/start", content=body, headers={"Content-Type": kind}
        )
        assert answer.json()["code"] == code


def test_hdr_01_02_03_every_answer_has_the_headers(world: World) -> None:
    for path in ("/auth/me", "/auth/providers", "/auth/nothing"):
        headers = world.site.client.get(path).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_thr_08_a_source_begins_so_many_sign_ins(world: World) -> None:
    world.site.change(login_source=2)
    for ip, status in (("a", 200), ("a", 200), ("a", 429), ("b", 200)):
        browser = world.site.browser({"a": "192.0.2.1", "b": "192.0.2.2"}[ip])
        answer = browser.post("/auth/oidc/test/start", {})
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AUTH_SECRET", None),
        ("AUTH_SECRET", "a" * 64),
        ("AUTH_BASE_URL", "http://app.test"),
        ("DATABASE_URL", None),
        *[("DATABASE_URL", refused) for refused in REFUSED],
        ("AUTH_TRUSTED_PROXIES", "0.0.0.0/0"),
        ("AUTH_ENV", "dev"),
        ("AUTH_SESSION_IDLE_SECONDS", "0"),
    ],
)
def test_cfg_01_02_03_04_settings_that_are_weak_end_the_start(
    name: str, value: str | None
) -> None:
    environment = ENVIRONMENT | {"DATABASE_URL": EXAMPLE}
    environment.pop(name, None)
    if value is not None:
        environment[name] = value
    with pytest.raises(SettingError, match=name):
        from_environment(environment)


def test_ses_11_15_the_operator_ends_sessions_and_disables(world: World) -> None:
    ada = world.federated()

    def act(command: str) -> None:
        async def run() -> None:
            database = Database(world.site.settings.database_url)
            await operator.act(database, command, "ada@example.org")
            await database.close()

        asyncio.run(run())

    act("revoke")
    assert me(ada) is None
    assert world.sign_in(ada).status_code == 303
    act("disable")
    assert me(ada) is None
    assert refused(world.sign_in(ada)) == (400, "oidc_refused")
    act("enable")
    assert world.sign_in(ada).status_code == 303
[%- if module.tokens %]


def issued(browser: Browser, **more: str) -> dict[str, Any]:
    answer = browser.post("/auth/token", {"grant": "session"} | more)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def call(world: World, token: str, path: str = "/api") -> int:
    """What a program gets that has no cookies."""
    method = "POST" if path == "/api" else "GET"
    authorization = f"Bearer {token}"
    program = world.site.browser("192.0.2.7")
    status: int = program.send(method, path, Authorization=authorization).status_code
    return status


def test_jwt_01_10_15_a_token_is_ours_and_for_what_it_says(world: World) -> None:
    ada = world.federated()
    found = issued(ada, scope="write")
    assert call(world, found["access_token"], "/auth/token/me") == 200
    assert call(world, found["access_token"]) == 403
    token = issued(ada)["access_token"]
    assert call(world, token) == 200
    head, payload, signature = token.split(".")
    for forged in (f"{head}.{payload}.", f"{head}.{payload}.{signature[:-2]}AA", ""):
        assert call(world, forged) == 401
    assert call(world, token, "/mine") == 401
    ada.post("/auth/logout")
    assert call(world, token) == 401


def test_jwt_15_a_token_is_as_fresh_as_the_sign_in_there(world: World) -> None:
    assert call(world, issued(world.federated())["access_token"], "/api/fresh") == 200
    world.provider.is_("s-ada", "ada@example.org", auth_time=now() - 7_200)
    browser = world.site.browser()
    assert world.sign_in(browser).status_code == 303
    assert call(world, issued(browser)["access_token"], "/api/fresh") == 403


def test_rft_01_02_a_refresh_token_counts_once(world: World) -> None:
    ada, program = world.federated(), world.site.browser("192.0.2.7")
    first = issued(ada)
    path = "/auth/token/refresh"
    answer = program.post(path, {"refresh_token": first["refresh_token"]})
    following = answer.json()
    assert call(world, following["access_token"]) == 200
    answer = program.post(path, {"refresh_token": first["refresh_token"]})
    assert refused(answer) == (400, "invalid_grant")
    assert call(world, following["access_token"]) == 401
    answer = program.post(path, {"refresh_token": following["refresh_token"]})
    assert refused(answer) == (400, "invalid_grant")


def test_ses_09_12_a_program_is_listed_and_signed_out(world: World) -> None:
    ada, eve = world.federated(), world.federated("s-eve", "eve@example.org")
    token = issued(ada, device="a phone")["access_token"]
    (device,) = ada.get("/auth/devices").json()["devices"]
    assert device["device"] == "a phone"
    answer = eve.delete(f"/auth/devices/{device['id']}")
    assert refused(answer) == (404, "device_unknown")
    assert ada.delete(f"/auth/devices/{device['id']}").status_code == 204
    assert call(world, token) == 401


def test_nobody_gets_tokens_for_a_password(world: World) -> None:
    form = {"grant": "password", "email": "ada@example.org", "password": "x"}
    answer = world.site.browser().post("/auth/token", form)
    assert refused(answer) == (422, "invalid_fields")
    answer = world.site.browser().post("/auth/token", {"grant": "session"})
    assert refused(answer) == (401, "not_signed_in")
[%- endif %]
[%- endif %]
