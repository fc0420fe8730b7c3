"""What the module adds to an application, and what it needs while that runs."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response

[% if module.password -%]
from . import accounts, email_change, password, personal, sessions, sign_in, throttle
[%- else -%]
from . import personal, sessions, sign_in, throttle
[%- endif %]
[%- if module.tokens %]
from .bearer import devices
from .bearer import routes as bearer
from .bearer.access import Access
[%- endif %]
from .db import Database
[%- if module.password %]
from .mail import Outbox
[%- endif %]
[%- if module.oidc %]
from .oidc import callback, identities, start
from .oidc.metadata import Oidc
[%- endif %]
[%- if module.password %]
from .passwords import Hasher
[%- endif %]
from .problem import Problem
from .settings import Settings, from_environment
from .user import refuse_foreign
from .variables import SettingError
from .visit import [% if module.tokens %]JWKS, Enter, visit_of[% else %]Enter[% endif %]

log = logging.getLogger("auth")


class Auth:
    """What the module needs while the application runs."""

    settings: Settings
    db: Database
[%- if module.password %]
    hasher: Hasher
    mail: Outbox
[%- endif %]
    keys: throttle.Keys
[%- if module.oidc %]
    oidc: Oidc
[%- endif %]
[%- if module.tokens %]
    access: Access
[%- endif %]

    def __init__(self, settings: Settings | None) -> None:
        self._given = settings
        self.is_started = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self.settings = self._given or from_environment()
        self.db = Database(self.settings.database_url)
[%- if module.password %]
        self.hasher = Hasher()
        self.mail = Outbox(self.settings)
[%- endif %]
        self.keys = throttle.Keys(self.settings.secret)
[%- if module.oidc %]
        self.oidc = Oidc(self.settings.oidc)
[%- endif %]
[%- if module.tokens %]
        self.access = Access(
            self.settings.token_keys,
            self.settings.base_url,
            self.settings.token_audience,
            self.settings.policy.access_token,
        )
[%- endif %]
        try:
            await self.db.prepare()
        except SQLAlchemyError as error:
            why = f"cannot be used: {type(error).__name__}"
[%- if db == "postgres" %]
            fix = "Check the address, the role and what it may do."
[%- else %]
            fix = "Check the path and its permissions."
[%- endif %]
            raise SettingError("DATABASE_URL", why, fix) from None
[%- if module.password %]
        self.mail.start()
[%- endif %]
        purging = asyncio.create_task(self.db.purge_regularly())
        if self.settings.development:
            where = self.settings.base_url
[%- if module.password %]
            print(
                f"auth: DEVELOPMENT on {where}: cookies without Secure, mail in .auth-dev/mail",
                flush=True,
            )
[%- else %]
            print(f"auth: DEVELOPMENT on {where}: cookies without Secure", flush=True)
[%- endif %]
        self.is_started = True
        try:
            yield
        finally:
            self.is_started = False
            purging.cancel()
[%- if module.password %]
            await self.mail.close()
[%- endif %]
[%- if module.oidc %]
            await self.oidc.close()
[%- endif %]
            await self.db.close()


def attach(app: FastAPI, settings: Settings | None = None) -> Auth:
    """Adds the routes, the guards and their life to an application. Settings are read from the
    environment when it starts, unless they are given."""
    auth = Auth(settings)
    before = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        async with auth.running(), before(app) as state:
            yield state or {}

    app.router.lifespan_context = lifespan
    app.add_middleware(Enter, auth=auth)
    app.add_exception_handler(Problem, refused)
    app.add_exception_handler(SQLAlchemyError, failed)
    app.include_router(routes())
[%- if module.oidc and 'apple' in providers %]
    app.include_router(callback.foreign)
[%- endif %]
[%- if module.tokens %]
    app.add_api_route(JWKS, published, tags=["auth"])
[%- endif %]
    logging.getLogger("uvicorn.access").addFilter(without_query)
    return auth


def routes() -> APIRouter:
    router = APIRouter(
        prefix="/auth", tags=["auth"], dependencies=[Depends(refuse_foreign)]
    )
[%- if module.password %]
    for part in (accounts, sign_in, password, email_change, sessions, personal):
[%- else %]
    for part in (sign_in, sessions, personal):
[%- endif %]
        router.include_router(part.router)
[%- if module.oidc %]
    for part in (start, callback, identities):
        router.include_router(part.router)
[%- endif %]
[%- if module.tokens %]
    for part in (bearer, devices):
        router.include_router(part.router)
[%- endif %]
    return router


async def refused(_request: Request, error: Exception) -> Response:
    problem = error if isinstance(error, Problem) else Problem("unavailable")
    return problem.response()


async def failed(_request: Request, error: Exception) -> Response:
    # The kind alone: an error's text may hold what was sent.
    log.error("the database failed: %s", type(error).__name__)
    return Problem("unavailable").response()


[% if module.tokens -%]
async def published(request: Request) -> dict[str, Any]:
    """The public keys of access tokens, for who checks them elsewhere (RFC 7517)."""
    return visit_of(request).auth.access.keys.published()


[% endif -%]
def without_query(record: logging.LogRecord) -> bool:
    """[% if module.password %]Mailed links carry a token[% else %]Answers of providers carry a code[% endif %]: the server's access log does not keep it (ASVS 14.2.1)."""
    if isinstance(record.args, tuple) and len(record.args) > 2:
        kept = [
            arg.partition("?")[0] if isinstance(arg, str) else arg
            for arg in record.args
        ]
        record.args = tuple(kept)
    return True
