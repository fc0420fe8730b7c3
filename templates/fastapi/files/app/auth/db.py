"""The database: tables, connections and transactions."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

[% if db == "postgres" -%]
import psycopg
[% endif -%]
import sqlalchemy as sa
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    MetaData,
    Table,
    Text,
[%- if db == "sqlite" %]
    event,
[%- endif %]
)
[%- if db == "postgres" %]
from sqlalchemy.dialects.postgresql import insert
[%- else %]
from sqlalchemy.dialects.sqlite import insert
[%- endif %]
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

log = logging.getLogger("auth")

PURGE_SECONDS = 600

metadata = MetaData()

users = Table(
    "auth_users",
    metadata,
    Column("id", Text, primary_key=True),
    Column("email", Text, nullable=False, unique=True),
    # None in an account that [% if module.password %]a provider made[% else %]has no password[% endif %].
    Column("password_hash", Text),
    Column("verified_at", BigInteger),
    Column("disabled_at", BigInteger),
    # Raised by every change that ends sessions.
    Column("epoch", BigInteger, nullable=False, server_default="0"),
    # Consecutive; at the cap the password stops working.
    Column("failed_logins", BigInteger, nullable=False, server_default="0"),
    Column("password_changed_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)


def owner() -> Column[str]:
    return Column(
        "user_id",
        Text,
        ForeignKey("auth_users.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    )


sessions = Table(
    "auth_sessions",
    metadata,
    # SHA-256 of the cookie's value.
    Column("id_hash", Text, primary_key=True),
    # Its name in lists; opens nothing.
    Column("handle", Text, nullable=False, unique=True),
    owner(),
    # The account's when the session began: another one ends it.
    Column("epoch", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("authenticated_at", BigInteger, nullable=False),
    # How somebody signed in: `pwd`, or `fed` for a provider.
    Column("amr", Text, nullable=False, server_default="pwd"),
    Column("last_seen_at", BigInteger, nullable=False),
    # Absolute; no request moves it.
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("ip", Text, nullable=False),
    Column("user_agent", Text, nullable=False),
    # Which of two that began in one second is older.
    Column("number", BigInteger, nullable=False),
)

[% if module.password -%]
tokens = Table(
    "auth_tokens",
    metadata,
    # SHA-256 of the mailed value.
    Column("token_hash", Text, primary_key=True),
    Column("purpose", Text, nullable=False),
    owner(),
    # The account's address when it was made.
    Column("email", Text, nullable=False),
    # Mailed there: the address that is to replace it.
    Column("new_email", Text),
    # SHA-256 of the registering browser's cookie.
    Column("browser_hash", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("used_at", BigInteger),
    # A newer token takes the place of the older.
    sa.UniqueConstraint("user_id", "purpose"),
)

[% endif -%]
[% if module.oidc -%]
identities = Table(
    "auth_identities",
    metadata,
    Column("id", Text, primary_key=True),
    owner(),
    Column("provider", Text, nullable=False),
    Column("issuer", Text, nullable=False),
    # Exactly as the provider says it.
    Column("subject", Text, nullable=False),
    # As it was when linked; to be shown, never to be looked up.
    Column("email", Text),
    Column("linked_at", BigInteger, nullable=False),
    # An identity belongs to one account.
    sa.UniqueConstraint("issuer", "subject"),
    sa.UniqueConstraint("user_id", "provider"),
)

transactions = Table(
    "auth_oidc_transactions",
    metadata,
    # SHA-256 of `state`.
    Column("state_hash", Text, primary_key=True),
    # SHA-256 of the cookie of the browser that began.
    Column("browser_hash", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("intent", Text, nullable=False),
    Column("user_id", Text, ForeignKey("auth_users.id", ondelete="CASCADE")),
    # The handle of the session that began, unless to sign in.
    Column("session", Text),
    Column("nonce", Text, nullable=False),
    # For PKCE; never leaves the server before the code is exchanged.
    Column("verifier", Text, nullable=False),
    Column("next", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Index("auth_oidc_transactions_browser", "browser_hash", "created_at"),
)

[% endif -%]
[% if module.tokens -%]
families = Table(
    "auth_token_families",
    metadata,
    # Its name in lists and in access tokens; opens nothing.
    Column("id", Text, primary_key=True),
    owner(),
    # Handle of the session that it ends with.
    Column("session", Text),
    Column("device", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("amr", Text, nullable=False),
    Column("authenticated_at", BigInteger, nullable=False),
    # The account's: another one ends the family.
    Column("epoch", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("last_used_at", BigInteger, nullable=False),
    # Absolute; no use moves it.
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("revoked_at", BigInteger),
)

refresh_tokens = Table(
    "auth_refresh_tokens",
    metadata,
    # SHA-256 of the token.
    Column("token_hash", Text, primary_key=True),
    Column(
        "family_id",
        Text,
        ForeignKey("auth_token_families.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("created_at", BigInteger, nullable=False),
    # Kept while the family is, to notice a second use.
    Column("used_at", BigInteger),
    Column("expires_at", BigInteger, nullable=False),
)

[% endif -%]
throttles = Table(
    "auth_throttles",
    metadata,
    # HMAC of what is counted.
    Column("key", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("window_start", BigInteger, nullable=False),
    Column("blocked_until", BigInteger, nullable=False, server_default="0"),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

audit = Table(
    "auth_audit",
    metadata,
    Column(
        "id",
        BigInteger().with_variant(sa.Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    Column("at", Text, nullable=False, index=True),
    Column("event", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason", Text, nullable=False),
    # No foreign key: the trail outlives the account.
    Column("user_id", Text),
    # Keyed hash of an address that has no account.
    Column("subject", Text),
    Column("ip", Text, nullable=False),
    Column("user_agent", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Index("auth_audit_user", "user_id", "id"),
    sqlite_autoincrement=True,
)


# With `on_conflict_do_update`, which the standard has not.
upsert = insert


def now() -> int:
    return int(time.time())


class Database:
    """Connections to the module's tables."""
