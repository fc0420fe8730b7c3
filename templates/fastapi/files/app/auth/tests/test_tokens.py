"""Tokens for programs: each test is named after the control that it is about."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from app.auth import tokens
from app.auth.bearer import keys
from app.auth.bearer.access import LEEWAY_SECONDS
from app.auth.db import now
from app.auth.settings import from_environment
from app.auth.variables import SettingError

from .conftest import ENVIRONMENT, ORIGIN, PASSWORD, Browser, Site, member
from .database import EXAMPLE


def ask(site: Site, **more: str) -> Any:
    """What a program gets that has no cookies and is no browser."""
    form = {"grant": "password", "email": "ada@example.org", "password": PASSWORD}
    return program(site).post(
        "/auth/token", form | more, Origin=None, Sec_Fetch_Site=None
    )


def program(site: Site, ip: str = "192.0.2.7") -> Browser:
    return site.browser(ip)


def issued(site: Site, **more: str) -> dict[str, Any]:
    answer = ask(site, **more)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def call(site: Site, access_token: str, path: str = "/api") -> Any:
    method = "GET" if path != "/api" else "POST"
    return program(site).send(method, path, Authorization=f"Bearer {access_token}")


def refresh(site: Site, token: str, **more: str) -> Any:
    return program(site).post("/auth/token/refresh", {"refresh_token": token} | more)


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    head, payload, _ = token.split(".")
    read = [
        json.loads(base64.urlsafe_b64decode(part + "===")) for part in (head, payload)
    ]
    return read[0], read[1]


def forged(
    site: Site,
    token: str,
    header: dict[str, Any] | None = None,
    claims: dict[str, Any] | None = None,
) -> str:
    """The token with changes, signed by the application's own key. `None` takes a part out."""
    head, payload = parts(token)
    head |= header or {}
    payload |= claims or {}
    key = site.settings.token_keys.signing
    return jwt.encode(
        {name: value for name, value in head.items() if value is not None},
        {name: value for name, value in payload.items() if value is not None},
        key,
        ["ES256"],
    )


def is_refused(site: Site, token: str) -> bool:
    answer = call(site, token)
    refused: bool = (answer.status_code, answer.json()["code"]) == (
        401,
        "token_invalid",
    )
    return refused and "invalid_token" in answer.headers["www-authenticate"]


def test_jwt_01_only_what_our_key_signed_counts(site: Site) -> None:
    member(site)
    token = issued(site)["access_token"]
    assert call(site, token).status_code == 200
    head, payload, signature = token.split(".")
    other = jwt.encode(*parts(token), ECKey.generate_key("P-256"), ["ES256"])
    for text in (
        f"{head}.{payload}.",
        f"{head}.{payload}",
        f"{head}.{payload}.{signature[:-2]}AA",
        f"{head}.{payload[:-2]}AA.{signature}",
        other,
        "x",
        "..",
        "",
    ):
        assert is_refused(site, text), text


def test_jwt_02_the_algorithm_is_ours(site: Site) -> None:
    member(site)
    token = issued(site)["access_token"]
    header, claims = parts(token)
    public = site.settings.token_keys.published()["keys"][0]
    confused = OctKey.import_key(json.dumps(public))
    symmetric = jwt.encode(header | {"alg": "HS256"}, claims, confused, ["HS256"])
    none = base64.urlsafe_b64encode(json.dumps(header | {"alg": "none"}).encode())
    for text in (symmetric, f"{none.decode().rstrip('=')}.{token.split('.')[1]}."):
        assert is_refused(site, text)


@pytest.mark.parametrize(
    "header",
    [
        {"kid": None},
        {"kid": "../../etc/passwd"},
        {"kid": "' OR 1=1 --"},
        {"jwk": {"kty": "EC"}},
        {"jku": "https://evil.test/keys"},
        {"x5u": "https://evil.test/keys"},
        {"crit": ["exp"], "exp": 1},
        {"typ": None},
        {"typ": "JWT"},
        {"cty": "JWT"},
    ],
)
def test_jwt_03_04_05_09_a_header_names_our_key_our_type_and_nothing_else(
    site: Site, header: dict[str, Any]
) -> None:
    member(site)
    token = issued(site)["access_token"]
    head, claims = parts(token)
    head |= header
    kept = {name: value for name, value in head.items() if value is not None}
    # By hand: the library would not write some of these.
    encoded = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in (kept, claims)
    ]
    signed = jwt.encode(*parts(token), site.settings.token_keys.signing, ["ES256"])
    assert call(site, signed).status_code == 200
    signature = sign(site, ".".join(encoded))
    assert is_refused(site, ".".join([*encoded, signature]))


