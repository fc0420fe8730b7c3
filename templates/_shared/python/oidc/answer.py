"""What a provider answers: what counts of it, and who it is about."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from . import exchange
from .exchange import Person
from .failure import Refused, Unavailable
from .metadata import Oidc
[%- if 'github' in providers %]
from .oauth import person as person_of_api
[%- endif %]
from .settings import Provider
from .underway import Taken

# All calls of one request together.
PATIENCE_SECONDS = 10
# More than any code takes.
MAX_CODE = 4_096


@dataclass(frozen=True)
class Answer:
    """What a provider answers. Other parameters are not looked at (OpenID Connect Core 3.1.2.5)."""

    code: str | None = None
    state: str | None = None
    iss: str | None = None
    error: str | None = None
    # A parameter comes twice: two readers could take different ones (ASVS 15.3.7).
    is_ambiguous: bool = False


NAMES = ("code", "state", "iss", "error")


def parsed(query: bytes) -> Answer:
    pairs = looked_at(query)
    names = [name for name, _ in pairs]
    return Answer(**dict(pairs), is_ambiguous=len(names) != len(set(names)))


def looked_at(query: bytes) -> list[tuple[str, str]]:
    text = query.decode("ascii", "replace")
    pairs: Iterable[tuple[str, str]] = parse_qsl(text, keep_blank_values=True)
    return [(name, value) for name, value in pairs if name in NAMES]


async def identified(
    oidc: Oidc, provider: Provider, answer: Answer, taken: Taken, back: str
) -> Person:
    """Who came back, as the provider vouches for it."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await asked(oidc, provider, answer, taken, back)
    except TimeoutError:
        raise Unavailable from None


async def asked(
    oidc: Oidc, provider: Provider, answer: Answer, taken: Taken, back: str
) -> Person:
[%- if 'github' in providers %]
    if provider.preset.endpoints is not None:
        code = code_of(answer, provider, must_say=False)
        return await person_of_api(oidc, provider, code, taken, back)
[%- endif %]
    known = await oidc.known[provider.preset.id].get()
    says = known.description.authorization_response_iss_parameter_supported
    code = code_of(answer, provider, must_say=says)
    return await exchange.person(oidc, provider, known, code, taken, back)


def code_of(answer: Answer, provider: Provider, *, must_say: bool) -> str:
    """The code, if the answer is this provider's (RFC 9207 2.4) and holds nothing else."""
    if answer.iss != provider.issuer and (must_say or answer.iss is not None):
        raise Refused("iss")
    if answer.error is not None:
        raise Refused("provider_error")
    if not answer.code or len(answer.code) > MAX_CODE:
        raise Refused("code")
    return answer.code
