"""Sign-up, confirmation, sign-in, and what answers reveal."""

import pytest

from .conftest import OTHER_PASSWORD, PASSWORD, Site, member


def test_an_account_is_confirmed_and_signed_in(site: Site) -> None:
    ada = member(site)
    me = ada.get("/auth/me").json()
    assert (me["email"], me["email_verified"], me["amr"]) == (
        "ada@example.org",
        True,
        ["pwd"],
    )
    assert ada.get("/mine").json() == {"id": me["id"]}
    assert ada.post("/auth/logout").status_code == 204
    assert ada.get("/mine").status_code == 401


def test_reg_01_a_known_address_is_told_by_mail_only(site: Site) -> None:
    member(site)
    stranger = site.browser("192.0.2.2")
    new = stranger.register("new@example.org", OTHER_PASSWORD)
    known = stranger.register("ada@example.org", OTHER_PASSWORD)
    assert (new.status_code, new.json()) == (known.status_code, known.json())
    assert "has an account already" in site.letter(
        "ada@example.org", "you have an account"
    )
    assert stranger.login("ada@example.org", OTHER_PASSWORD).status_code == 401


def test_reg_02_wrong_passwords_and_unknown_addresses_look_alike(site: Site) -> None:
    member(site)
    stranger = site.browser("192.0.2.2")
    wrong = stranger.login("ada@example.org", OTHER_PASSWORD)
    unknown = stranger.login("nobody@example.org", OTHER_PASSWORD)
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()


def test_eml_01_an_unconfirmed_account_does_not_sign_in(site: Site) -> None:
    browser = site.browser()
    browser.register("ada@example.org")
    answer = browser.login("ada@example.org")
    assert (answer.status_code, answer.json()["code"]) == (403, "email_unverified")
    assert browser.session is None


def test_oic_21_a_link_alone_does_not_confirm_what_a_stranger_registered(
    site: Site,
) -> None:
    site.browser("192.0.2.66").register("ada@example.org")
    owner = site.browser()
    token = site.token("ada@example.org")
    assert owner.get(f"/auth/verify?token={token}").json()["password_required"] is True
    assert owner.post("/auth/verify", {"token": token}).status_code == 401
    wrong = owner.post("/auth/verify", {"token": token, "password": OTHER_PASSWORD})
    assert (wrong.status_code, owner.session) == (401, None)


def test_eml_03_04_a_link_works_once_and_looking_does_not_use_it(site: Site) -> None:
    browser = site.browser()
    browser.register("ada@example.org")
    token = site.token("ada@example.org")
    for _ in range(2):
        assert browser.get(f"/auth/verify?token={token}").status_code == 200
    assert browser.post("/auth/verify", {"token": token}).status_code == 200
    again = browser.post("/auth/verify", {"token": token})
    assert (again.status_code, again.json()["code"]) == (400, "token_invalid")


def test_eml_03_an_expired_link_is_refused(site: Site) -> None:
    site.change(verify_token=-1)
    browser = site.browser()
    browser.register("ada@example.org")
    answer = browser.post("/auth/verify", {"token": site.token("ada@example.org")})
    assert answer.json()["code"] == "token_invalid"


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short", "password_too_short"),
        ("x" * 257, "password_too_long"),
        ("ä" * 600, "password_too_long"),
        ("123456789123456789", "password_common"),
        ("ada@example.org-123", "password_contextual"),
    ],
)
def test_pwd_02_03_05_07_bad_passwords_are_refused_with_a_reason(
    site: Site, password: str, code: str
) -> None:
    answer = site.browser().register("ada@example.org", password)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_pwd_12_spellings_of_a_password_that_look_the_same_are_the_same(
    site: Site,
) -> None:
    browser = site.browser()
    browser.register("ada@example.org", "cafe\u0301 under nine clouds")
    browser.post("/auth/verify", {"token": site.token("ada@example.org")})
    assert (
        site.browser().login("ada@example.org", "café under nine clouds").status_code
        == 200
    )


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ada",
        "ada@localhost",
        "a b@example.org",
        "ada@exämple.org",
        "ada@example.org\n",
    ],
)
def test_inp_01_02_other_spellings_of_addresses_are_refused(
    site: Site, address: str
) -> None:
    assert site.browser().register(address).json()["code"] == "email_invalid"


def test_eml_03_a_resent_link_takes_the_place_of_the_first(site: Site) -> None:
    browser = site.browser()
    browser.register("ada@example.org")
    first = site.token("ada@example.org")
    site.mailbox.clear()
    assert (
        browser.post("/auth/verify/resend", {"email": "ada@example.org"}).status_code
        == 202
    )
    second = site.token("ada@example.org")
    assert browser.post("/auth/verify", {"token": first}).status_code == 400
    assert browser.post("/auth/verify", {"token": second}).json()["signed_in"] is True
    assert browser.login("ada@example.org", PASSWORD).status_code == 200
