"""The operator's commands, and a server with settings that fit:

python -m app.auth serve [MODULE:APP]            serves it, or `app.main:app`, at ADDR
python -m app.auth disable|enable|revoke USER    acts on one account, at once
python -m app.auth revoke --all                  ends everybody's sessions
python -m app.auth audit [USER]                  prints what happened to an account, or to all
[%- if module.tokens %]
python -m app.auth token-key                     prints a fresh AUTH_TOKEN_KEY; needs no settings
[%- endif %]
"""

import asyncio
import logging
import os
import sys

import uvicorn

from . import operator
from .audit import JsonLines
from .db import Database
from .settings import Settings, listener

APP = "app.main:app"


def run(settings: Settings, arguments: list[str]) -> int:
    os.umask(0o077)
    if arguments[:1] == ["serve"] and len(arguments) < 3:
        return serve(*arguments[1:])
    try:
        return asyncio.run(operate(settings, arguments))
    except operator.OperatorError as error:
        print(f"auth: {error}", file=sys.stderr)
    return 1


def serve(app: str = APP) -> int:
    host, port = listener({name: value for name, value in os.environ.items() if value})
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    uvicorn.run(
        app.removesuffix("()"),
        factory=app.endswith("()"),
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        # The module reads X-Forwarded-For itself, by AUTH_TRUSTED_PROXIES.
        proxy_headers=False,
        timeout_graceful_shutdown=10,
    )
    return 0


async def operate(settings: Settings, arguments: list[str]) -> int:
    database = Database(settings.database_url)
    try:
        await database.prepare()
        match arguments:
            case ["audit", *whom] if len(whom) < 2:
                print(
                    "\n".join(await operator.trail(database, whom[0] if whom else None))
                )
            case ["revoke", "--all"]:
                print(await operator.act(database, "revoke", None))
            case ["disable" | "enable" | "revoke" as command, whom]:
                print(await operator.act(database, command, whom))
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    finally:
        await database.close()
    return 0
