[% if module.password -%]
"""Signing in and out."""

from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Response

from . import addresses, audit, limits, mail, passwords, store, throttle
from . import db as tables
from .db import now
from .inputs import Form, body
from .problem import Problem
from .user import CurrentUser, CurrentVisit, MaybeUser
from .visit import Visit
[%- else -%]
"""Who is signed in, and signing out."""

from typing import Any

from fastapi import APIRouter, Response

from . import audit, store
from .user import CurrentUser, CurrentVisit, MaybeUser
from .visit import Visit
[%- endif %]

router = APIRouter()
[%- if module.password %]

# A login after so many failures is worth a mail to the owner.
SUSPICIOUS_FAILURES = 5


class Login(Form):
    email: str
    password: str


@router.post("/login")
async def login(
    visit: CurrentVisit, form: Annotated[Login, Depends(body(Login))]
) -> dict[str, Any]:
    account = await admitted(visit, form.email, form.password)
    async with visit.auth.db.write() as db:
        await store.begin(db, visit, account["id"], account["epoch"])
    return profile(account["id"], account["email"], now())


async def admitted(visit: Visit, email: str, password: str) -> sa.RowMapping:
    """The account of who may sign in with this address and password."""
    await limits.per_source(visit, "login", visit.auth.settings.policy.login_source)
    email = addresses.canonical(email)
    account = await prove(visit, email, passwords.normalized(password))
    if account["verified_at"] is None:
        await audit.refusal(visit, "login_refused", "email_unverified", account["id"])
        raise Problem("email_unverified")
    return account
[%- endif %]


[% if module.oidc and not module.password -%]
def profile(user_id: str, email: str, auth_time: int, amr: str) -> dict[str, Any]:
[%- elif module.oidc -%]
def profile(
    user_id: str, email: str, auth_time: int, amr: str = "pwd"
) -> dict[str, Any]:
[%- else -%]
def profile(user_id: str, email: str, auth_time: int) -> dict[str, Any]:
[%- endif %]
    return {
        "id": user_id,
        "email": email,
        "email_verified": True,
        "amr": [[% if module.oidc %]amr[% else %]"pwd"[% endif %]],
        "auth_time": auth_time,
    }


[% if module.password -%]
async def prove(visit: Visit, email: str, password: str) -> sa.RowMapping:
    """Checks a password and nothing else: the one place where a guess is evaluated, with every
    throttle around it. All failures look and cost the same."""
    await admit(visit, email)
    auth, u = visit.auth, tables.users
    async with auth.db.read() as db:
        account = await tables.row(db, sa.select(u).where(u.c.email == email))
    matches = await auth.hasher.verify(
        password, account["password_hash"] if account else None
    )
    cap = auth.settings.policy.login_cap
    if (
        account is None
        or not matches
        or account["disabled_at"] is not None
        or account["failed_logins"] >= cap
    ):
        await wrong(visit, account, email)
        raise Problem("invalid_credentials")
    await right(visit, account, password)
    return account


async def admit(visit: Visit, email: str) -> None:
    """Counts a guess, by its source and by the account it is about, before it is looked at."""
    auth = visit.auth
    policy, source = auth.settings.policy, auth.keys.of_source("guess", visit.ip)
    by_account = throttle.Verdict()
    async with auth.db.write() as db:
        by_source = await throttle.hit(db, source, policy.login_source_failures, 60)
        if by_source.is_allowed:
            by_account = await throttle.guess(
                db, auth.keys.of("account", email), policy
            )
        if not by_account.is_allowed:
            await throttle.refund(db, source)
    if by_source.first:
        await audit.refusal(visit, "throttled", "login")
    by_source.check()
    if not by_account.is_allowed:
        await audit.refusal(visit, "throttled", "account")
    by_account.check()


async def right(visit: Visit, account: sa.RowMapping, password: str) -> None:
    auth, u = visit.auth, tables.users
    stored = account["password_hash"]
    renewed = (
        await auth.hasher.hash(password) if passwords.is_outdated(stored) else stored
    )
    async with auth.db.write() as db:
        same = sa.and_(u.c.id == account["id"], u.c.password_hash == stored)
        await db.execute(
            sa.update(u).where(same).values(failed_logins=0, password_hash=renewed)
        )
        await throttle.refund(db, auth.keys.of_source("guess", visit.ip))
        await throttle.clear(db, auth.keys.of("account", account["email"]))
        await audit.record(db, visit, "password_proven", user_id=account["id"])
    if account["failed_logins"] >= SUSPICIOUS_FAILURES:
        what = "Somebody signed in to your account after several wrong passwords."
        await notify(visit, account["email"], what)


async def wrong(visit: Visit, account: sa.RowMapping | None, email: str) -> None:
    auth, u = visit.auth, tables.users
    user_id = account["id"] if account is not None else None
    async with auth.db.write() as db:
        raised = (
            sa.update(u)
            .where(u.c.id == user_id)
            .values(failed_logins=u.c.failed_logins + 1)
            .returning(u.c.failed_logins)
        )
        failures = (await db.execute(raised)).scalar_one_or_none()
        await audit.record(
            db,
            visit,
            "login",
            user_id=user_id,
            email=email,
            reason="invalid_credentials",
        )
    # NIST SP 800-63B-4 3.2.2: then only a new password, set by way of the mailbox, helps.
    if failures == auth.settings.policy.login_cap:
        await notify(
            visit, email, "After too many wrong passwords, your password was disabled."
        )


async def notify(visit: Visit, email: str, what: str) -> None:
    """Mails a notice, at most one an hour of a kind. What it tells of has happened and stands."""
    auth = visit.auth
    async with auth.db.write() as db:
        verdict = await throttle.hit(db, auth.keys.of(what, email), 1, 3_600)
    if verdict.is_allowed:
        auth.mail.send(mail.notice(auth.settings, email, what, visit.ip))


class Reauth(Form):
    password: str


@router.post("/reauth")
async def reauth(
    visit: CurrentVisit,
    user: CurrentUser,
    form: Annotated[Reauth, Depends(body(Reauth))],
) -> dict[str, Any]:
    """Takes the password again, which opens what a `FreshUser` may do. A new session takes the
    place of this one (ASVS 7.2.4, 7.5.1)."""
    await limits.per_source(visit, "login", visit.auth.settings.policy.login_source)
    account = await prove(visit, user.email, passwords.normalized(form.password))
    # A session that was ended meanwhile is not renewed.
    if account["id"] != user.id or account["epoch"] != user.epoch:
        raise Problem("not_signed_in")
    async with visit.auth.db.write() as db:
        await store.hand_over(db, visit, user.id)
        await store.begin(db, visit, user.id, user.epoch)
    return profile(user.id, user.email, now())


[% endif -%]
@router.post("/logout", status_code=204)
async def logout(visit: CurrentVisit, user: MaybeUser) -> Response:
    """Ends the session on the server and makes the browser forget (ASVS 7.4.1, 14.3.1)."""
    if visit.session is not None:
        async with visit.auth.db.write() as db:
            if await store.end(db, visit.session) and user is not None:
                await audit.record(db, visit, "logout", user_id=user.id)
    forget(visit)
    return Response(status_code=204)


def forget(visit: Visit) -> None:
    visit.keep(visit.auth.settings.session_cookie, "", 0)
    visit.clear_site_data = True


@router.get("/me")
async def me(user: CurrentUser) -> dict[str, Any]:
    return profile(user.id, user.email, user.auth_time[% if module.oidc %], user.amr[% endif %])
