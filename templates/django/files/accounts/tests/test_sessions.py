"""Sessions, cookies, freshness, and requests from elsewhere."""

from datetime import timedelta
from unittest.mock import patch

from asgiref.sync import sync_to_async
from django.contrib.auth import SESSION_KEY, aauthenticate, authenticate
from django.db import IntegrityError, [% if module.oidc %]connection, [% endif %]transaction
from django.db.models import F
from django.test import RequestFactory

from accounts import passwords
from accounts.models import Session, User
from accounts.randomness import digest
from accounts.sessions import SessionStore

from .site import OTHER_PASSWORD, PASSWORD, SiteTestCase


class Sessions(SiteTestCase):
    def test_the_cookie_is_bound_to_the_host_and_out_of_reach_of_scripts(self) -> None:
        """CKE-01, CKE-02, CKE-03"""
        ada = self.member()
        ada.login("ada@example.org")
        morsel = ada.client.cookies["__Host-auth-session"]
        self.assertEqual(
            [morsel[name] for name in ("path", "domain", "samesite")], ["/", "", "Lax"]
        )
        self.assertTrue(morsel["secure"] and morsel["httponly"])
        absolute = self.configured.policy.session_absolute
        self.assertLess(abs(morsel["max-age"] - absolute), 30)

    def test_the_database_holds_the_hash_of_the_cookie(self) -> None:
        """SES-01, SES-02"""
        ada = self.member()
        self.assertGreaterEqual(len(ada.session), 32)
        self.assertEqual(
            [row.session_key for row in self.sessions()], [digest(ada.session)]
        )

    def test_signing_in_makes_a_new_session_and_ends_the_old_one(self) -> None:
        """SES-03"""
        ada = self.member()
        before = ada.session
        ada.login("ada@example.org")
        self.assertNotEqual(ada.session, before)
        thief = self.browser()
        thief.session = before
        self.assertEqual(thief.get("/mine").status_code, 401)

    def test_an_identifier_that_was_planted_is_not_taken_on(self) -> None:
        """SES-03"""
        self.member()
        anonymous = self.browser()
        anonymous.csrf_token()
        for planted in ("a" * 32, anonymous.session):
            victim, thief = self.browser(), self.browser()
            victim.session = thief.session = planted
            self.assertEqual(victim.login("ada@example.org").status_code, 200)
            self.assertNotEqual(victim.session, planted)
            self.assertEqual(thief.get("/mine").status_code, 401)

    def test_a_cookie_that_comes_twice_counts_for_nothing(self) -> None:
        """SES-05"""
        ada = self.member()
        value = f"__Host-auth-session={ada.session}"
        answer = self.browser().get("/mine", Cookie=f"{value}; {value}")
        self.assertEqual(answer.status_code, 401)

[%- if module.oidc %]

    def test_code_from_before_the_module_still_makes_sessions(self) -> None:
        with connection.cursor() as cursor:
            table = Session._meta.db_table
            columns = connection.introspection.get_table_description(cursor, table)
        amr = next(column for column in columns if column.name == "amr")
        self.assertIn("'pwd'", amr.default)
