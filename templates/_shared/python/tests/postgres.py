"""A PostgreSQL server for tests, which ends with them."""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

# The server ends when its input does, so also if the tests are killed.
SCRIPT = """
read -r password && umask 077 && cd "$FOLDER" && echo "$password" >password || exit 1
"$PROGRAMS/initdb" -D data -U auth -A password --pwfile=password -N -E UTF8 --no-locale \\
    >log 2>&1 || { cat log >&2; exit 1; }
"$PROGRAMS/postgres" -D data -p "$PORT" -c listen_addresses=127.0.0.1 \\
    -c unix_socket_directories= -c fsync=off -c full_page_writes=off -c synchronous_commit=off \\
    >log 2>&1 &
read -r end
kill -QUIT $! && wait $!
cd / && rm -rf "$FOLDER"/*
"""


def programs() -> Path:
    """On the path, or where distributions put the newest."""
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    packaged += sorted(Path("/usr").glob("pgsql-*/bin"), reverse=True)
    found = [Path(folder) for folder in os.get_exec_path()]
    for folder in found + packaged:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise RuntimeError(
        "install PostgreSQL's `initdb` and `postgres` (Debian: postgresql), or set"
[%- if pack.id == "django" %]
        " AUTH_TEST_DATABASE_URL to a server on which tests may make a database"
[%- else %]
        " AUTH_TEST_DATABASE_URL to a database in which tests may make schemas"
[%- endif %]
    )


@contextmanager
def server() -> Iterator[str]:
    """The server of `AUTH_TEST_DATABASE_URL`, or one that ends with the tests."""
    if given := os.environ.get("AUTH_TEST_DATABASE_URL"):
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="auth-test-"))
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    rights: dict[str, Any] = {}
    # PostgreSQL refuses to run as root.
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        rights = {
            "user": nobody.pw_uid,
            "group": nobody.pw_gid,
            "extra_groups": list[int](),
        }
    more = {"FOLDER": str(folder), "PROGRAMS": str(programs()), "PORT": str(port)}
    process = subprocess.Popen(
        ["sh", "-c", SCRIPT],
        stdin=subprocess.PIPE,
        env=os.environ | more,
        text=True,
        **rights,
    )
    password = secrets.token_urlsafe()
    assert process.stdin
    try:
        print(password, file=process.stdin, flush=True)
        url = f"postgres://auth:{password}@127.0.0.1:{port}/postgres"
        wait_for(process, url)
        yield url
    finally:
        process.stdin.close()
        process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


def wait_for(process: "subprocess.Popen[str]", url: str) -> None:
    for _ in range(600):
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError:
            assert process.poll() is None, "PostgreSQL did not start"
            time.sleep(0.1)
    raise AssertionError("PostgreSQL did not start in time")
