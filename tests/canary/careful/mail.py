"""Mail leaves from a queue, never from a request: an answer takes as long whether or not a mail follows from it."""

import queue
import smtplib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import unquote

from store import log, stamp
from web import Problem

PLACES = 1024
RETRY_AFTER = (2, 15)


class Mail:
    def __init__(self, settings):
        self.settings = settings
        self.jobs = queue.Queue()
        self.postmen = ThreadPoolExecutor(8)
        threading.Thread(target=self.work, daemon=True).start()

    def room(self):
        """Asked for before a request changes anything, so that a full queue refuses everybody alike."""
        if self.jobs.qsize() >= PLACES:
            raise Problem(503, "unavailable")

    def later(self, write):
        """Has the letter written, in order, and sent. `write` gives the recipient, a subject and a text, or nothing."""
        self.jobs.put(write)

    def work(self):
        while True:
            write = self.jobs.get()
            try:
                letter = write()
                if letter:
                    self.postmen.submit(self.deliver, *letter)
            except Exception as error:
                log("fault", outcome="failure", reason=type(error).__name__)

    def deliver(self, to, subject, text):
        message = EmailMessage()
        message["From"], message["To"] = self.settings.sender, to
        message["Subject"] = f"{self.settings.name}: {subject}"
        message.set_content(text)
        for wait in (*RETRY_AFTER, None):
            try:
                return self.send(message)
            except (OSError, smtplib.SMTPException) as error:
                log("mail_failed", outcome="failure", reason=type(error).__name__)
            if wait:
                time.sleep(wait)

    def send(self, message):
        if self.settings.smtp is None:
            Path("dev", f"{time.time_ns()}.eml").write_bytes(message.as_bytes())
            return
        direct, starttls, host, port, url = self.settings.smtp
        with (smtplib.SMTP_SSL if direct else smtplib.SMTP)(host, port, timeout=20) as server:
            if starttls:
                server.starttls()
            if url.username:
                server.login(unquote(url.username), unquote(url.password or ""))
            server.send_message(message)


def link(settings, path, token):
    """From the configured origin, whatever the request said."""
    return f"{settings.origin}{path}?t={token}"


def proof(settings, to, token):
    text = "Open this link to prove your address:\n\n{}\n\nIf you did not sign up, ignore this mail.\n"
    return to, "prove your address", text.format(link(settings, "/id/prove", token))


def known(to):
    text = "Somebody, perhaps you, tried to sign up with this address. It has an account; nothing was changed.\n"
    return to, "you have an account", text


def renewal(settings, to, token):
    text = "Open this link to choose a new password:\n\n{}\n\nIf you did not ask, ignore this mail.\n"
    return to, "choose a new password", text.format(link(settings, "/id/renew", token))


def move(settings, to, token):
    text = "Open this link, signed in, to make this your address:\n\n{}\n\nIf you did not ask, ignore this mail.\n"
    return to, "prove your new address", text.format(link(settings, "/id/move", token))


def notice(to, what, ip):
    text = f"{what}\n\nWhen: {stamp()} (UTC)\nFrom: {ip}\n\nIf it was not you, choose a new password and tell us.\n"
    return to, "about your account", text
