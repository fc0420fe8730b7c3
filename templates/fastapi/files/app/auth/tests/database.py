"""A database for each test, and what the tests say to it."""

[% if db == "postgres" -%]
import secrets
from pathlib import Path
from typing import Any

import psycopg

# A setting that is accepted.
EXAMPLE = "postgres://app@127.0.0.1/app"
# Settings that are refused.
REFUSED = [
    "sqlite:///x.db",
    "postgres://app@db.app.test/app",
    "postgres://app@db.app.test/app?sslmode=require",
    "postgres://app@127.0.0.1/app?hostaddr=192.0.2.1",
    "postgres://127.0.0.1,db.app.test/app",
    "postgres:///app",
    "postgres://127.0.0.1/app?service=x",
]


class Place:
    """A schema of its own, dropped with the test."""

    def __init__(self, server: str, _folder: Path) -> None:
        self._server = server
        self._schema = f"auth_test_{secrets.token_hex(8)}"
        self._run(server, f"CREATE SCHEMA {self._schema}")
        mark = "&" if "?" in server else "?"
        self.url = f"{server}{mark}options=-csearch_path%3D{self._schema}"

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        return self._run(self.url, statement)

    def drop(self) -> None:
        self._run(self._server, f"DROP SCHEMA {self._schema} CASCADE")

    @staticmethod
    def _run(url: str, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(url) as db:
            done = db.execute(statement.encode())
            return done.fetchall() if done.description else []
[%- else -%]
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

# A setting that is accepted.
EXAMPLE = "sqlite:///x.db"
# Settings that are refused.
REFUSED = [
    "postgres://app@127.0.0.1/app",
    "sqlite://",
    "sqlite:///:memory:",
    "sqlite:///file:x?mode=memory&uri=true",
]


@contextmanager
def server() -> Iterator[str]:
    """There is none: each test has a file."""
    yield ""


class Place:
    """A file of its own."""

    def __init__(self, _server: str, folder: Path) -> None:
        self._file = folder / "auth.db"
        self.url = f"sqlite:///{self._file}"

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self._file)) as db, db:
            return db.execute(statement).fetchall()

    def drop(self) -> None:
        """It goes with the folder."""
[%- endif %]
