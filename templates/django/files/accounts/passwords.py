"""Passwords: what is accepted, and how they are hashed."""

import os
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from django.contrib.auth import hashers
from django.core.exceptions import ValidationError

from . import conf
from .problem import Problem
from .randomness import random

MAX_CHARACTERS = 256
MAX_BYTES = 1_024
MAX_WAIT_SECONDS = 10


class Argon2Hasher(hashers.Argon2PasswordHasher):
    """19 MiB, two passes: a row of the floor in ASVS 5.0, appendix C."""

    time_cost = 2
    memory_cost = 19_456
    parallelism = 1


def normalized(text: str) -> str:
    """In NFC, and nothing else: never trimmed, folded or cut (ASVS 6.2.8)."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise Problem("password_too_long")
    return unicodedata.normalize("NFC", text)


@cache
def common_passwords() -> frozenset[str]:
    """Common passwords that meet the length policy, in lower case (ASVS 6.2.4)."""
    text = Path(__file__).with_name("common_passwords.txt").read_text("utf-8")
    lines = (
        line for line in text.splitlines() if line and not line.startswith("#!comment:")
    )
    return frozenset(unicodedata.normalize("NFC", line).lower() for line in lines)


def check(password: str, email: str) -> None:
    """Refuses what is too short or long, known to attackers, or made of words of the account."""
    if len(password) < conf.current().policy.password_min:
        raise Problem("password_too_short")
    if len(password) > MAX_CHARACTERS:
        raise Problem("password_too_long")
    if password.lower() in common_passwords():
        raise Problem("password_common")
    if any(is_made_of(letters(password), letters(word)) for word in context(email)):
        raise Problem("password_contextual")


class Policy:
    """The same for Django's own forms and commands, in `AUTH_PASSWORD_VALIDATORS`."""

    def validate(self, password: str, user: Any = None) -> None:
        try:
            check(normalized(password), str(getattr(user, "email", "") or ""))
        except Problem as problem:
            raise ValidationError(problem.title, code=problem.code) from None

    def get_help_text(self) -> str:
        shortest = conf.current().policy.password_min
        return f"At least {shortest} characters, and not a common password."


def context(email: str) -> list[str]:
    """The words that an attacker would try first for this account."""
    configured = conf.current()
    local, _, domain = email.partition("@")
    host = configured.base_url.partition("://")[2]
    parts = "".join(c if c.isalnum() else " " for c in local).split()
    return [email, local, domain, host, configured.app_name, *parts]


def letters(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalpha())


def is_made_of(text: str, word: str) -> bool:
    """The word once or repeated; a password that merely contains a word is fine (ASVS 6.2.11)."""
    return (
        len(word) > 2
        and len(text) >= len(word)
        and text == word * (len(text) // len(word))
    )


def hash_new(password: str, email: str) -> str:
    """Checks a new password for an account and hashes it."""
    check(password, email)
    return hashed(password)


def hashed(password: str) -> str:
    with turn():
        return hashers.make_password(password)


def verify(password: str, stored: str | None) -> bool:
    """Compares with the stored hash, or does the same work against the decoy and says no."""
    with turn():
        matches = hashers.check_password(password, stored or decoy())
    return matches and stored is not None


def is_outdated(stored: str) -> bool:
    return hashers.identify_hasher(stored).must_update(stored)


@cache
def decoy() -> str:
    """Verified when there is no account, so that the answer takes as long (ASVS 6.3.8)."""
    return hashers.make_password(random())


_slots = threading.BoundedSemaphore(os.cpu_count() or 2)


@contextmanager
def turn() -> Iterator[None]:
    """A bounded number at a time: each takes 19 MiB."""
    if not _slots.acquire(timeout=MAX_WAIT_SECONDS):
        raise Problem("unavailable")
    try:
        yield
    finally:
        _slots.release()
