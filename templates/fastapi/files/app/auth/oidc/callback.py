"""The way back from a provider."""

[% if 'apple' in providers -%]
from typing import Annotated
from urllib.parse import urlencode

[% endif -%]
from fastapi import APIRouter, [% if 'apple' in providers %]Depends, [% endif %]Request
from starlette.responses import Response

[% if 'apple' in providers -%]
from ..inputs import collected
[% endif -%]
from ..user import CurrentVisit, maybe_user
from ..visit import Visit[% if 'apple' in providers %], visit_of[% endif %]
from . import identities
from .answer import Answer, identified, [% if 'apple' in providers %]looked_at, [% endif %]parsed
from .exchange import Person
from .failure import Refused
from .question import redirect_uri
from .settings import Provider
from .start import named
from .told import told
from .transaction import browser_hash, take
from .underway import Intent, Taken

router = APIRouter()
[%- if 'apple' in providers %]
# Of requests that come from another site, always.
foreign = APIRouter(prefix="/auth", tags=["auth"])
[%- endif %]


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
    reason = taken.mismatch(browser_hash(visit), provider)
    if reason is not None:
        raise Refused(reason)
    if answer.is_ambiguous:
        raise Refused("ambiguous")
    back = redirect_uri(visit.auth.settings.base_url, provider)
    person = await identified(visit.auth.oidc, provider, answer, taken, back)
    await act(visit, provider, person, taken)
    return taken.next


async def act(visit: Visit, provider: Provider, person: Person, taken: Taken) -> None:
    """Linking and proving anew are for the session that began them and for nobody else."""
    if taken.intent is Intent.LOGIN:
        await identities.sign_in(visit, provider, person)
        return
    user = await maybe_user(visit)
    if user is None or not taken.is_of(user.id, user.session):
        raise Refused("session")
    if taken.intent is Intent.LINK:
        await identities.link(visit, user, provider, person)
    else:
        await identities.reauth(visit, user, person, taken.created_at)
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
