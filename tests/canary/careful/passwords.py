"""Which passwords are taken, and how they are stored."""

import hashlib
import os
import re
import secrets
import threading
import unicodedata
import urllib.request
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from web import Problem, host_of

MOST_CHARACTERS, MOST_BYTES = 256, 1024
# 19 MiB, 2 passes, 1 lane: a row of the floor in ASVS 5.0, appendix C.
HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, hash_len=32, salt_len=16)
SLOTS = threading.Semaphore(os.cpu_count() or 2)
DECOY = HASHER.hash(secrets.token_urlsafe(32))


def normal(text):
    """In NFC, and nothing else: never trimmed, folded or cut."""
    if len(text.encode()) > MOST_BYTES:
        raise Problem(422, "phrase_long")
    return unicodedata.normalize("NFC", text)


def common():
    lines = Path(__file__).with_name("common_passwords.txt").read_text("utf-8").splitlines()
    return {unicodedata.normalize("NFC", line).lower() for line in lines if line and not line.startswith("#!comment:")}


COMMON = common()


def hashed(phrase):
    with SLOTS:
        return HASHER.hash(phrase)


def matches(phrase, stored):
    """Compares, or does the same work against a decoy and says no."""
    with SLOTS:
        try:
            return HASHER.verify(stored or DECOY, phrase) and stored is not None
        except (Argon2Error, InvalidHashError):
            return False


def is_outdated(stored):
    return HASHER.check_needs_rehash(stored)


def check(phrase, settings, mail):
    """Refuses what is too short or long, known to attackers, or made of words that belong to the account."""
    if len(phrase) < settings.phrase_length:
        raise Problem(422, "phrase_short")
    if len(phrase) > MOST_CHARACTERS:
        raise Problem(422, "phrase_long")
    if phrase.lower() in COMMON:
        raise Problem(422, "phrase_common")
    local, _, domain = mail.partition("@")
    words = [mail, local, domain, host_of(settings.origin), settings.name, *re.split("[^a-z0-9]", local)]
    if any(is_made_of(letters(phrase), letters(word)) for word in words):
        raise Problem(422, "phrase_yours")


def is_breached(phrase, service):
    """By the first digits of a hash, which tell nothing of the password. `None` without an answer in time."""
    digits = hashlib.sha1(phrase.encode()).hexdigest().upper()
    request = urllib.request.Request(f"{service}/range/{digits[:5]}", headers={"Add-Padding": "true"})
    try:
        with urllib.request.urlopen(request, timeout=2) as answer:
            lines = answer.read(1 << 20).decode().splitlines()
    except (OSError, ValueError):
        return None
    # A count of 0 is padding.
    return any(line.startswith(digits[5:] + ":") and not line.endswith(":0") for line in lines)


def letters(text):
    return "".join(c for c in text.lower() if c.isalpha())


def is_made_of(text, word):
    """The word once or repeated, whatever digits and signs stand between; one that merely contains it is fine."""
    return len(word) > 2 and len(text) >= len(word) and text == word * (len(text) // len(word))
