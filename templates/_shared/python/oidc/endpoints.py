"""Where a provider is asked that describes itself nowhere."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Endpoints:
    """Of a provider that has OAuth 2 and no OpenID Connect."""

    authorize: str
    token: str
    # Answers with an object that has a number `id`.
    user: str
    # Answers with a list of `email`, `primary` and `verified`.
    emails: str