[%- endif %]

    def test_a_session_that_the_database_does_not_take_is_an_error(self) -> None:
        # Django tries another key again and again.
        with (
            patch.object(Session.objects, "create", side_effect=IntegrityError),
            self.assertRaises(IntegrityError),
        ):
            SessionStore().create()

    def test_what_was_logged_out_at_that_moment_does_not_go_on(self) -> None:
        """RAC-05"""
        renewals = {
            "/auth/reauth": {"password": PASSWORD},
            "/auth/password": {
                "current_password": PASSWORD,
                "new_password": OTHER_PASSWORD,
            },
        }
        verify = passwords.verify

        def logged_out_meanwhile(password: str, stored: str | None) -> bool:
            Session.objects.all().delete()
            return verify(password, stored)

        for number, (path, body) in enumerate(renewals.items()):
            ada = self.member(f"ada{number}@example.org")
            with patch("accounts.passwords.verify", logged_out_meanwhile):
                answer = ada.post(path, body)
            self.assertEqual(answer.json()["code"], "not_signed_in")
            self.assertEqual(self.sessions(), [])

    def test_sessions_end_by_themselves(self) -> None:
        """SES-06, SES-07"""
        for column in ("last_seen_at", "expire_date"):
            with self.subTest(column=column):
                ada = self.member(f"{column}@example.org")
                past = F(column) - timedelta(days=40)
                Session.objects.update(**{column: past})
                self.assertEqual(ada.get("/mine").status_code, 401)

    def test_a_request_keeps_a_session_from_idling_but_not_from_its_end(self) -> None:
        """SES-06, SES-07"""
        ada = self.member()
        Session.objects.update(last_seen_at=F("last_seen_at") - timedelta(minutes=10))
        before = self.sessions()[0]
        self.assertEqual(ada.get("/mine").status_code, 200)
        after = self.sessions()[0]
        self.assertGreater(after.last_seen_at, before.last_seen_at)
        self.assertEqual(after.expire_date, before.expire_date)

    def test_a_view_may_bring_the_end_of_a_session_nearer_only(self) -> None:
        """SES-07"""
        ada = self.member()
        before = self.sessions()[0].expire_date
        store = SessionStore(ada.session)
        for later in (400 * 86_400, before + timedelta(days=1), 0, None):
            with self.subTest(later=later):
                store.set_expiry(later)
                store.save()
                self.assertEqual(self.sessions()[0].expire_date, before)
                store.cycle_key()
                self.assertEqual(self.sessions()[0].expire_date, before)
        store.set_expiry(60)
        store.save()
        self.assertLess(self.sessions()[0].expire_date, before)
        ada.session = store.session_key or ""
        self.assertEqual(ada.login("ada@example.org").status_code, 200)
        self.assertGreaterEqual(self.sessions()[0].expire_date, before)

    def test_signing_out_ends_the_session_on_the_server(self) -> None:
        """SES-08"""
        ada = self.member()
        session = ada.session
        answer = ada.post("/auth/logout")
        self.assertIn('"cookies"', answer["Clear-Site-Data"])
        ada.session = session
        self.assertEqual(ada.get("/mine").status_code, 401)
        self.assertEqual(self.sessions(), [])

    def test_the_oldest_session_makes_room(self) -> None:
        """SES-12"""
        self.change(sessions=2)
        first = self.member()
        others = [self.browser(), self.browser()]
        for browser in others:
            browser.login("ada@example.org")
        self.assertEqual(first.get("/mine").status_code, 401)
        self.assertEqual([b.get("/mine").status_code for b in others], [200, 200])

    def test_sessions_are_listed_and_ended_by_their_owner_only(self) -> None:
        """SES-09, SES-12"""
        ada, eve = self.member(), self.member("eve@example.org", "192.0.2.66")
        phone = self.browser()
        phone.login("ada@example.org")
        listed = ada.get("/auth/sessions").json()["sessions"]
        self.assertNotIn(phone.session, str(listed))
        other = next(entry["id"] for entry in listed if not entry["current"])
        self.assertEqual(eve.delete(f"/auth/sessions/{other}").status_code, 404)
        self.assertEqual(ada.delete(f"/auth/sessions/{other}").status_code, 204)
        self.assertEqual(phone.get("/mine").status_code, 401)
        self.assertEqual(ada.get("/mine").status_code, 200)

    def test_all_other_sessions_end_at_once(self) -> None:
        """SES-09"""
        ada, phone = self.member(), self.browser()
        phone.login("ada@example.org")
        answer = ada.post("/auth/sessions/revoke-others")
        self.assertEqual(answer.json(), {"status": "revoked", "revoked": 1})
        self.assertEqual(phone.get("/mine").status_code, 401)
        self.assertEqual(ada.get("/mine").status_code, 200)

    def test_an_account_that_is_disabled_loses_its_sessions(self) -> None:
        """SES-11"""
        ada = self.member()
        User.objects.update(is_active=False)
        self.assertEqual(ada.get("/mine").status_code, 401)
        self.assertEqual(self.browser().login("ada@example.org").status_code, 401)

    def test_an_account_that_is_enabled_again_begins_anew(self) -> None:
        """SES-11, RST-03: by a box that is ticked in the admin"""
        ada = self.member()
        ada.post("/auth/password/forgot", {"email": "ada@example.org"})
        token = self.token("ada@example.org")
        for fields in (None, ["is_active"]):
            for is_active in (False, True):
                user = User.objects.get()
                user.is_active = is_active
                user.save(update_fields=fields)
            with self.subTest(fields=fields):
                self.assertEqual(ada.get("/mine").status_code, 401)
                reset = ada.get(f"/auth/password/reset?token={token}")
                self.assertRefused(reset, 400, "token_invalid")
            self.assertEqual(ada.login("ada@example.org").status_code, 200)
            ada.post("/auth/password/forgot", {"email": "ada@example.org"})
            token = self.token("ada@example.org")

    def test_what_matters_takes_the_password_again(self) -> None:
        """SES-13"""
        ada = self.member()
        stale = F("authenticated_at") - timedelta(minutes=15)
        Session.objects.update(authenticated_at=stale)
        for method, address in [
            ("GET", "/fresh"),
            ("GET", "/auth/export"),
            ("DELETE", "/auth/account"),
            ("POST", "/auth/email"),
            ("POST", "/auth/sessions/revoke-others"),
            ("DELETE", "/auth/sessions/x"),
        ]:
            with self.subTest(address=address):
                body = '{"email": "new@example.org"}' if method == "POST" else None
                answer = ada.send(method, address, body)
                self.assertRefused(answer, 403, "reauth_required")
        before = ada.session
        self.assertEqual(
            ada.post("/auth/reauth", {"password": PASSWORD}).status_code, 200
        )
        self.assertNotEqual(ada.session, before)
        self.assertEqual(ada.get("/fresh").status_code, 200)

    def test_a_guard_is_closed_to_everybody_else(self) -> None:
        """SES-14"""
        for address in ("/mine", "/fresh", "/auth/me", "/auth/sessions"):
            with self.subTest(address=address):
                answer = self.browser().get(address)
                self.assertRefused(answer, 401, "not_signed_in")

    def test_an_account_is_exported_and_deleted(self) -> None:
        """SES-11"""
        ada = self.member()
        export = ada.get("/auth/export").json()
        self.assertEqual(export["account"]["email"], "ada@example.org")
        self.assertNotIn("argon2", str(export))
        session = ada.session
        self.assertEqual(ada.delete("/auth/account").status_code, 204)
        ada.session = session
        self.assertEqual(ada.get("/mine").status_code, 401)
        self.assertEqual(self.sessions(), [])

    def test_requests_from_elsewhere_are_refused(self) -> None:
        """CSR-02, CSR-03"""
        ada = self.member()
        claims: list[dict[str, str | None]] = [
            {"Origin": "https://evil.test", "Sec_Fetch_Site": None},
            {"Origin": "https://app.test:8443"},
            {"Origin": "http://app.test"},
            {"Origin": "null"},
            {"Sec_Fetch_Site": "cross-site"},
            {"Sec_Fetch_Site": "same-site"},
            {"Referer": "https://evil.test/https://app.test/"},
            {"Referer": "https://app.test.evil.test/"},
            {"Origin": None, "Sec_Fetch_Site": None},
        ]
        for claim in claims:
            with self.subTest(claim=claim):
                answer = ada.post("/auth/logout", **claim)
                self.assertRefused(answer, 403, "foreign_request")
                login = self.browser().login("ada@example.org", **claim)
                self.assertRefused(login, 403, "foreign_request")
        self.assertEqual(ada.get("/mine").status_code, 200)

    def test_the_token_of_a_form_is_bound_to_the_session(self) -> None:
        """CSR-01"""
        ada, eve = self.member(), self.member("eve@example.org", "192.0.2.66")
        for token in (None, "", "a" * 64, eve.csrf_token()):
            with self.subTest(token=token):
                answer = ada.post("/auth/logout", X_CSRFToken=token)
                self.assertRefused(answer, 403, "foreign_request")
        self.assertEqual(ada.get("/mine").status_code, 200)

    def test_a_method_that_is_not_meant_is_refused(self) -> None:
        """CSR-04"""
        ada = self.member()
        for address in ("/auth/logout", "/auth/sessions/revoke-others"):
            with self.subTest(address=address):
                self.assertRefused(ada.get(address), 405, "method_not_allowed")
        answer = ada.post("/auth/account", X_HTTP_Method_Override="DELETE")
        self.assertRefused(answer, 405, "method_not_allowed")

    async def test_views_that_are_asynchronous_see_the_same_sessions(self) -> None:
        """SES-02, SES-03"""
        ada = await sync_to_async(self.member)()
        store = SessionStore(ada.session)
        self.assertIn(SESSION_KEY, await store.aload())
        planted = SessionStore("a" * 32)
        self.assertEqual(await planted.aload(), {})
        self.assertIsNone(planted.session_key)
        await store.acycle_key()
        row = await Session.objects.aget(user__isnull=False)
        self.assertEqual(row.session_key, digest(store.session_key or ""))
        await store.adelete()
        self.assertEqual(await Session.objects.filter(user__isnull=False).acount(), 0)

    def test_a_password_that_other_code_sets_ends_every_session_and_link(self) -> None:
        """SES-10, RST-03"""
        ada = self.member()
        ada.post("/auth/password/forgot", {"email": "ada@example.org"})
        token = self.token("ada@example.org")
        user = User.objects.get()
        user.set_password(OTHER_PASSWORD)
        user.save()
        self.assertEqual(ada.get("/mine").status_code, 401)
        reset = {"token": token, "password": PASSWORD}
        refused = self.browser().post("/auth/password/reset", reset)
        self.assertRefused(refused, 400, "token_invalid")
        new = self.browser().login("ada@example.org", OTHER_PASSWORD)
        self.assertEqual(new.status_code, 200)

    def test_other_forms_of_the_project_are_limited_as_well(self) -> None:
        """THR-01: the admin's form, and whatever calls `authenticate`"""
        self.member()
        request = RequestFactory().post("/", REMOTE_ADDR="203.0.113.9")
        for _ in range(5):
            wrong = authenticate(
                request, username="ada@example.org", password=OTHER_PASSWORD
            )
            self.assertIsNone(wrong)
        right = authenticate(request, username="ada@example.org", password=PASSWORD)
        self.assertIsNone(right)

    async def test_views_that_are_asynchronous_are_limited_as_well(self) -> None:
        """THR-01: whatever calls `aauthenticate`"""
        await sync_to_async(self.member)()
        request = RequestFactory().post("/", REMOTE_ADDR="203.0.113.9")
        right = {"username": "ada@example.org", "password": PASSWORD}
        self.assertIsNotNone(await aauthenticate(request, **right))
        for _ in range(5):
            await aauthenticate(request, **right | {"password": OTHER_PASSWORD})
        self.assertIsNone(await aauthenticate(request, **right))

    def test_no_password_is_tried_where_its_count_could_be_undone(self) -> None:
        """THR-01: inside a transaction of the project's"""
        self.member()
        request = RequestFactory().post("/", REMOTE_ADDR="203.0.113.9")
        for password in (PASSWORD, OTHER_PASSWORD):
            with self.assertRaises(RuntimeError), transaction.atomic():
                authenticate(request, username="ada@example.org", password=password)
