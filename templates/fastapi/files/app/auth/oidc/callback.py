"""The way back from a provider."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
[%- if 'apple' in providers %]
from typing import Annotated
[%- endif %]
from urllib.parse import parse_qsl[% if 'apple' in providers %], urlencode[% endif %]

import sqlalchemy as sa
from fastapi import APIRouter, [% if 'apple' in providers %]Depends, [% endif %]Request
from starlette.responses import Response

[% if 'apple' in providers -%]
from ..inputs import collected
[% endif -%]
from ..user import CurrentVisit, maybe_user
from ..visit import Visit[% if 'apple' in providers %], visit_of[% endif %]
from . import exchange, identities
from .exchange import Person
from .failure import Refused, Unavailable, told
[%- if 'github' in providers %]
from .oauth import person as person_of_api
[%- endif %]
from .settings import Provider
from .start import named, redirect_uri
from .transaction import Intent, is_same_user, mismatch, take

router = APIRouter()
[%- if 'apple' in providers %]
# Of requests that come from another site, always.
foreign = APIRouter(prefix="/auth", tags=["auth"])
[%- endif %]

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


@router.get("/oidc/{name}/callback", status_code=303)
async def callback(visit: CurrentVisit, request: Request, name: str) -> Response:
    """Signs in, links, or proves anew, as the transaction says. The answer leads away at once: the
    address with the code is left behind (ASVS 14.2.1, RFC 9700 4.2.4)."""
    provider = named(visit, name)
    async with told(visit):
        then = await finish(visit, provider, parsed(request.scope["query_string"]))
    return Response(status_code=303, headers={"Location": then})


async def finish(visit: Visit, provider: Provider, answer: Answer) -> str:
    """Returns where to go then. The transaction is used up first, whatever the answer turns out to
    be."""
    if answer.state is None:
        raise Refused("state")
    taken = await take(visit, answer.state)
    if taken is None:
        raise Refused("state")
    reason = mismatch(taken, visit, provider)
    if reason is not None:
        raise Refused(reason)
    if answer.is_ambiguous:
        raise Refused("ambiguous")
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            person = await identified(visit, provider, answer, taken)
    except TimeoutError:
        raise Unavailable from None
    await act(visit, provider, person, taken)
    then: str = taken["next"]
    return then


async def identified(
    visit: Visit, provider: Provider, answer: Answer, taken: sa.RowMapping
) -> Person:
    oidc, back = visit.auth.oidc, redirect_uri(visit, provider)
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


async def act(
    visit: Visit, provider: Provider, person: Person, taken: sa.RowMapping
) -> None:
    """Linking and proving anew are for the session that began them and for nobody else."""
    if taken["intent"] == Intent.LOGIN:
        await identities.sign_in(visit, provider, person)
        return
    user = await maybe_user(visit)
    if user is None or not is_same_user(taken, user):
        raise Refused("session")
    if taken["intent"] == Intent.LINK:
        await identities.link(visit, user, provider, person)
    else:
        await identities.reauth(visit, user, person, taken["created_at"])
[%- if 'apple' in providers %]


@foreign.post("/oidc/{name}/callback", status_code=303)
async def posted(
    visit: Annotated[Visit, Depends(visit_of)], request: Request, name: str
) -> Response:
    """For a provider that posts its answer: browsers send no cookie along with that, so it becomes
    a reading request, which changes nothing of what is checked then."""
    provider = named(visit, name)
    if not provider.preset.form_post:
        return Response(status_code=405)
    query = urlencode(looked_at(await collected(request)))
    there = f"/auth/oidc/{provider.preset.id}/callback?{query}"
    return Response(status_code=303, headers={"Location": there})
[%- endif %]