def sign(site: Site, text: str) -> str:
    from joserfc.jws import JWSRegistry

    algorithm = JWSRegistry.algorithms["ES256"]
    signature = algorithm.sign(text.encode(), site.settings.token_keys.signing)
    return base64.urlsafe_b64encode(signature).decode().rstrip("=")


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": None},
        {"exp": "9999999999"},
        {"exp": 9e99},
        {"exp": True},
        {"nbf": None},
        {"iat": None},
        {"nbf": 9999999999},
        {"iat": 9999999999},
        {"iss": None},
        {"iss": "https://evil.test"},
        {"iss": [ORIGIN]},
        {"iss": f"{ORIGIN}/"},
        {"aud": None},
        {"aud": "https://evil.test"},
        {"aud": []},
        {"aud": {"a": ORIGIN}},
        {"sub": None},
        {"sub": "a\0b"},
        {"sid": "other"},
        {"ver": 7},
        {"ver": "0"},
    ],
)
def test_jwt_06_07_08_each_claim_is_there_and_right(
    site: Site, claims: dict[str, Any]
) -> None:
    member(site)
    token = issued(site)["access_token"]
    assert call(site, forged(site, token)).status_code == 200
    assert is_refused(site, forged(site, token, claims=claims))


def test_jwt_06_a_token_is_over_when_it_says(site: Site) -> None:
    member(site)
    token = issued(site)["access_token"]
    early = {"exp": now() - LEEWAY_SECONDS + 15}
    assert call(site, forged(site, token, claims=early)).status_code == 200
    late = {"exp": now() - LEEWAY_SECONDS - 1}
    assert is_refused(site, forged(site, token, claims=late))


@pytest.mark.parametrize("end", ["revoke", "logout", "password", "disable", "device"])
def test_jwt_10_what_ends_a_program_ends_its_access_tokens(
    site: Site, end: str
) -> None:
    ada = member(site)
    token = issued(site)
    if end == "logout":
        token = ada.post("/auth/token", {"grant": "session"}).json()
    assert call(site, token["access_token"]).status_code == 200
    if end == "revoke":
        form = {"token": token["refresh_token"]}
        assert program(site).post("/auth/token/revoke", form).status_code == 200
    elif end == "logout":
        ada.post("/auth/logout")
    elif end == "password":
        form = {"current_password": PASSWORD, "new_password": f"{PASSWORD} too"}
        assert ada.post("/auth/password", form).status_code == 200
    elif end == "disable":
        site.rows("UPDATE auth_users SET disabled_at = 1")
    else:
        (device,) = ada.get("/auth/devices").json()["devices"]
        assert ada.delete(f"/auth/devices/{device['id']}").status_code == 204
    assert is_refused(site, token["access_token"])
    assert refresh(site, token["refresh_token"]).json()["code"] == "invalid_grant"


def test_jwt_10_programs_outlive_the_end_of_another_session(site: Site) -> None:
    ada, phone = member(site), site.browser()
    phone.login("ada@example.org")
    token = issued(site)["refresh_token"]
    listed = ada.get("/auth/sessions").json()["sessions"]
    other = next(entry["id"] for entry in listed if not entry["current"])
    assert ada.delete(f"/auth/sessions/{other}").status_code == 204
    following = refresh(site, token).json()
    assert call(site, following["access_token"]).status_code == 200
    assert ada.post("/auth/sessions/revoke-others").status_code == 200
    assert is_refused(site, following["access_token"])


def test_jwt_11_a_token_is_short_lived_and_says_little(site: Site) -> None:
    member(site)
    answer = issued(site)
    header, claims = parts(answer["access_token"])
    assert header["typ"] == "at+jwt"
    assert claims["exp"] - claims["iat"] == answer["expires_in"] == 600
    assert "ada" not in json.dumps(claims)
    assert answer["token_type"] == "Bearer"


