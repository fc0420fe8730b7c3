"""`manage.py serve`: the project on waitress, with logs in JSON."""

import logging
import os
import signal
import sys
import time
from types import FrameType
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.wsgi import get_wsgi_application
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer, create_server

from accounts import conf, passwords
from accounts.audit import JsonLines

THREADS = 16
READ_SECONDS = 15


class Command(BaseCommand):
    help = "Serves the project at ADDR, 127.0.0.1:8000 if that is not set."

    def add_arguments(self, parser: CommandParser) -> None:
        text = "bring the database up to date first; always done in development"
        parser.add_argument("--migrate", action="store_true", help=text)

    def handle(self, *_: Any, **options: Any) -> None:
        os.umask(0o077)
        configured = conf.current()
        host, port = conf.listener(conf.given())
        if options["migrate"] or configured.development:
            call_command("migrate", interactive=False, verbosity=0)
        # After Django has set logs up.
        application = get_wsgi_application()
        log_as_json()
        # Now rather than in the first request.
        passwords.common_passwords()
        passwords.decoy()
        signal.signal(signal.SIGTERM, stop)
        if configured.development:
            where = configured.base_url
            self.stdout.write(
                f"auth: DEVELOPMENT on {where}: cookies without Secure, mail in .auth-dev/mail"
            )
        server_at(host, port, application).run()


def server_at(host: str, port: int, application: Any) -> BaseWSGIServer:
    server = create_server(
        application,
        host=host,
        port=port,
        threads=THREADS,
        # Larger ones are refused before they are read to the end.
        max_request_body_size=conf.current().policy.body,
        # No name of the server, and no header of a proxy: the module reads X-Forwarded-For itself,
        # by AUTH_TRUSTED_PROXIES.
        ident=None,
        clear_untrusted_proxy_headers=False,
    )
    if not isinstance(server, BaseWSGIServer):
        raise CommandError("ADDR is more than one socket")
    server.channel_class = Channel
    return server


class Channel(HTTPChannel):
    """A connection. A request that trickles in for longer is given up."""

    began: float | None = None

    def received(self, data: bytes) -> bool:
        at = time.monotonic()
        if self.request is None:
            self.began = at
        elif self.began is not None and at - self.began > READ_SECONDS:
            self.will_close = True
            return False
        return bool(super().received(data))


def stop(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def log_as_json() -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("django").handlers.clear()
    # Of refusals, the audit trail tells; paths of mailed links stay out of the log.
    logging.getLogger("django.request").setLevel(logging.ERROR)
    logging.getLogger("django.security").setLevel(logging.CRITICAL)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
