"""Sign-up: from an address to a confirmed account."""

from email.message import EmailMessage
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Depends
from sqlalchemy.ext.asyncio import AsyncConnection

from . import (
    addresses,
    audit,
    limits,
    mail,
    passwords,
    sign_in,
    store,
    throttle,
    tokens,
)
from . import db as tables
from .db import now
from .inputs import Form, body
from .problem import Problem
from .tokens import Purpose
from .user import CurrentVisit
from .visit import Visit

router = APIRouter()

# The answer to a sign-up, a resend and a forgotten password: the same for every address.
ACCEPTED = {"status": "accepted", "next": "Follow the link in the mail."}


class Register(Form):
    email: str
    password: str


@router.post("/register", status_code=202)
async def register(
    visit: CurrentVisit, form: Annotated[Register, Depends(body(Register))]
) -> dict[str, str]:
    """Registers an address, or tells its owner that it is registered: the client sees no difference
    (ASVS 6.3.8). An account that exists keeps its password, confirmed or not."""
    auth = visit.auth
    settings, policy = auth.settings, auth.settings.policy
    await limits.per_source(visit, "register", policy.register_source)
    email = addresses.canonical(form.email)
    password = passwords.normalized(form.password)
    auth.mail.room()
    password_hash = await auth.hasher.hash_new(password, settings, email)
    browser = tokens.random()
    async with auth.db.write() as db:
        user_id = await insert(db, email, password_hash)
        letter = mail.already_registered(settings, email)
        if user_id is not None:
            token = await tokens.issue(
                db,
                Purpose.VERIFY,
                user_id,
                email,
                policy.verify_token,
                browser_hash=tokens.digest(browser),
            )
            letter = mail.verify(settings, email, token)
        await audit.record(db, visit, "register", user_id=user_id, email=email)
        may_mail = await limits.may_mail(db, visit, email)
    if may_mail:
        auth.mail.send(letter)
    visit.keep(settings.browser_cookie, browser, policy.verify_token)
    return ACCEPTED


async def insert(db: AsyncConnection, email: str, password_hash: str) -> str | None:
    """The unique index decides between parallel registrations (ASVS 15.4.2)."""
    u = tables.users
    user_id = tokens.random(16)
    statement = (
        tables.upsert(u)
        .values(
            id=user_id,
            email=email,
            password_hash=password_hash,
            password_changed_at=now(),
            created_at=now(),
        )
        .on_conflict_do_nothing(index_elements=[u.c.email])
        .returning(u.c.id)
    )
    made: str | None = (await db.execute(statement)).scalar_one_or_none()
    return made


async def usable(visit: Visit, purpose: Purpose, token: str) -> sa.RowMapping:
    """The owner of a token that could be consumed now."""
    await limits.per_source(visit, "token", visit.auth.settings.policy.token_source)
    async with visit.auth.db.read() as db:
        owner = await tokens.peek(db, purpose, token)
    if owner is None:
        await audit.refusal(visit, "token_refused", "token_invalid")
        raise Problem("token_invalid")
    return owner


def is_registering_browser(visit: Visit, owner: sa.RowMapping) -> bool:
    return (
        visit.browser is not None
        and tokens.digest(visit.browser) == owner["browser_hash"]
    )


@router.get("/verify")
async def show_verify(visit: CurrentVisit, token: str = "") -> dict[str, Any]:
    """Says whether the link still works and whether confirming it will take the password. Shows,
    never consumes: mail scanners follow links."""
    owner = await usable(visit, Purpose.VERIFY, token)
    return {
        "status": "ready",
        "password_required": not is_registering_browser(visit, owner),
    }


class Verify(Form):
    token: str
    password: str | None = None


@router.post("/verify")
async def verify(
    visit: CurrentVisit, form: Annotated[Verify, Depends(body(Verify))]
) -> dict[str, Any]:
    """Confirms an address. The token proves the mailbox but not who chose the password: that takes
    the browser that registered, or the password. Otherwise a stranger could register an address and
    have its owner activate it (pre-account takeover). Only that browser is signed in."""
    owner = await usable(visit, Purpose.VERIFY, form.token)
    is_same = is_registering_browser(visit, owner)
    if not is_same:
        if form.password is None:
            raise Problem("password_required")
        await sign_in.prove(visit, owner["email"], passwords.normalized(form.password))
    signed_in = is_same and visit.session is None
    async with visit.auth.db.write() as db:
        account = await confirm(db, visit, form.token)
        if signed_in:
            await store.begin(
                db,
                visit,
                account["id"],
                account["epoch"],
                auth_time=account["created_at"],
            )
    return {"status": "verified", "signed_in": signed_in}


async def confirm(db: AsyncConnection, visit: Visit, token: str) -> sa.RowMapping:
    user_id = await tokens.consume(db, Purpose.VERIFY, token)
    if user_id is None:
        raise Problem("token_invalid")
    u = tables.users
    verified = sa.func.coalesce(u.c.verified_at, now())
    await db.execute(sa.update(u).where(u.c.id == user_id).values(verified_at=verified))
    await tokens.void_all(db, user_id)
    await audit.record(db, visit, "email_verified", user_id=user_id)
    account = await tables.row(db, sa.select(u).where(u.c.id == user_id))
    if account is None:
        raise Problem("token_invalid")
    return account


class AddressForm(Form):
    email: str


@router.post("/verify/resend", status_code=202)
async def resend(
    visit: CurrentVisit, form: Annotated[AddressForm, Depends(body(AddressForm))]
) -> dict[str, str]:
    """Sends another link, if there is an account to confirm. Found out off the request path."""
    auth, policy = visit.auth, visit.auth.settings.policy
    await limits.per_source(visit, "mail", policy.mail_source)
    email = addresses.canonical(form.email)
    auth.mail.room()
    async with auth.db.write() as db:
        await audit.record(db, visit, "verification_requested", email=email)
        key = auth.keys.of("resend", email)
        verdict = await throttle.hit(db, key, 1, policy.resend_every)
    if verdict.is_allowed:
        auth.mail.run(lambda: renew_verification(visit, email))
    return ACCEPTED


async def renew_verification(visit: Visit, email: str) -> EmailMessage | None:
    auth, u, t = visit.auth, tables.users, tables.tokens
    async with auth.db.write() as db:
        mine = sa.select(u).where(u.c.email == email)
        account = await tables.row(db, mine.with_for_update())
        if account is None or account["verified_at"] or account["disabled_at"]:
            return None
        # Still the browser that registered, not the one that asks.
        older = sa.select(t.c.browser_hash).where(
            t.c.user_id == account["id"], t.c.purpose == Purpose.VERIFY.value
        )
        token = await tokens.issue(
            db,
            Purpose.VERIFY,
            account["id"],
            account["email"],
            auth.settings.policy.verify_token,
            browser_hash=(await db.execute(older)).scalar_one_or_none(),
        )
    return mail.verify(auth.settings, account["email"], token)
