"""Changing the address of an account: the new one must be proven, the old one is told."""

from email.message import EmailMessage
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Depends
[%- if db == "postgres" %]
from sqlalchemy.exc import IntegrityError
[%- endif %]
from sqlalchemy.ext.asyncio import AsyncConnection

from . import accounts, addresses, audit, limits, mail, sign_in, store, throttle, tokens
from . import db as tables
from .accounts import ACCEPTED, AddressForm
from .db import now
from .inputs import Form, body
from .problem import Problem
from .tokens import Purpose
from .user import CurrentUser, CurrentVisit, FreshUser, User
from .visit import Visit

router = APIRouter()

REQUESTED = (
    "Somebody asked to give your account another e-mail address. Nothing changes until the new"
    " address is confirmed."
)
CHANGED = "Your account has another e-mail address now. This one no longer signs in."


@router.post("/email", status_code=202)
async def request(
    visit: CurrentVisit,
    user: FreshUser,
    form: Annotated[AddressForm, Depends(body(AddressForm))],
) -> dict[str, str]:
    """Mails a link to the new address and a notice to the old one, which stays in use until the
    link is. The answer is the same for an address that has an account (ASVS 6.3.7, 6.3.8)."""
    auth, policy = visit.auth, visit.auth.settings.policy
    await limits.per_source(visit, "mail", policy.mail_source)
    new_email = addresses.canonical(form.email)
    if new_email == user.email:
        raise Problem("email_unchanged")
    auth.mail.room()
    async with auth.db.write() as db:
        await audit.record(
            db, visit, "email_change_requested", user_id=user.id, email=new_email
        )
        # A counter of its own: those that strangers can fill must not keep the owner from knowing.
        key = auth.keys.of("email_change_notice", user.id)
        tells = (await throttle.hit(db, key, policy.mail_address, 60)).is_allowed
        may_mail = await limits.may_mail(db, visit, new_email)
    if tells:
        auth.mail.send(mail.notice(auth.settings, user.email, REQUESTED, visit.ip))
    if may_mail:
        auth.mail.run(lambda: write_link(visit, user, new_email))
    return ACCEPTED


async def write_link(visit: Visit, user: User, new_email: str) -> EmailMessage | None:
    auth, u = visit.auth, tables.users
    async with auth.db.write() as db:
        taken = await tables.row(db, sa.select(u.c.id).where(u.c.email == new_email))
        if taken is not None:
            return mail.already_registered(auth.settings, new_email)
        same = sa.select(u.c.id).where(u.c.id == user.id)
        if await tables.row(db, same.with_for_update()) is None:
            return None
        token = await tokens.issue(
            db,
            Purpose.EMAIL_CHANGE,
            user.id,
            user.email,
            auth.settings.policy.email_token,
            new_email=new_email,
        )
    return mail.email_change(auth.settings, new_email, token)


async def usable(visit: Visit, user: User, token: str) -> str:
    """The token proves the new mailbox, the session that it is the account's user who asked: a
    mistyped address does not give the account away. Nobody else learns whose the token is."""
    owner = await accounts.usable(visit, Purpose.EMAIL_CHANGE, token)
    new_email: str | None = owner["new_email"]
    if owner["user_id"] != user.id or new_email is None:
        raise Problem("token_invalid")
    return new_email


@router.get("/email/confirm")
async def show(
    visit: CurrentVisit, user: CurrentUser, token: str = ""
) -> dict[str, str]:
    """Says which address the link would confirm, for the user who asked."""
    return {"status": "ready", "email": await usable(visit, user, token)}


class Confirm(Form):
    token: str


@router.post("/email/confirm")
async def confirm(
    visit: CurrentVisit,
    user: CurrentUser,
    form: Annotated[Confirm, Depends(body(Confirm))],
) -> dict[str, str]:
    """Puts the new address in place. Every other session and every link ends; this session goes on
    under a new identifier (ASVS 7.2.4, 7.4.3)."""
    new_email = await usable(visit, user, form.token)
    async with visit.auth.db.write() as db:
        await store.hand_over(db, visit, user.id)
        if await tokens.consume(db, Purpose.EMAIL_CHANGE, form.token) != user.id:
            raise Problem("token_invalid")
        epoch = await replace(db, user, new_email)
        if epoch is None:
            raise Problem("token_invalid")
        await audit.record(db, visit, "email_changed", user_id=user.id)
        await store.begin(
            db,
            visit,
            user.id,
            epoch,
[%- if module.oidc %]
            amr=user.amr,
[%- endif %]
            auth_time=user.auth_time,
            expires_at=user.expires_at,
        )
    await sign_in.notify(visit, user.email, CHANGED)
    return {"status": "changed", "email": new_email}


async def replace(db: AsyncConnection, user: User, email: str) -> int | None:
    """Nothing if the account changed meanwhile, or somebody else has the address by now."""
    u = tables.users
    if await tables.row(db, sa.select(u.c.id).where(u.c.email == email)) is not None:
        return None
    same = sa.and_(
        u.c.id == user.id, u.c.epoch == user.epoch, u.c.disabled_at.is_(None)
    )
    changed = (
        sa.update(u)
        .where(same)
        .values(email=email, verified_at=now(), epoch=u.c.epoch + 1)
        .returning(u.c.epoch)
    )
[%- if db == "postgres" %]
    try:
        epoch: int | None = (await db.execute(changed)).scalar_one_or_none()
    except IntegrityError:
        # Somebody else has it since that look: the unique index decides.
        raise Problem("token_invalid") from None
[%- else %]
    epoch: int | None = (await db.execute(changed)).scalar_one_or_none()
[%- endif %]
    if epoch is not None:
        await store.end_all(db, user.id)
    return epoch