def test_jwt_12_keys_are_published_and_replaced(site: Site) -> None:
    member(site)
    old = issued(site)["access_token"]
    fresh, former = keys.fresh_key(), ENVIRONMENT["AUTH_TOKEN_KEY"]
    published = site.client.get("/.well-known/jwks.json")
    (key,) = published.json()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    more = {"DATABASE_URL": EXAMPLE, "AUTH_TOKEN_KEY": fresh}
    both = from_environment(ENVIRONMENT | more | {"AUTH_TOKEN_OLD_KEYS": former})
    site.auth.access.keys = both.token_keys
    assert call(site, old).status_code == 200
    new = issued(site)["access_token"]
    assert parts(new)[0]["kid"] != parts(old)[0]["kid"]
    assert len(site.client.get("/.well-known/jwks.json").json()["keys"]) == 2
    site.auth.access.keys = from_environment(ENVIRONMENT | more).token_keys
    assert is_refused(site, old)
    assert call(site, new).status_code == 200


def written(key: Any) -> str:
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return base64.b64encode(der).decode()


@pytest.mark.parametrize(
    "key",
    [
        "x",
        "!",
        written(rsa.generate_private_key(65537, 2048)),
        written(ed25519.Ed25519PrivateKey.generate()),
        written(ec.generate_private_key(ec.SECP384R1())),
        written(ec.derive_private_key(7, ec.SECP256R1())),
        # RFC 6979 A.2.5.
        written(
            ec.derive_private_key(
                0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721,
                ec.SECP256R1(),
            )
        ),
    ],
)
def test_jwt_12_weak_keys_end_the_start(key: str) -> None:
    given = ENVIRONMENT | {"DATABASE_URL": EXAMPLE}
    for name in ("AUTH_TOKEN_KEY", "AUTH_TOKEN_OLD_KEYS"):
        # The random look of a key that signs no more was judged when it did.
        if name == "AUTH_TOKEN_OLD_KEYS" and key == written(
            ec.derive_private_key(7, ec.SECP256R1())
        ):
            continue
        with pytest.raises(SettingError) as caught:
            from_environment(given | {name: key})
        assert str(caught.value).startswith(name)


def test_jwt_13_a_token_stands_in_one_header(site: Site) -> None:
    ada = member(site)
    token = issued(site)["access_token"]
    assert ada.get("/auth/token/me").status_code == 401
    assert site.browser().get(f"/auth/token/me?access_token={token}").status_code == 401
    missing = site.browser().get("/auth/token/me")
    assert missing.headers["www-authenticate"] == "Bearer"
    for value in (token, f"Basic {token}", f"Bearer  {token}", "Bearer"):
        assert (
            program(site).get("/auth/token/me", Authorization=value).status_code == 401
        )
    # Nor does a token open what takes a session.
    assert (
        program(site).get("/mine", Authorization=f"Bearer {token}").status_code == 401
    )


def test_jwt_14_long_tokens_are_refused_unread(site: Site) -> None:
    member(site)
    token = issued(site)["access_token"]
    assert is_refused(site, forged(site, token, claims={"more": "a" * 9_000}))
    assert is_refused(site, "[" * 30_000)


def test_jwt_15_scopes_are_granted_asked_for_and_fresh(site: Site) -> None:
    member(site)
    write = issued(site, scope="write")["access_token"]
    answer = call(site, write)
    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
    assert 'scope="read"' in answer.headers["www-authenticate"]
    assert call(site, write, "/auth/token/me").json()["scope"] == "write"
    assert ask(site, scope="admin").json()["code"] == "invalid_scope"
    assert ask(site, scope="").json()["code"] == "invalid_scope"
    assert call(site, write, "/api/fresh").status_code == 200
    for auth_time in (now() - 900, -1):
        stale = forged(site, write, claims={"auth_time": auth_time})
        answer = call(site, stale, "/api/fresh")
        assert answer.json()["code"] == "insufficient_user_authentication"


def test_rft_01_02_a_refresh_token_works_once_and_reuse_ends_the_family(
    site: Site,
) -> None:
    member(site)
    first = issued(site)
    second = refresh(site, first["refresh_token"]).json()
    third = refresh(site, second["refresh_token"]).json()
    assert call(site, third["access_token"]).status_code == 200
    again = refresh(site, first["refresh_token"])
    assert (again.status_code, again.json()["code"]) == (400, "invalid_grant")
    assert is_refused(site, third["access_token"])
    assert refresh(site, third["refresh_token"]).status_code == 400
    found = "SELECT count(*) FROM auth_audit WHERE event = 'token_reuse'"
    assert site.rows(found) == [(1,)]


