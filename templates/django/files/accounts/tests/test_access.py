"""Access tokens, and whom they open an API for."""

import base64
import json
import time
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from django.core.management import call_command
from django.db.models import F
from joserfc.jwk import ECKey, OctKey

from accounts import conf
from accounts.bearer import keys
from accounts.bearer.access import LEEWAY_SECONDS
from accounts.models import Session, TokenFamily, User
from accounts.variables import SettingError

from .programs import GONE, Part, Program, ProgramTestCase, encoded, read
from .site import ENVIRONMENT, ORIGIN, OTHER_PASSWORD, PASSWORD


def written(key: Any) -> str:
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return base64.b64encode(der).decode()


class AccessTokens(ProgramTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.ada = self.member()
        self.given = self.issued()
        self.access = str(self.given["access_token"])

    def test_only_what_our_key_signed_counts(self) -> None:
        """JWT-01"""
        self.assertTrue(self.opens(self.access))
        head, payload, signature = self.access.split(".")
        for text in (
            f"{head}.{payload}.",
            f"{head}.{payload}",
            f"{head}.{payload}.{signature[:-2]}AA",
            f"{head}.{payload[:-2]}AA.{signature}",
            self.signed(self.access, ECKey.generate_key("P-256")),
            "x",
            "..",
        ):
            with self.subTest(text=text):
                self.assertFalse(self.opens(text))

    def test_the_algorithm_is_ours(self) -> None:
        """JWT-02"""
        public = self.configured.token_keys.published()["keys"][0]
        confused = OctKey.import_key(json.dumps(public))
        header, _ = read(self.access)
        none = encoded(json.dumps(header | {"alg": "none"}).encode())
        for text in (
            self.signed(self.access, confused, alg="HS256"),
            f"{none}.{self.access.split('.')[1]}.",
        ):
            with self.subTest(text=text):
                self.assertFalse(self.opens(text))

    def test_a_header_names_our_key_our_type_and_nothing_else(self) -> None:
        """JWT-03, JWT-04, JWT-05, JWT-09"""
        self.assertTrue(self.opens(self.forged(self.access)))
        headers: list[Part] = [
            {"kid": GONE},
            {"kid": "../../etc/passwd"},
            {"kid": "' OR 1=1 --"},
            {"jwk": {"kty": "EC"}},
            {"jku": "https://evil.test/keys"},
            {"x5u": "https://evil.test/keys"},
            {"crit": ["exp"], "exp": 1},
            {"typ": GONE},
            {"typ": "JWT"},
            {"cty": "JWT"},
        ]
        for header in headers:
            with self.subTest(header=header):
                self.assertFalse(self.opens(self.forged(self.access, header)))

    def test_each_claim_is_there_and_right(self) -> None:
        """JWT-06, JWT-07, JWT-08"""
        claims: list[Part] = [
            {"exp": GONE},
            {"exp": None},
            {"exp": "9999999999"},
            {"exp": 9e99},
            {"exp": True},
            {"nbf": GONE},
            {"iat": GONE},
            {"nbf": 9999999999},
            {"iat": 9999999999},
            {"iss": GONE},
            {"iss": "https://evil.test"},
            {"iss": [ORIGIN]},
            {"iss": f"{ORIGIN}/"},
            {"aud": GONE},
            {"aud": "https://evil.test"},
            {"aud": []},
            {"aud": {"a": ORIGIN}},
            {"sub": GONE},
            {"sub": "a\0b"},
            {"sub": "somebody"},
            {"sid": "other"},
            {"ver": 7},
            {"ver": "0"},
        ]
        for changed in claims:
            with self.subTest(changed=changed):
                self.assertFalse(self.opens(self.forged(self.access, claims=changed)))

    def test_a_token_is_for_its_audience(self) -> None:
        """JWT-08"""
        self.use(ACCOUNTS=replace(self.configured, token_audience="https://api.test"))
        self.assertFalse(self.opens(self.access))
        self.assertTrue(self.opens(self.issued()["access_token"]))

    def test_a_token_is_over_when_it_says(self) -> None:
        """JWT-06"""
        at = int(time.time()) - LEEWAY_SECONDS
        self.assertTrue(self.opens(self.forged(self.access, claims={"exp": at + 15})))
        self.assertFalse(self.opens(self.forged(self.access, claims={"exp": at - 1})))

    def is_over(self, given: Part) -> None:
        self.assertFalse(self.opens(given["access_token"]))
        answer = self.refresh(given["refresh_token"])
        self.assertRefused(answer, 400, "invalid_grant")

    def test_what_ends_sessions_ends_programs(self) -> None:
        """JWT-10, SES-10, SES-11, SES-15"""
        self.assertTrue(self.opens(self.access))
        change = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
        self.assertEqual(self.ada.post("/auth/password", change).status_code, 200)
        self.is_over(self.given)
        for command in ("revoke", "disable"):
            with self.subTest(command=command):
                given = self.issued(password=OTHER_PASSWORD)
                call_command("accounts", command, "ada@example.org", stdout=StringIO())
                self.is_over(given)
        call_command("accounts", "enable", "ada@example.org", stdout=StringIO())
        given = self.issued(password=OTHER_PASSWORD)
        call_command("accounts", "revoke", all=True, stdout=StringIO())
        self.is_over(given)
        given = self.issued(password=OTHER_PASSWORD)
        user = User.objects.get()
        user.set_password(PASSWORD)
        user.save()
        self.is_over(given)
        given = self.issued()
        user.is_active = False
        user.save()
        self.is_over(given)

    def test_an_account_that_is_locked_by_a_query_opens_nothing(self) -> None:
        """SES-11, EML-01"""
        for lock in ({"is_active": False}, {"verified_at": None}):
            with self.subTest(lock=lock):
                before = User.objects.values(*lock).get()
                User.objects.update(**lock)
                self.is_over(self.given)
                User.objects.update(**before)
                self.assertTrue(self.opens(self.access))

    def test_a_reset_and_a_new_address_end_programs(self) -> None:
        """JWT-10, SES-10"""
        self.ada.post("/auth/password/forgot", {"email": "ada@example.org"})
        fields = {"token": self.token("ada@example.org"), "password": OTHER_PASSWORD}
        answer = self.browser().post("/auth/password/reset", fields)
        self.assertEqual(answer.status_code, 200)
        self.is_over(self.given)
        given = self.issued(password=OTHER_PASSWORD)
        self.ada.login("ada@example.org", OTHER_PASSWORD)
        self.ada.post("/auth/email", {"email": "lovelace@example.org"})
        fields = {"token": self.token("lovelace@example.org")}
        self.assertEqual(self.ada.post("/auth/email/confirm", fields).status_code, 200)
        self.is_over(given)

    def test_an_account_that_is_deleted_leaves_no_program(self) -> None:
        """SES-11"""
        self.assertEqual(self.ada.delete("/auth/account").status_code, 204)
        self.is_over(self.given)
        self.assertEqual(TokenFamily.objects.count(), 0)

    def test_a_program_of_a_session_ends_with_it(self) -> None:
        """JWT-10, SES-08"""
        given = self.ada.post("/auth/token", {"grant": "session"}).json()
        self.assertTrue(self.opens(given["access_token"]))
        self.ada.post("/auth/logout")
        self.is_over(given)
        self.assertTrue(self.opens(self.access))

    def test_a_program_of_a_session_ends_no_later(self) -> None:
        """JWT-11, RFT-05"""
        soon = Session.objects.get(user__isnull=False).created_at + timedelta(minutes=5)
        Session.objects.update(expire_date=soon)
        given = self.ada.post("/auth/token", {"grant": "session"}).json()
        self.assertLessEqual(given["expires_in"], 300)
        family = TokenFamily.objects.latest("created_at")
        self.assertEqual(family.expires_at, soon)

    def test_a_program_of_a_session_idles_no_longer(self) -> None:
        """RFT-05"""
        self.ada.post("/auth/token", {"grant": "session"})
        following = TokenFamily.objects.latest("created_at").refresh_tokens.get()
        idle = self.configured.policy.session_idle
        ends = following.created_at + timedelta(seconds=idle)
        self.assertLessEqual(following.expires_at, ends)

    def test_programs_outlive_the_end_of_another_session(self) -> None:
        """JWT-10, SES-09"""
        phone = self.browser()
        phone.login("ada@example.org")
        listed = self.ada.get("/auth/sessions").json()["sessions"]
        other = next(entry["id"] for entry in listed if not entry["current"])
        answer = self.ada.delete(f"/auth/sessions/{other}")
        self.assertEqual(answer.status_code, 204)
        following = self.refresh(self.given["refresh_token"]).json()
        self.assertTrue(self.opens(following["access_token"]))
        answer = self.ada.post("/auth/sessions/revoke-others")
        self.assertEqual(answer.status_code, 200)
        self.is_over(following)

    def test_a_token_is_short_lived_and_says_little(self) -> None:
        """JWT-11"""
        header, claims = read(self.access)
        self.assertEqual(header["typ"], "at+jwt")
        self.assertEqual(claims["exp"] - claims["iat"], self.given["expires_in"])
        self.assertEqual(self.given["expires_in"], 600)
        self.assertEqual(self.given["token_type"], "Bearer")
        self.assertNotIn("ada", json.dumps(claims))

    def test_keys_are_published_and_replaced(self) -> None:
        """JWT-12"""
        (key,) = self.program.get("/.well-known/jwks.json").json()["keys"]
        public = {"kty", "crv", "x", "y", "kid", "use", "alg"}
        self.assertEqual(set(key), public)
        fresh = ENVIRONMENT | {"AUTH_TOKEN_KEY": keys.fresh_key()}
        former = {"AUTH_TOKEN_OLD_KEYS": ENVIRONMENT["AUTH_TOKEN_KEY"]}
        self.use(ACCOUNTS=conf.from_environment(fresh | former))
        self.assertTrue(self.opens(self.access))
        new = self.issued()["access_token"]
        self.assertNotEqual(read(new)[0]["kid"], read(self.access)[0]["kid"])
        listed = self.program.get("/.well-known/jwks.json").json()["keys"]
        self.assertEqual(len(listed), 2)
        self.use(ACCOUNTS=conf.from_environment(fresh))
        self.assertFalse(self.opens(self.access))
        self.assertTrue(self.opens(new))

    def test_weak_keys_end_the_start(self) -> None:
        """JWT-12"""
        guessed = written(ec.derive_private_key(7, ec.SECP256R1()))
        # RFC 6979 A.2.5.
        printed = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
        for key in (
            "x",
            "!",
            written(rsa.generate_private_key(65537, 2048)),
            written(ed25519.Ed25519PrivateKey.generate()),
            written(ec.generate_private_key(ec.SECP384R1())),
            written(ec.derive_private_key(printed, ec.SECP256R1())),
            guessed,
        ):
            for name in ("AUTH_TOKEN_KEY", "AUTH_TOKEN_OLD_KEYS"):
                # The random look of a key that signs no more was judged when it did.
                if (name, key) == ("AUTH_TOKEN_OLD_KEYS", guessed):
                    continue
                with (
                    self.subTest(name=name, key=key),
                    self.assertRaisesRegex(SettingError, f"^{name} "),
                ):
                    conf.from_environment(ENVIRONMENT | {name: key})
        without = {n: v for n, v in ENVIRONMENT.items() if n != "AUTH_TOKEN_KEY"}
        with self.assertRaisesRegex(SettingError, "^AUTH_TOKEN_KEY is not set"):
            conf.from_environment(without)

    def test_scopes_of_a_setting_are_names(self) -> None:
        """JWT-15"""
        for text in ('read "write"', "read\\write", "\x07"):
            with self.subTest(text=text), self.assertRaises(SettingError):
                conf.from_environment(ENVIRONMENT | {"AUTH_TOKEN_SCOPES": text})

    def test_a_token_stands_in_one_header(self) -> None:
        """JWT-13"""
        self.assertRefused(self.ada.get("/auth/token/me"), 401, "token_invalid")
        address = f"/auth/token/me?access_token={self.access}"
        self.assertEqual(self.program.get(address).status_code, 401)
        missing = self.program.get("/auth/token/me")
        self.assertEqual(missing["WWW-Authenticate"], "Bearer")
        twice = f"Bearer {self.access}, Bearer {self.access}"
        for value in (
            self.access,
            f"Basic {self.access}",
            f"Bearer  {self.access}",
            "Bearer",
            twice,
        ):
            with self.subTest(value=value):
                answer = self.program.get("/auth/token/me", Authorization=value)
                self.assertEqual(answer.status_code, 401)

    def test_a_token_opens_nothing_that_takes_a_session(self) -> None:
        """JWT-13"""
        for address in ("/mine", "/fresh", "/auth/me", "/auth/sessions"):
            with self.subTest(address=address):
                answer = self.call(self.access, address)
                self.assertRefused(answer, 401, "not_signed_in")

    def test_a_session_that_comes_along_does_not_count(self) -> None:
        """JWT-13, CSR-01"""
        eve = self.member("eve@example.org", "192.0.2.66")
        headers = {"Authorization": f"Bearer {self.access}"}
        # As another site would have a browser send it, if it knew a token.
        foreign = {"X_CSRFToken": None, "Origin": "https://evil.test"}
        answer = eve.post("/api", **headers, **foreign)
        self.assertEqual(answer.status_code, 200)
        ada = User.objects.get(email="ada@example.org")
        self.assertEqual(answer.json(), {"id": ada.pk, "session": "AnonymousUser"})
        current = eve.get("/auth/devices", **headers).json()["devices"]
        self.assertEqual([entry["current"] for entry in current], [True])
        broken = eve.get("/auth/devices", Authorization="Bearer x")
        self.assertRefused(broken, 401, "token_invalid")

    def test_long_tokens_are_refused_unread(self) -> None:
        """JWT-14"""
        long = self.forged(self.access, claims={"more": "a" * 9_000})
        self.assertFalse(self.opens(long))
        self.assertFalse(self.opens("[" * 30_000))

    def test_scopes_are_granted_asked_for_and_fresh(self) -> None:
        """JWT-15"""
        write = self.issued(scope="write")["access_token"]
        answer = self.call(write)
        self.assertRefused(answer, 403, "insufficient_scope")
        self.assertIn('scope="read"', answer["WWW-Authenticate"])
        self.assertEqual(self.call(write, "/auth/token/me").json()["scope"], "write")
        for unknown in ("admin", "", "read admin"):
            with self.subTest(unknown=unknown):
                self.assertRefused(self.ask(scope=unknown), 400, "invalid_scope")
        self.assertEqual(self.call(write, "/api/fresh").status_code, 200)
        for auth_time in (int(time.time()) - 900, -1):
            with self.subTest(auth_time=auth_time):
                stale = self.forged(write, claims={"auth_time": auth_time})
                answer = self.call(stale, "/api/fresh")
                code = "insufficient_user_authentication"
                self.assertRefused(answer, 403, code)

    def test_answers_to_programs_stay_out_of_caches(self) -> None:
        """HDR-01"""
        for address in ("/api", "/auth/token/me", "/auth/devices"):
            with self.subTest(address=address):
                answer = self.call(self.access, address)
                self.assertIn("no-store", answer["Cache-Control"])


class Devices(ProgramTestCase):
    def test_programs_are_listed_and_ended_by_their_owner_only(self) -> None:
        """SES-09, SES-12"""
        ada, eve = self.member(), self.member("eve@example.org", "192.0.2.66")
        token = self.issued(device="My phone")["access_token"]
        self.issued(device="Laptop")
        listed = ada.get("/auth/devices").json()["devices"]
        self.assertEqual({entry["device"] for entry in listed}, {"My phone", "Laptop"})
        ids = {entry["device"]: entry["id"] for entry in listed}
        phone, laptop = ids["My phone"], ids["Laptop"]
        answer = eve.delete(f"/auth/devices/{phone}")
        self.assertRefused(answer, 404, "device_unknown")
        own = {"Authorization": f"Bearer {token}"}
        current = self.program.get("/auth/devices", **own).json()["devices"]
        marked = [entry["id"] for entry in current if entry["current"]]
        self.assertEqual(marked, [phone])
        program = self.program.delete
        self.assertEqual(program(f"/auth/devices/{laptop}", **own).status_code, 404)
        self.assertEqual(program(f"/auth/devices/{phone}").status_code, 401)
        self.assertEqual(program(f"/auth/devices/{phone}", **own).status_code, 204)
        self.assertFalse(self.opens(token))
        self.assertEqual(ada.delete(f"/auth/devices/{laptop}").status_code, 204)
        self.assertEqual(ada.get("/auth/devices").json(), {"devices": []})

    def test_an_old_session_signs_no_program_out(self) -> None:
        """SES-13"""
        ada = self.member()
        token = self.issued()["access_token"]
        (entry,) = ada.get("/auth/devices").json()["devices"]
        past = F("authenticated_at") - timedelta(seconds=601)
        Session.objects.update(authenticated_at=past)
        answer = ada.delete(f"/auth/devices/{entry['id']}")
        self.assertRefused(answer, 403, "reauth_required")
        self.assertTrue(self.opens(token))

    def test_the_oldest_program_makes_room(self) -> None:
        """SES-12"""
        self.change(sessions=2)
        self.member()
        tokens = [self.issued()["access_token"] for _ in range(3)]
        self.assertEqual([self.opens(token) for token in tokens], [False, True, True])

    def test_a_name_of_a_program_is_short_and_readable(self) -> None:
        """INP-02"""
        self.member()
        for device in ("", " ", "a" * 101, "a\nb", "a\u202eb"):
            with self.subTest(device=device):
                self.assertRefused(self.ask(device=device), 422, "invalid_fields")

    def test_what_is_held_of_programs_can_be_taken_away(self) -> None:
        ada = self.member()
        given = self.issued(device="My phone")
        answer = ada.get("/auth/export")
        self.assertEqual(
            [entry["device"] for entry in answer.json()["devices"]], ["My phone"]
        )
        self.assertNotIn(given["refresh_token"], answer.content.decode())


class Grants(ProgramTestCase):
    def test_programs_meet_the_same_limits_as_browsers(self) -> None:
        """THR-01"""
        self.member()
        for _ in range(5):
            answer = self.ask(password=OTHER_PASSWORD)
            self.assertRefused(answer, 401, "invalid_credentials")
        self.assertRefused(self.ask(), 429, "too_many_requests")

    def test_an_address_that_is_not_confirmed_gets_no_tokens(self) -> None:
        """EML-01"""
        self.browser().register("ada@example.org")
        self.assertRefused(self.ask(), 403, "email_unverified")

    def test_a_session_gives_tokens_to_this_site_only(self) -> None:
        """CSR-01, CSR-02"""
        ada, fields = self.member(), {"grant": "session"}
        claims: list[dict[str, str | None]] = [
            {"Origin": "https://evil.test"},
            {"X_CSRFToken": None},
            {"X_CSRFToken": self.browser().csrf_token()},
        ]
        for claim in claims:
            with self.subTest(claim=claim):
                answer = ada.post("/auth/token", fields, **claim)
                self.assertRefused(answer, 403, "foreign_request")
        self.assertEqual(ada.post("/auth/token", fields).status_code, 200)
        answer = self.program.post("/auth/token", fields)
        self.assertRefused(answer, 401, "not_signed_in")

    def test_other_sites_cannot_use_a_session_to_sign_a_program_out(self) -> None:
        """CSR-01"""
        ada = self.member()
        token = self.issued()["access_token"]
        (entry,) = ada.get("/auth/devices").json()["devices"]
        answer = ada.delete(f"/auth/devices/{entry['id']}", X_CSRFToken=None)
        self.assertRefused(answer, 403, "foreign_request")
        self.assertTrue(self.opens(token))

    def test_another_grant_gives_nothing(self) -> None:
        """INP-05"""
        self.member()
        for grant in ("refresh", "", "Password"):
            with self.subTest(grant=grant):
                self.assertRefused(self.ask(grant=grant), 422, "invalid_fields")
        unnamed = self.program.post("/auth/token", {"grant": "password"})
        self.assertRefused(unnamed, 422, "invalid_fields")

    def test_asking_is_limited_by_source(self) -> None:
        """THR-02, THR-08"""
        self.change(refresh_source=1)
        ada = self.member()
        fields = {"grant": "session"}
        answers = [ada.post("/auth/token", fields).status_code for _ in range(2)]
        self.assertEqual(answers, [200, 429])
        other = Program("192.0.2.8")
        for address, name in (("refresh", "refresh_token"), ("revoke", "token")):
            path, fields = f"/auth/token/{address}", {name: "x"}
            answers = [other.post(path, fields).status_code for _ in range(2)]
            self.assertEqual(answers[1], 429)
