"""The way to a provider."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from .. import limits
from ..inputs import Form, body, collected
from ..local_path import is_local_path
from ..problem import Problem
from ..user import CurrentUser, CurrentVisit, FreshUser, User
from ..visit import Visit
from .question import authorize_at, location, redirect_uri
from .settings import Provider
from .told import told
from .transaction import open_one
from .underway import Intent

router = APIRouter()

HOME = "/"


class Wish(Form):
    # Where somebody wants to be after signing in.
    next: str = ""


async def wish(request: Request) -> str:
    """The body that says so may be left out."""
    if "content-type" in request.headers:
        return (await body(Wish)(request)).next
    if await collected(request):
        raise Problem("json_required")
    return ""


Next = Annotated[str, Depends(wish)]


@router.get("/providers")
async def show(visit: CurrentVisit) -> dict[str, Any]:
    """The providers that people can choose from."""
    found = visit.auth.settings.oidc.providers.values()
    return {
        "providers": [{"id": one.preset.id, "name": one.preset.name} for one in found]
    }


def named(visit: Visit, name: str) -> Provider:
    provider = visit.auth.settings.oidc.providers.get(name)
    if provider is None:
        raise Problem("provider_unknown")
    return provider


@router.post("/oidc/{name}/start")
async def start(visit: CurrentVisit, name: str, then: Next) -> dict[str, str]:
    return await begin(visit, name, Intent.LOGIN, None, then)


@router.post("/oidc/{name}/link")
async def link(
    visit: CurrentVisit, user: FreshUser, name: str, then: Next
) -> dict[str, str]:
    """Takes a session that was signed in to lately, and a request of this site: who is linked can
    sign in from then on (ASVS 7.5.1)."""
    return await begin(visit, name, Intent.LINK, user, then)


@router.post("/oidc/{name}/reauth")
async def reauth(
    visit: CurrentVisit, user: CurrentUser, name: str, then: Next
) -> dict[str, str]:
    """In place of entering a password again: the provider must have somebody sign in anew."""
    return await begin(visit, name, Intent.REAUTH, user, then)


async def begin(
    visit: Visit, name: str, intent: Intent, user: User | None, then: str
) -> dict[str, str]:
    await limits.per_source(visit, "oidc", visit.auth.settings.policy.login_source)
    provider = named(visit, name)
    if intent is Intent.REAUTH and not provider.preset.reauth:
        raise Problem("reauth_unsupported")
    then = then if is_local_path(then) else HOME
    async with told(visit):
        # Asked for before a transaction is opened: a dead provider leaves none behind.
        address = await authorize_at(visit.auth.oidc, provider)
        opened = await open_one(visit, provider, intent, user, then)
    back = redirect_uri(visit.auth.settings.base_url, provider)
    return {"location": location(address, provider, intent, opened, back)}
