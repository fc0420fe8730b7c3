"""Random values, and what the database keeps of them."""

import hashlib
import secrets


def random(size: int = 32) -> str:
    return secrets.token_urlsafe(size)


def new_id() -> str:
    return random(16)


def digest(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
