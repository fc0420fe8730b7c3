"""Mail leaves from a queue, never from a request: an answer takes as long whether or not a mail
follows from it (ASVS 6.3.8)."""

import asyncio
import logging
import ssl
import time
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from email.policy import SMTP

import aiosmtplib

from .audit import timestamp
from .problem import Problem
from .settings import DEVELOPMENT_FOLDER, Settings

log = logging.getLogger("auth")

PLACES = 1_024
POSTMEN = 4
RETRY_AFTER_SECONDS = (2, 15)

Writer = Callable[[], Awaitable[EmailMessage | None]]


class Outbox:
    """Letters that wait to be written and sent."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._waiting: asyncio.Queue[Writer] = asyncio.Queue()
        self._written: asyncio.Queue[EmailMessage] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        # One writer, so that of two links for one account the newer one is the valid one.
        self._tasks = [asyncio.create_task(self._write())]
        self._tasks += [asyncio.create_task(self._deliver()) for _ in range(POSTMEN)]

    async def close(self) -> None:
        try:
            async with asyncio.timeout(10):
                await self._waiting.join()
                await self._written.join()
        except TimeoutError:
            log.error("mail was left unsent at the end")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def room(self) -> None:
        """Asked before a request changes anything, so that a full queue refuses everybody alike."""
        if self._waiting.qsize() + self._written.qsize() >= PLACES:
            raise Problem("unavailable")

    def send(self, letter: EmailMessage) -> None:
        async def write() -> EmailMessage:
            return letter

        self.run(write)

    def run(self, write: Writer) -> None:
        """Has the letter written, in order, and sent. `write` may find that there is none."""
        self._waiting.put_nowait(write)

    async def _write(self) -> None:
        while True:
            write = await self._waiting.get()
            try:
                letter = await write()
                if letter is not None:
                    self._written.put_nowait(letter)
            except Exception:
                log.exception("a letter could not be written")
            finally:
                self._waiting.task_done()

    async def _deliver(self) -> None:
        while True:
            letter = await self._written.get()
            try:
                await self._attempt(letter)
            finally:
                self._written.task_done()

    async def _attempt(self, letter: EmailMessage) -> None:
        for wait in (*RETRY_AFTER_SECONDS, None):
            try:
                return await self._send(letter)
            except (OSError, aiosmtplib.SMTPException):
                log.warning("a mail was not sent", exc_info=True)
            if wait:
                await asyncio.sleep(wait)
        log.error("a mail was given up")

    async def _send(self, letter: EmailMessage) -> None:
        server = self._settings.smtp
        if server is None:
            folder = DEVELOPMENT_FOLDER / "mail"
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (folder / f"{time.time_ns()}.eml").write_bytes(letter.as_bytes(policy=SMTP))
            return
        await aiosmtplib.send(
            letter,
            hostname=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            use_tls=server.tls,
            start_tls=server.starttls,
            tls_context=ssl.create_default_context()
            if server.tls or server.starttls
            else None,
            timeout=20,
        )


def letter(settings: Settings, to: str, subject: str, text: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = settings.mail_from
    message["To"] = to
    message["Subject"] = f"{settings.app_name}: {subject}"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return message


def link(settings: Settings, path: str, token: str) -> str:
    """From the configured origin, whatever the request said."""
    return f"{settings.base_url}{path}?token={token}"


def verify(settings: Settings, to: str, token: str) -> EmailMessage:
    address = link(settings, "/auth/verify", token)
    text = f"Open this link to confirm your address:\n\n{address}\n\nIf you did not sign up, ignore this mail.\n"
    return letter(settings, to, "confirm your address", text)


def already_registered(settings: Settings, to: str) -> EmailMessage:
    text = (
        "Somebody, perhaps you, tried to sign up with this address. It has an account already, and"
        " nothing was changed.\n\nIf you forgot the password, ask for a new one.\n"
    )
    return letter(settings, to, "you have an account", text)


def reset(settings: Settings, to: str, token: str) -> EmailMessage:
    address = link(settings, "/auth/password/reset", token)
    text = f"Open this link to choose a new password:\n\n{address}\n\nIf you did not ask, ignore this mail.\n"
    return letter(settings, to, "choose a new password", text)


def email_change(settings: Settings, to: str, token: str) -> EmailMessage:
    address = link(settings, "/auth/email/confirm", token)
    text = (
        f"Open this link, signed in, to make this your address:\n\n{address}\n\n"
        "If you did not ask, ignore this mail.\n"
    )
    return letter(settings, to, "confirm your new address", text)


def notice(settings: Settings, to: str, what: str, ip: str) -> EmailMessage:
    text = (
        f"{what}\n\nWhen: {timestamp()} (UTC)\nFrom: {ip}\n\n"
        "If it was not you, choose a new password and tell us.\n"
    )
    return letter(settings, to, "about your account", text)
