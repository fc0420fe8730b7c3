"""The way to a provider."""

import base64
import hashlib
from typing import Annotated, Any

import httpx2
from fastapi import APIRouter, Depends, Request

from .. import limits
from ..inputs import Form, body, collected
from ..local_path import is_local_path
from ..problem import Problem
from ..user import CurrentUser, CurrentVisit, FreshUser, User
from ..visit import Visit
from .failure import told
from .settings import Provider
from .transaction import Intent, Opened, open_one

router = APIRouter()

# A month: old enough to make hardly anybody enter a password for it, in seconds.
ANY_AGE = 2_592_000
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
        address = await authorize_at(visit, provider)
        opened = await open_one(visit, provider, intent, user, then)
    asked = question(provider, intent, opened, redirect_uri(visit, provider))
    # What the address has already does not stand beside what is asked, nor in its place.
    return {"location": str(httpx2.URL(address).copy_merge_params(asked))}


async def authorize_at(visit: Visit, provider: Provider) -> str:
[%- if 'github' in providers %]
    if provider.preset.endpoints is not None:
        return provider.preset.endpoints.authorize
[%- endif %]
    known = await visit.auth.oidc.known[provider.preset.id].get()
    return known.description.authorization_endpoint


def redirect_uri(visit: Visit, provider: Provider) -> str:
    """Where the provider sends the browser back to: another path for each, so that one cannot pass
    its answer off as another's (RFC 9700 4.4.2). Made of the settings, whatever `Host` a request
    had."""
    return f"{visit.auth.settings.base_url}/auth/oidc/{provider.preset.id}/callback"


def question(
    provider: Provider, intent: Intent, opened: Opened, back: str
) -> dict[str, str]:
    """What the provider is asked (OpenID Connect Core 3.1.2.1, RFC 7636 4.3)."""
    preset = provider.preset
    asked = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": back,
        "scope": " ".join(preset.scopes),
        "state": opened.state,
        "code_challenge": challenge(opened.verifier),
        "code_challenge_method": "S256",
    }
[%- if 'github' in providers %]
    if preset.endpoints is None:
        asked["nonce"] = opened.nonce
        asked |= freshness(provider, intent)
    elif preset.prompt is not None:
        asked["prompt"] = preset.prompt
[%- else %]
    asked["nonce"] = opened.nonce
    asked |= freshness(provider, intent)
[%- endif %]
    if preset.form_post:
        asked["response_mode"] = "form_post"
    return asked


def freshness(provider: Provider, intent: Intent) -> dict[str, str]:
    """How lately, and how, somebody must have signed in there."""
    preset, asked = provider.preset, dict[str, str]()
    if intent is Intent.REAUTH:
        asked |= {"prompt": "login", "max_age": "0"}
    else:
        if preset.prompt is not None:
            asked["prompt"] = preset.prompt
        # Asked for an age, a provider says when somebody signed in (OpenID Connect Core 3.1.2.1).
        age = provider.max_age or (ANY_AGE if preset.reauth else None)
        if age is not None:
            asked["max_age"] = str(age)
    if provider.acr is not None:
        asked["acr_values"] = provider.acr
    return asked


def challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
