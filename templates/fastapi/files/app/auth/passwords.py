"""Passwords: what is accepted, and how they are hashed."""

import asyncio
import os
import unicodedata
from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from . import tokens
from .problem import Problem
from .settings import Settings

MAX_CHARACTERS = 256
MAX_BYTES = 1_024
MAX_WAIT_SECONDS = 10

# 19 MiB, two passes: a row of the floor in ASVS 5.0, appendix C.
HASHER = PasswordHasher(
    time_cost=2, memory_cost=19_456, parallelism=1, hash_len=32, salt_len=16
)

T = TypeVar("T")


def normalized(text: str) -> str:
    """In NFC, and nothing else: never trimmed, folded or cut (ASVS 6.2.8)."""
    if len(text.encode()) > MAX_BYTES:
        raise Problem("password_too_long")
    return unicodedata.normalize("NFC", text)


@cache
def common_passwords() -> frozenset[str]:
    """Common passwords that meet the length policy, in lower case (ASVS 6.2.4)."""
    text = (
        resources.files(__package__).joinpath("common_passwords.txt").read_text("utf-8")
    )
    lines = (
        line for line in text.splitlines() if line and not line.startswith("#!comment:")
    )
    return frozenset(unicodedata.normalize("NFC", line).lower() for line in lines)


def check(password: str, settings: Settings, email: str) -> None:
    """Refuses what is too short or long, known to attackers, or made of words of the account."""
    if len(password) < settings.policy.password_min:
        raise Problem("password_too_short")
    if len(password) > MAX_CHARACTERS:
        raise Problem("password_too_long")
    if password.lower() in common_passwords():
        raise Problem("password_common")
    if any(
        is_made_of(letters(password), letters(word))
        for word in context(settings, email)
    ):
        raise Problem("password_contextual")


def context(settings: Settings, email: str) -> list[str]:
    """The words that an attacker would try first for this account."""
    local, _, domain = email.partition("@")
    host = settings.base_url.partition("://")[2]
    parts = "".join(c if c.isalnum() else " " for c in local).split()
    return [email, local, domain, host, settings.app_name, *parts]


def letters(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalpha())


def is_made_of(text: str, word: str) -> bool:
    """The word once or repeated; a password that merely contains a word is fine (ASVS 6.2.11)."""
    return (
        len(word) > 2
        and len(text) >= len(word)
        and text == word * (len(text) // len(word))
    )


class Hasher:
    """Hashes passwords outside the event loop, a bounded number at a time: each takes 19 MiB."""

    def __init__(self) -> None:
        self._slots = CapacityLimiter(os.cpu_count() or 2)
        # Verified when there is no account, so that the answer takes as long (ASVS 6.3.8).
        self._decoy = HASHER.hash(tokens.random())
        common_passwords()

    async def hash_new(self, password: str, settings: Settings, email: str) -> str:
        """Checks a new password for an account and hashes it."""
        check(password, settings, email)
        return await self.hash(password)

    async def hash(self, password: str) -> str:
        return await self._run(lambda: HASHER.hash(password))

    async def verify(self, password: str, stored: str | None) -> bool:
        """Compares with the stored hash, or does the same work against the decoy and says no."""
        matches = await self._run(lambda: is_match(stored or self._decoy, password))
        return matches and stored is not None

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(MAX_WAIT_SECONDS):
                await self._slots.acquire_on_behalf_of(work)
        except TimeoutError:
            raise Problem("unavailable") from None
        try:
            return await to_thread.run_sync(work)
        finally:
            self._slots.release_on_behalf_of(work)


def is_match(stored: str, password: str) -> bool:
    try:
        return HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(stored: str) -> bool:
    return HASHER.check_needs_rehash(stored)
