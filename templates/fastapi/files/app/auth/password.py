"""Changing a password, and replacing one that was forgotten."""

from email.message import EmailMessage
from typing import Annotated

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
from .accounts import ACCEPTED, AddressForm, usable
from .db import now
from .inputs import Form, body
from .problem import Problem
from .tokens import Purpose
from .user import CurrentUser, CurrentVisit
from .visit import Visit

router = APIRouter()

CHANGED = "The password of your account was changed."
RESET = "The password of your account was replaced by way of a mailed link."


class Change(Form):
    current_password: str
    new_password: str


@router.post("/password")
async def change(
    visit: CurrentVisit,
    user: CurrentUser,
    form: Annotated[Change, Depends(body(Change))],
) -> dict[str, str]:
    """Replaces the password of the signed-in user, who must know the current one. Every other
    session ends; this one goes on under a new identifier (ASVS 6.2.3, 7.2.4, 7.4.3)."""
    auth = visit.auth
    await limits.per_source(visit, "login", auth.settings.policy.login_source)
    await sign_in.prove(visit, user.email, passwords.normalized(form.current_password))
    password = passwords.normalized(form.new_password)
    password_hash = await auth.hasher.hash_new(password, auth.settings, user.email)
    async with auth.db.write() as db:
        await store.hand_over(db, visit, user.id)
        # Nothing if the account changed meanwhile: then this session is over, too.
        epoch = await replace(db, user.id, user.epoch, password_hash)
        if epoch is None:
            raise Problem("not_signed_in")
        await audit.record(db, visit, "password_changed", user_id=user.id)
        await store.begin(db, visit, user.id, epoch, expires_at=user.expires_at)
    await sign_in.notify(visit, user.email, CHANGED)
    return {"status": "changed"}


async def replace(
    db: AsyncConnection, user_id: str, epoch: int | None, password_hash: str
) -> int | None:
    """Sets a password hash and ends what the old one opened: sessions, links, counters (ASVS
    2.3.3). Returns the account's new epoch."""
    u = tables.users
    same = sa.and_(u.c.id == user_id, u.c.disabled_at.is_(None))
    if epoch is not None:
        same = sa.and_(same, u.c.epoch == epoch)
    changed = (
        sa.update(u)
        .where(same)
        .values(
            password_hash=password_hash,
            password_changed_at=now(),
            failed_logins=0,
            epoch=u.c.epoch + 1,
        )
        .returning(u.c.epoch)
    )
    new_epoch: int | None = (await db.execute(changed)).scalar_one_or_none()
    if new_epoch is not None:
        await store.end_all(db, user_id)
    return new_epoch


@router.post("/password/forgot", status_code=202)
async def forgot(
    visit: CurrentVisit, form: Annotated[AddressForm, Depends(body(AddressForm))]
) -> dict[str, str]:
    """Mails a link, if there is an account. Found out off the request path, so that the answer
    takes as long for every address (ASVS 6.3.8). Nothing changes until the link is used."""
    auth = visit.auth
    await limits.per_source(visit, "mail", auth.settings.policy.mail_source)
    email = addresses.canonical(form.email)
    auth.mail.room()
    async with auth.db.write() as db:
        await audit.record(db, visit, "reset_requested", email=email)
        may_mail = await limits.may_mail(db, visit, email)
    if may_mail:
        auth.mail.run(lambda: write_reset(visit, email))
    return ACCEPTED


async def write_reset(visit: Visit, email: str) -> EmailMessage | None:
    """The mail goes to the stored address, not to the spelling in the request (CVE-2019-19844)."""
    auth, u = visit.auth, tables.users
    async with auth.db.write() as db:
        mine = sa.select(u).where(u.c.email == email)
        account = await tables.row(db, mine.with_for_update())
        if account is None or account["disabled_at"]:
            return None
        seconds = auth.settings.policy.reset_token
        token = await tokens.issue(
            db, Purpose.RESET, account["id"], account["email"], seconds
        )
    return mail.reset(auth.settings, account["email"], token)


@router.get("/password/reset")
async def show_reset(visit: CurrentVisit, token: str = "") -> dict[str, str]:
    """Says whether the link still works."""
    await usable(visit, Purpose.RESET, token)
    return {"status": "ready"}


class Reset(Form):
    token: str
    password: str


@router.post("/password/reset")
async def reset(
    visit: CurrentVisit, form: Annotated[Reset, Depends(body(Reset))]
) -> dict[str, str]:
    """Sets a new password with a mailed token, which also proves the mailbox: the password that
    somebody else may have set for this address is gone. Signs nobody in. A password that is refused
    does not use the token up (ASVS 6.4.1, 6.4.3)."""
    auth, u = visit.auth, tables.users
    owner = await usable(visit, Purpose.RESET, form.token)
    password = passwords.normalized(form.password)
    password_hash = await auth.hasher.hash_new(password, auth.settings, owner["email"])
    async with auth.db.write() as db:
        user_id = await tokens.consume(db, Purpose.RESET, form.token)
        if user_id is None or await replace(db, user_id, None, password_hash) is None:
            raise Problem("token_invalid")
        verified = sa.func.coalesce(u.c.verified_at, now())
        await db.execute(
            sa.update(u).where(u.c.id == user_id).values(verified_at=verified)
        )
        await throttle.clear(db, auth.keys.of("account", owner["email"]))
        await audit.record(db, visit, "password_reset", user_id=user_id)
    await sign_in.notify(visit, owner["email"], RESET)
    return {"status": "changed"}
