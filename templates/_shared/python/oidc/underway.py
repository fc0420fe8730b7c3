"""A sign-in that is under way at a provider."""

import secrets
import time
from dataclasses import dataclass, field
from enum import StrEnum

from .settings import Provider


def now() -> int:
    return int(time.time())


def random() -> str:
    return secrets.token_urlsafe(32)


class Intent(StrEnum):
    """What the answer is for. One that was asked for one thing never does another."""

    LOGIN = "login"
    LINK = "link"
    REAUTH = "reauth"


@dataclass(frozen=True)
class Opened:
    """What the provider gets of a new one; the verifier not before the code comes back."""

    state: str = field(default_factory=random)
    nonce: str = field(default_factory=random)
    verifier: str = field(default_factory=random)


@dataclass(frozen=True)
class Taken:
    """What was kept of one. Its answer must fit."""

    # SHA-256 of the cookie of the browser that began.
    browser_hash: str
    provider: str
    issuer: str
    intent: Intent
    # Who began it, in which session, unless to sign in.
    user_id: str | None
    session: str | None
    nonce: str
    verifier: str
    # Where somebody wants to be then.
    next: str
    created_at: int
    expires_at: int

    def mismatch(self, browser_hash: str | None, provider: Provider) -> str | None:
        """Why an answer does not belong to it, if so: it must come in time, to the browser that
        began, on the path of the provider that was asked."""
        if browser_hash is None or browser_hash != self.browser_hash:
            return "browser"
        if (self.provider, self.issuer) != (provider.preset.id, provider.issuer):
            return "provider"
        return "expired" if self.expires_at <= now() else None

    def is_of(self, user_id: str, session: str) -> bool:
        """Whether who began it is who is signed in now, in the same session."""
        return (self.user_id, self.session) == (user_id, session)
