"""The database of accounts: which one it is, and how its transactions keep apart."""

[% if db == "postgres" -%]
from collections.abc import Mapping
from typing import Any

import psycopg
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict

from .variables import SettingError, is_loopback, required

ENGINE = "django.db.backends.postgresql"
# What `startproject` writes, and what is the same already.
REPLACED = (None, "", "django.db.backends.sqlite3", ENGINE)
FIX = "Set it to DATABASE_URL=postgres://USER:PASSWORD@HOST/NAME?sslmode=verify-full"
# Words of PostgreSQL, and Django's for the same.
NAMES = {
    "dbname": "NAME",
    "user": "USER",
    "password": "PASSWORD",
    "host": "HOST",
    "port": "PORT",
}
# Also where the server's own default is another: what is read after a lock was waited for is what
# others have written.
ISOLATION = psycopg.IsolationLevel.READ_COMMITTED
# Variables by which the library would connect to another server than the URL names.
ELSEWHERE = ("PGHOSTADDR", "PGSERVICE", "PGSERVICEFILE")
# Unless the URL says otherwise. Nobody waits without end: neither for a server that is gone, nor
# for who holds an account and does nothing.
DEFAULTS = {
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 30,
    "options": "-c lock_timeout=10s -c idle_in_transaction_session_timeout=60s",
}


def from_environment(values: Mapping[str, str]) -> dict[str, Any]:
    for name in ELSEWHERE:
        if name in values:
            why = "would lead elsewhere than DATABASE_URL"
            raise SettingError(name, why, "Unset it.")
    return from_url(required(values, "DATABASE_URL", FIX))


def from_url(text: str) -> dict[str, Any]:
    """What takes the place of `DATABASES`. With TLS, or on this machine (ASVS 12.3.1). Read by the
    library that will connect."""
    if not text.startswith(("postgres://", "postgresql://")):
        raise SettingError("DATABASE_URL", "does not start with postgres://", FIX)
    try:
        said = conninfo_to_dict(text)
    except psycopg.ProgrammingError:
        raise SettingError("DATABASE_URL", "is not a URL", FIX) from None
    # Else variables or files of the library would say where it is.
    if not hosts(said) or not said.get("dbname") or "service" in said:
        why = "does not name a server and a database"
        raise SettingError("DATABASE_URL", why, FIX)
    if not is_safe(said):
        why = "would send accounts without TLS to a server that was verified"
        raise SettingError("DATABASE_URL", why, FIX)
    named = {django: str(said.pop(name, "")) for name, django in NAMES.items()}
    options = {**DEFAULTS, **said, "isolation_level": ISOLATION}
    return {"ENGINE": ENGINE, **named, "OPTIONS": options}


def hosts(said: dict[str, Any]) -> list[str]:
    named = [str(said.get(name) or "") for name in ("host", "hostaddr")]
    return [host for text in named for host in text.split(",") if host]


def is_safe(said: dict[str, Any]) -> bool:
    is_local = all(host.startswith("/") or is_loopback(host) for host in hosts(said))
    # `require` would take any certificate.
    return is_local or said.get("sslmode") in ("verify-ca", "verify-full")


def configure(database: dict[str, Any], given: dict[str, Any]) -> None:
    if database.get("ENGINE") not in REPLACED:
        raise SettingError("DATABASES", "names another database than PostgreSQL")
    database |= given


def refuse_weakened(database: dict[str, Any]) -> None:
    options = database.get("OPTIONS") or {}
    said = {"host": database.get("HOST"), **options}
    is_reached = database.get("ENGINE") == ENGINE and hosts(said) and is_safe(said)
    if not is_reached or options.get("isolation_level") != ISOLATION:
        raise ImproperlyConfigured(
            "DATABASES is not what accounts.conf.configure set: DATABASE_URL names the server"
        )
[%- else -%]
import re
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from .variables import SettingError

FIX = "Set it to a file: DATABASE_URL=sqlite:////var/lib/app/db.sqlite3"


def from_url(text: str | None) -> str | None:
    """The file that takes the place of the one in `DATABASES`."""
    if text is None:
        return None
    url = re.fullmatch(r"sqlite:///([^?#]+)", text)
    if not url or ":memory:" in text or url[1].startswith("file:"):
        raise SettingError("DATABASE_URL", "does not name a SQLite file", FIX)
    return url[1]


def configure(database: dict[str, Any], path: str | None) -> None:
    if database.get("ENGINE") != "django.db.backends.sqlite3":
        raise SettingError("DATABASES", "names another database than SQLite")
    if path is not None:
        database["NAME"] = path
    database["OPTIONS"] = {
        # Writers take turns from the first statement on: what was read stays true.
        "transaction_mode": "IMMEDIATE",
        "timeout": 10,
        "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;",
        **database.get("OPTIONS", {}),
    }


def refuse_weakened(database: dict[str, Any]) -> None:
    options = database.get("OPTIONS") or {}
    if options.get("transaction_mode") != "IMMEDIATE":
        raise ImproperlyConfigured(
            "DATABASES is not what accounts.conf.configure set: transactions need to be immediate"
        )
[%- endif %]
