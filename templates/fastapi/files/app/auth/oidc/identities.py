"""Whose account an identity opens. It is found by issuer and subject and by nothing else; an
address, which a provider can say anything about, only ever names a new account (ASVS 6.8.1)."""

from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from .. import addresses, audit, store, tokens
from .. import db as tables
from ..db import now
from ..problem import Problem
from ..sessions import raise_epoch
[%- if module.password %]
from ..sign_in import notify
[%- endif %]
from ..user import CurrentUser, CurrentVisit, FreshUser, User
from ..visit import Visit
from .exchange import Person
from .failure import Refused
from .settings import Provider

router = APIRouter()

# How somebody signed in, as sessions have it.
FEDERATED = "fed"
[%- if module.password %]
LINKED = (
    "Another way to sign in was added to your account. A new password does not take it"
    " away: disconnect it where your ways to sign in are listed."
)
UNLINKED = "A way to sign in was taken from your account."
[%- endif %]


class Overtaken(Exception):
    """Another request was faster: nothing was done."""


async def sign_in(visit: Visit, provider: Provider, person: Person) -> None:
    """Opens the account of an identity. One that is not known yet gets an account of its own."""
    # Somebody may have come in the meantime with the same identity: then it is found at the second
    # look.
    for _ in range(2):
        try:
            async with visit.auth.db.write() as db:
                owner = await owner_or_new(db, visit, provider, person)
                user_id, at = owner["id"], person.auth_time
                await audit.record(db, visit, "federated_login", user_id=user_id)
                await store.begin(
                    db, visit, user_id, owner["epoch"], amr=FEDERATED, auth_time=at
                )
            return
        except Overtaken:
            continue
    raise Problem("unavailable")


async def owner_or_new(
    db: AsyncConnection, visit: Visit, provider: Provider, person: Person
) -> sa.RowMapping:
    owner = await owner_of(db, person)
    if owner is not None:
        return owner
    email = proven_address(person)
    if email is None:
        raise Problem("email_unverified")
    owner = await take_address(db, email, person)
    if not await insert(db, owner["id"], provider, person):
        raise Overtaken
    await audit.record(db, visit, "register", user_id=owner["id"])
    return owner


async def owner_of(db: AsyncConnection, person: Person) -> sa.RowMapping | None:
    """Held: the account stays as it is until the transaction ends."""
    i, u = tables.identities, tables.users
    statement = (
        sa.select(u.c.id, u.c.epoch, u.c.disabled_at, u.c.verified_at)
        .join(i, i.c.user_id == u.c.id)
        .where(i.c.issuer == person.issuer, i.c.subject == person.subject)
        .with_for_update(of=u)
    )
    owner = await tables.row(db, statement)
    if owner is None:
        return None
    if owner["disabled_at"] is not None or owner["verified_at"] is None:
        raise Refused("account_disabled")
    return owner


def proven_address(person: Person) -> str | None:
    """The address for a new account. The provider must say that it is theirs."""
    return address_of(person) if person.is_verified else None


def address_of(person: Person) -> str | None:
    try:
        return addresses.canonical(person.email) if person.email is not None else None
    except Problem:
        return None


async def take_address(
    db: AsyncConnection, email: str, person: Person
) -> sa.RowMapping:
    """Makes the account of an address. One that is there already, and confirmed, is not handed
    over: its owner signs in and links the provider."""
    u = tables.users
    mine = sa.select(u).where(u.c.email == email)
    account = await tables.row(db, mine.with_for_update())
    if account is None:
        return await create(db, email)
    if account["verified_at"] is None and account["disabled_at"] is None:
        return await take_over(db, account["id"])
    # Another request may have made it just now, for the same identity.
    if await owner_of(db, person) is not None:
        raise Overtaken
    raise Problem("account_exists")


async def take_over(db: AsyncConnection, user_id: str) -> sa.RowMapping:
    """An account that nobody confirmed may have been made by a stranger, to lie in wait for the
    owner of the address. That owner is here now: whatever else would open the account goes (ASVS
    6.3.4)."""
    u, i = tables.users, tables.identities
    statement = (
        sa.update(u)
        .where(u.c.id == user_id)
        .values(
            password_hash=None,
            failed_logins=0,
            verified_at=now(),
            epoch=u.c.epoch + 1,
        )
        .returning(u.c.id, u.c.epoch)
    )
    account = await tables.row(db, statement)
    if account is None:
        raise Overtaken
    await store.end_all(db, user_id)
    await db.execute(sa.delete(i).where(i.c.user_id == user_id))
    return account