def test_rft_03_of_parallel_uses_one_succeeds(site: Site) -> None:
    member(site)
    token = issued(site)["refresh_token"]
    headers = {"Origin": ORIGIN, "X-Forwarded-For": "192.0.2.9"}
    form = {"refresh_token": token}

    def use(_: int) -> int:
        answer = site.client.post("/auth/token/refresh", json=form, headers=headers)
        return answer.status_code

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(use, range(8)))
    assert sorted(answers) == [200] + [400] * 7


def test_rft_04_the_database_holds_hashes(site: Site) -> None:
    member(site)
    answer = issued(site)
    stored = site.rows("SELECT token_hash FROM auth_refresh_tokens")
    assert stored == [(tokens.digest(answer["refresh_token"]),)]
    assert len(answer["refresh_token"]) >= 43
    assert answer["refresh_token"] not in str(site.rows("SELECT * FROM auth_audit"))


@pytest.mark.parametrize(
    ("table", "column"),
    [("auth_refresh_tokens", "expires_at"), ("auth_token_families", "expires_at")],
)
def test_rft_05_a_refresh_token_ends_by_itself(
    site: Site, table: str, column: str
) -> None:
    member(site)
    token = issued(site)["refresh_token"]
    site.rows(f"UPDATE {table} SET {column} = {column} - 3000000")
    assert refresh(site, token).json()["code"] == "invalid_grant"
    assert site.rows("SELECT used_at FROM auth_refresh_tokens") == [(None,)]


def test_rft_06_the_end_of_a_program_tells_nothing(site: Site) -> None:
    member(site)
    answer = issued(site)
    for text in ("x", answer["access_token"], answer["access_token"]):
        told = program(site).post("/auth/token/revoke", {"token": text})
        assert (told.status_code, told.json()) == (200, {"status": "revoked"})
    assert is_refused(site, answer["access_token"])


def test_rft_07_tokens_go_in_bodies_and_stay_out_of_caches(site: Site) -> None:
    member(site)
    answer = ask(site)
    assert answer.headers["cache-control"] == "no-store"
    token = answer.json()["refresh_token"]
    path = f"/auth/token/refresh?refresh_token={token}"
    assert program(site).post(path, {}).status_code == 422
    assert program(site).get(path).status_code == 405
    assert refresh(site, token).status_code == 200


def test_rft_08_a_scope_is_narrowed_and_never_widened(site: Site) -> None:
    member(site)
    token = issued(site, scope="read")["refresh_token"]
    wider = refresh(site, token, scope="read write")
    assert wider.json()["code"] == "invalid_scope"
    assert refresh(site, token, scope="read").json()["scope"] == "read"


def test_ses_09_12_devices_are_listed_and_ended_by_their_owner_only(site: Site) -> None:
    ada, eve = member(site), member(site, "eve@example.org", "192.0.2.66")
    token = issued(site, device="My phone")
    issued(site, device="Laptop")
    listed = ada.get("/auth/devices").json()["devices"]
    assert {entry["device"] for entry in listed} == {"My phone", "Laptop"}
    phone = next(entry["id"] for entry in listed if entry["device"] == "My phone")
    assert eve.delete(f"/auth/devices/{phone}").status_code == 404
    own = {"Authorization": f"Bearer {token['access_token']}"}
    current = program(site).get("/auth/devices", **own).json()["devices"]
    assert [entry["id"] for entry in current if entry["current"]] == [phone]
    laptop = next(entry["id"] for entry in listed if entry["id"] != phone)
    assert program(site).delete(f"/auth/devices/{laptop}", **own).status_code == 404
    assert program(site).delete(f"/auth/devices/{phone}", **own).status_code == 204
    assert is_refused(site, token["access_token"])


def test_thr_01_programs_meet_the_same_limits_as_browsers(site: Site) -> None:
    member(site)
    for _ in range(5):
        assert ask(site, password="another quiet meadow there").status_code == 401
    assert ask(site).status_code == 429


def test_csr_02_a_session_gives_tokens_to_this_site_only(site: Site) -> None:
    ada = member(site)
    form = {"grant": "session"}
    answer = ada.post("/auth/token", form, Origin="https://evil.test")
    assert answer.json()["code"] == "foreign_request"
    assert ada.post("/auth/token", form).status_code == 200
    assert site.browser().post("/auth/token", form).json()["code"] == "not_signed_in"
