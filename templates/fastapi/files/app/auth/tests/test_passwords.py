"""Changing and resetting a password, and changing an address."""

from .conftest import OTHER_PASSWORD, PASSWORD, Site, member


def test_pwd_08_ses_04_10_rst_08_a_change_takes_the_current_password_and_ends_other_sessions(
    site: Site,
) -> None:
    ada, elsewhere = member(site), site.browser()
    assert elsewhere.login("ada@example.org").status_code == 200
    before = ada.session
    wrong = {"current_password": OTHER_PASSWORD, "new_password": OTHER_PASSWORD}
    assert ada.post("/auth/password", wrong).status_code == 401
    right = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
    assert ada.post("/auth/password", right).json() == {"status": "changed"}
    assert ada.session != before
    assert (ada.get("/mine").status_code, elsewhere.get("/mine").status_code) == (
        200,
        401,
    )
    assert site.browser().login("ada@example.org", PASSWORD).status_code == 401
    assert "was changed" in site.letter("ada@example.org", "about your account")


def test_rst_01_05_ses_10_a_reset_replaces_the_password_and_ends_every_session(
    site: Site,
) -> None:
    ada, stranger = member(site), site.browser("192.0.2.2")
    site.mailbox.clear()
    assert (
        stranger.post("/auth/password/forgot", {"email": "ada@example.org"}).status_code
        == 202
    )
    token = site.token("ada@example.org")
    weak = stranger.post("/auth/password/reset", {"token": token, "password": "short"})
    assert weak.json()["code"] == "password_too_short"
    reset = {"token": token, "password": OTHER_PASSWORD}
    assert stranger.post("/auth/password/reset", reset).json() == {"status": "changed"}
    assert stranger.session is None
    assert ada.get("/mine").status_code == 401
    assert (
        stranger.post("/auth/password/reset", reset).json()["code"] == "token_invalid"
    )
    assert stranger.login("ada@example.org", OTHER_PASSWORD).status_code == 200


def test_reg_04_unknown_addresses_get_the_same_answer_and_no_mail(site: Site) -> None:
    member(site)
    browser = site.browser("192.0.2.2")
    site.mailbox.clear()
    known = browser.post("/auth/password/forgot", {"email": "ada@example.org"})
    unknown = browser.post("/auth/password/forgot", {"email": "nobody@example.org"})
    assert (known.status_code, known.json()) == (unknown.status_code, unknown.json())
    site.letter("ada@example.org")
    assert not [
        letter for letter in site.mailbox if letter["To"] == "nobody@example.org"
    ]


def test_rst_04_links_name_the_configured_origin_whatever_the_host(site: Site) -> None:
    member(site)
    site.mailbox.clear()
    site.browser().post(
        "/auth/password/forgot", {"email": "ada@example.org"}, Host="evil.test"
    )
    letter = site.letter("ada@example.org")
    assert "https://app.test/auth/password/reset?token=" in letter
    assert "evil.test" not in letter


def test_eml_05_a_link_for_one_purpose_does_not_serve_another(site: Site) -> None:
    member(site)
    site.mailbox.clear()
    browser = site.browser("192.0.2.2")
    browser.post("/auth/password/forgot", {"email": "ada@example.org"})
    token = site.token("ada@example.org")
    assert (
        browser.post("/auth/verify", {"token": token}).json()["code"] == "token_invalid"
    )


def test_eml_06_07_an_address_changes_once_the_new_one_is_proven(site: Site) -> None:
    ada = member(site)
    assert ada.post("/auth/email", {"email": "new@example.org"}).status_code == 202
    assert "another e-mail address" in site.letter(
        "ada@example.org", "about your account"
    )
    token = site.token("new@example.org")
    stranger = member(site, "eve@example.org", "192.0.2.66")
    assert (
        stranger.post("/auth/email/confirm", {"token": token}).json()["code"]
        == "token_invalid"
    )
    assert ada.get("/auth/me").json()["email"] == "ada@example.org"
    assert ada.post("/auth/email/confirm", {"token": token}).status_code == 200
    assert ada.get("/auth/me").json()["email"] == "new@example.org"
    assert site.browser().login("ada@example.org").status_code == 401


def test_eml_06_an_address_that_is_taken_is_told_by_mail_only(site: Site) -> None:
    member(site, "eve@example.org", "192.0.2.66")
    ada = member(site)
    site.mailbox.clear()
    assert ada.post("/auth/email", {"email": "eve@example.org"}).status_code == 202
    assert "token=" not in site.letter("eve@example.org")


def test_eml_07_an_address_that_was_taken_meanwhile_is_not_taken_again(
    site: Site,
) -> None:
    ada = member(site)
    ada.post("/auth/email", {"email": "new@example.org"})
    token = site.token("new@example.org")
    site.mailbox.clear()
    member(site, "new@example.org", "192.0.2.66")
    answer = ada.post("/auth/email/confirm", {"token": token})
    assert (answer.status_code, answer.json()["code"]) == (400, "token_invalid")
    assert ada.get("/auth/me").json()["email"] == "ada@example.org"