async def create(db: AsyncConnection, email: str) -> sa.RowMapping:
    """The unique index decides between parallel requests (ASVS 15.4.2)."""
    u, at = tables.users, now()
    statement = (
        tables.upsert(u)
        .values(
            id=tokens.random(16),
            email=email,
            verified_at=at,
            password_changed_at=at,
            created_at=at,
        )
        .on_conflict_do_nothing(index_elements=[u.c.email])
        .returning(u.c.id, u.c.epoch)
    )
    made = await tables.row(db, statement)
    if made is None:
        raise Overtaken
    return made


async def insert(
    db: AsyncConnection, user_id: str, provider: Provider, person: Person
) -> bool:
    """False if the identity, or another one of this provider, is linked already."""
    i = tables.identities
    statement = (
        tables.upsert(i)
        .values(
            id=tokens.random(16),
            user_id=user_id,
            provider=provider.preset.id,
            issuer=person.issuer,
            subject=person.subject,
            email=address_of(person),
            linked_at=now(),
        )
        .on_conflict_do_nothing()
        .returning(i.c.id)
    )
    return await tables.row(db, statement) is not None


async def link(visit: Visit, user: User, provider: Provider, person: Person) -> None:
    """Adds an identity to the account of the user who asked. It is never moved from another
    account."""
    u = tables.users
    same = sa.select(u.c.id).where(u.c.id == user.id, u.c.epoch == user.epoch)
    async with visit.auth.db.write() as db:
        # Nothing if the account changed meanwhile: then this session is over, too.
        if await tables.row(db, same.with_for_update()) is None:
            raise Problem("not_signed_in")
        if not await insert(db, user.id, provider, person):
            owner = await owner_of(db, person)
            if owner is None or owner["id"] != user.id:
                raise Problem("identity_taken")
            return
        await audit.record(db, visit, "identity_linked", user_id=user.id)
[%- if module.password %]
    await notify(visit, user.email, LINKED)
[%- endif %]


async def reauth(visit: Visit, user: User, person: Person, since: int) -> None:
    """Renews the session of a user who signed in anew with an identity of theirs, `since` they were
    sent to the provider, whose clock may be behind."""
    async with visit.auth.db.write() as db:
        owner = await owner_of(db, person)
        # With the session's epoch: one that was ended meanwhile is not renewed.
        if owner is None or (owner["id"], owner["epoch"]) != (user.id, user.epoch):
            raise Refused("identity")
        at = max(person.auth_time, since)
        await store.hand_over(db, visit, user.id)
        await store.begin(db, visit, user.id, user.epoch, amr=FEDERATED, auth_time=at)


@router.get("/identities")
async def show(visit: CurrentVisit, user: CurrentUser) -> dict[str, Any]:
    async with visit.auth.db.read() as db:
        return {"identities": await of(db, user.id)}


async def of(db: AsyncConnection, user_id: str) -> list[dict[str, Any]]:
    """The identities of an account, as its owner sees them."""
    i = tables.identities
    columns = (i.c.provider, i.c.email, i.c.linked_at)
    mine = sa.select(*columns).where(i.c.user_id == user_id)
    found = await db.execute(mine.order_by(i.c.linked_at, i.c.provider))
    return [dict(row) for row in found.mappings()]


@router.delete("/oidc/{name}/link", status_code=204)
async def unlink(visit: CurrentVisit, user: FreshUser, name: str) -> Response:
    """Takes an identity from the account and ends the other sessions: one of them may have been
    opened with it. The last way to sign in stays."""
    i, s = tables.identities, tables.sessions
    # A database may refuse what no provider's name contains, such as NUL.
    if not name.isascii() or not name.isprintable():
        raise Problem("identity_unknown")
    async with visit.auth.db.write() as db:
        # The account is held from here on: of two that unlink, the second sees what is left.
        await raise_epoch(db, user)
        mine = sa.and_(i.c.user_id == user.id, i.c.provider == name)
        if not (await db.execute(sa.delete(i).where(mine))).rowcount:
            raise Problem("identity_unknown")
        if not await can_sign_in(db, visit, user.id):
            raise Problem("last_login_method")
        others = sa.and_(s.c.user_id == user.id, s.c.handle != user.session)
        await db.execute(sa.delete(s).where(others))
        await audit.record(db, visit, "identity_unlinked", user_id=user.id)
[%- if module.password %]
    await notify(visit, user.email, UNLINKED)
[%- endif %]
    return Response(status_code=204)


async def can_sign_in(db: AsyncConnection, visit: Visit, user_id: str) -> bool:
[%- if module.password %]
    u = tables.users
    password = sa.select(u.c.password_hash).where(u.c.id == user_id)
    if (await db.execute(password)).scalar_one_or_none() is not None:
        return True
[%- endif %]
    # One at a provider that is not in the settings any more opens nothing.
    known = visit.auth.settings.oidc.providers
    return any(left["provider"] in known for left in await of(db, user_id))
