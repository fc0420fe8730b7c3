"""What a provider is asked."""

import base64
import hashlib

import httpx2

from .metadata import Oidc
from .settings import Provider
from .underway import Intent, Opened

# A month: old enough to make hardly anybody enter a password for it, in seconds.
ANY_AGE = 2_592_000


async def authorize_at(oidc: Oidc, provider: Provider) -> str:
[%- if 'github' in providers %]
    if provider.preset.endpoints is not None:
        return provider.preset.endpoints.authorize
[%- endif %]
    known = await oidc.known[provider.preset.id].get()
    return known.description.authorization_endpoint


def redirect_uri(base_url: str, provider: Provider) -> str:
    """Where the provider sends the browser back to: another path for each, so that one cannot pass
    its answer off as another's (RFC 9700 4.4.2). Made of the settings, whatever `Host` a request
    had."""
    return f"{base_url}/auth/oidc/{provider.preset.id}/callback"


def location(
    address: str, provider: Provider, intent: Intent, opened: Opened, back: str
) -> str:
    """Where the browser goes. What the address has already does not stand beside what is asked, nor
    in its place."""
    asked = question(provider, intent, opened, back)
    return str(httpx2.URL(address).copy_merge_params(asked))


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