[% if db == "postgres" %]
    def __init__(self, url: str) -> None:
        async def connect() -> psycopg.AsyncConnection[Any]:
            return await psycopg.AsyncConnection.connect(url, connect_timeout=5)

        self.engine: AsyncEngine = create_async_engine(
            # What the URL says is read in one place: by the driver's library.
            "postgresql+psycopg://",
            async_creator=connect,
            hide_parameters=True,
            # Whatever the server's default is.
            isolation_level="READ COMMITTED",
            pool_size=16,
            max_overflow=0,
            pool_timeout=5,
            pool_pre_ping=True,
        )

    async def prepare(self) -> None:
        """Makes the tables that are not there."""
        async with self.write() as db:
            # Instances that start at the same time take turns. The number is only this module's.
            await db.execute(sa.select(sa.func.pg_advisory_xact_lock(4707249126521183)))
            await db.run_sync(metadata.create_all)
[% else %]
    def __init__(self, url: str) -> None:
        self.engine: AsyncEngine = create_async_engine(url, hide_parameters=True)
        # The driver would log every value that it is given, addresses and hashes too.
        logging.getLogger("aiosqlite").setLevel(logging.INFO)
        self._writing = asyncio.Lock()
        event.listen(self.engine.sync_engine, "connect", configure)
        event.listen(self.engine.sync_engine, "begin", begin)

    async def prepare(self) -> None:
        """Makes the tables that are not there."""
        async with self.write() as db:
            await db.run_sync(metadata.create_all)
[% endif %]
    async def close(self) -> None:
        await self.engine.dispose()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        async with self.engine.connect() as db, db.begin():
            yield db

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
[%- if db == "postgres" %]
        """A transaction: all of it happens, or nothing. What decides in it is one statement, or
        follows a lock on the row that it is about."""
        async with self.engine.connect() as db, db.begin():
            yield db
[%- else %]
        """A transaction that nobody else writes in: all of it happens, or nothing."""
        # In turn, rather than each trying again until the database is free.
        async with self._writing, self.engine.connect() as connection:
            db = await connection.execution_options(auth_write=True)
            async with db.begin():
                yield db
[%- endif %]

    async def purge(self) -> None:
        """Removes what no query would accept any more. The audit trail is the owner's to cut."""
[%- if module.oidc and module.password %]
        expiring = [sessions, tokens, throttles, transactions[% if module.tokens %], families[% endif %]]
        for table in expiring:
[%- elif module.oidc %]
        for table in (sessions, throttles, transactions[% if module.tokens %], families[% endif %]):
[%- else %]
        for table in (sessions, tokens, throttles[% if module.tokens %], families[% endif %]):
[%- endif %]
            async with self.write() as db:
                await db.execute(sa.delete(table).where(table.c.expires_at <= now()))

    async def purge_regularly(self) -> None:
        while True:
            await asyncio.sleep(PURGE_SECONDS)
            try:
                await self.purge()
            except SQLAlchemyError as error:
                log.warning("expired rows were not removed: %s", type(error).__name__)
[% if db == "sqlite" %]

def configure(connection: Any, _record: object) -> None:
    # The driver would begin a transaction only at the first change, and not at all for a read.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode = WAL",
        "synchronous = NORMAL",
        "busy_timeout = 10000",
        "foreign_keys = ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("auth_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
[% endif %]

async def row(db: AsyncConnection, statement: sa.Executable) -> sa.RowMapping | None:
    return (await db.execute(statement)).mappings().first()
