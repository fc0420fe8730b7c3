"""Mail leaves from a queue, never from a request: an answer takes as long whether or not a mail
follows from it (ASVS 6.3.8)."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import formataddr
from smtplib import SMTPException

from django.core.mail import EmailMessage
from django.db import connections

from . import audit, conf
from .problem import Problem

log = logging.getLogger("accounts")

PLACES = 1_024
POSTMEN = 4
RETRY_AFTER_SECONDS = (2, 15)

Writer = Callable[[], EmailMessage | None]


class Outbox:
    """Letters that wait to be written and sent. Whatever waits is sent before the process ends."""

    def __init__(self) -> None:
        # One writer, so that of two links for one account the newer one is the valid one.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="accounts-writer")
        self._postmen = ThreadPoolExecutor(POSTMEN, thread_name_prefix="accounts-mail")
        self._waiting = 0
        self._lock = threading.Lock()

    def room(self) -> None:
        """Asked before a request changes anything, so that a full queue refuses everybody alike."""
        if self._waiting >= PLACES:
            raise Problem("unavailable")

    def send(self, letter: EmailMessage) -> None:
        self.run(lambda: letter)

    def run(self, write: Writer) -> None:
        """Has the letter written, in order, and sent. `write` may find that there is none."""
        self._count(1)
        self._writer.submit(self._write, write)

    def _count(self, change: int) -> None:
        with self._lock:
            self._waiting += change

    def _write(self, write: Writer) -> None:
        try:
            letter = write()
            if letter is not None:
                self._count(1)
                self._postmen.submit(self._deliver, letter)
        except Exception:
            log.exception("a letter could not be written")
        finally:
            self._count(-1)
            connections.close_all()

    def _deliver(self, letter: EmailMessage) -> None:
        try:
            deliver(letter)
        except Exception:
            log.exception("a mail could not be sent")
        finally:
            self._count(-1)


def deliver(letter: EmailMessage) -> None:
    for wait in (*RETRY_AFTER_SECONDS, None):
        try:
            letter.send()
            return
        except (OSError, SMTPException):
            log.warning("a mail was not sent", exc_info=True)
        if wait:
            time.sleep(wait)
    log.error("a mail was given up")


outbox = Outbox()


def letter(to: str, subject: str, text: str) -> EmailMessage:
    configured = conf.current()
    return EmailMessage(
        f"{configured.app_name}: {subject}",
        text,
        formataddr(configured.mail_from),
        [to],
        headers={"Auto-Submitted": "auto-generated"},
    )


def link(path: str, token: str) -> str:
    """From the configured origin, whatever the request said."""
    return f"{conf.current().base_url}{path}?token={token}"


def verify(to: str, token: str) -> EmailMessage:
    address = link("/auth/verify", token)
    text = f"Open this link to confirm your address:\n\n{address}\n\nIf you did not sign up, ignore this mail.\n"
    return letter(to, "confirm your address", text)


def already_registered(to: str) -> EmailMessage:
    text = (
        "Somebody, perhaps you, tried to sign up with this address. It has an account already, and"
        " nothing was changed.\n\nIf you forgot the password, ask for a new one.\n"
    )
    return letter(to, "you have an account", text)


def reset(to: str, token: str) -> EmailMessage:
    address = link("/auth/password/reset", token)
    text = f"Open this link to choose a new password:\n\n{address}\n\nIf you did not ask, ignore this mail.\n"
    return letter(to, "choose a new password", text)


def email_change(to: str, token: str) -> EmailMessage:
    address = link("/auth/email/confirm", token)
    text = (
        f"Open this link, signed in, to make this your address:\n\n{address}\n\n"
        "If you did not ask, ignore this mail.\n"
    )
    return letter(to, "confirm your new address", text)


def notice(to: str, what: str, ip: str) -> EmailMessage:
    text = (
        f"{what}\n\nWhen: {audit.timestamp()} (UTC)\nFrom: {ip}\n\n"
        "If it was not you, choose a new password and tell us.\n"
    )
    return letter(to, "about your account", text)
