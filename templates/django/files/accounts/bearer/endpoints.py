"""What programs ask for: tokens, the next ones, their end, and who they are."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.utils import timezone

from .. import audit, conf, limits, own_sessions, sign_in
from ..guards import session_of, user_of
from ..inputs import Form
from ..models import TokenFamily
from ..problem import Problem
from ..visit import Visit, visit_of
from . import families
from .access import TokenRefusal
from .families import Grant, Shown
from .guards import access, api_user_of, token_required
from .scopes import narrowed

# A device's name has so many characters at most.
MAX_DEVICE = 100


def issue(request: HttpRequest) -> JsonResponse:
    """Begins a family and answers with its first tokens."""
    visit, form = visit_of(request), Form(request)
    scope = narrowed(conf.current().token_scopes, form.maybe("scope"))
    device = named(visit, form.maybe("device"))
    grants = {"password": by_password, "session": by_session}
    granted = grants.get(form.text("grant"))
    if granted is None:
        raise Problem("invalid_fields")
    grant = granted(request, form)
    with transaction.atomic():
        family = families.begin(grant, device, scope)
        token = families.next_token(family)
        audit.record(visit, "token_issued", user_id=grant.user.pk)
    return answer(family, scope, token)


def by_password(request: HttpRequest, form: Form) -> Grant:
    """The same as a login, with the same throttles, up to where that begins a session."""
    user = sign_in.admitted(request, form.text("email"), form.text("password"))
    at, seconds = timezone.now(), conf.current().policy.refresh_absolute
    return Grant(
        user=user,
        session="",
[%- if module.oidc %]
        amr="pwd",
[%- endif %]
        authenticated_at=at,
        expires_at=at + timedelta(seconds=seconds),
    )


def by_session(request: HttpRequest, _form: Form) -> Grant:
    """For a program in the user's browser. What it gets ends with the session."""
    policy = conf.current().policy
    limits.per_source(visit_of(request), "refresh", policy.refresh_source)
    user, session = user_of(request), session_of(request)
    latest = timezone.now() + timedelta(seconds=policy.refresh_absolute)
    return Grant(
        user=user,
        session=session.handle,
[%- if module.oidc %]
        amr=session.amr,
[%- endif %]
        authenticated_at=session.authenticated_at,
        expires_at=min(session.expire_date, latest),
    )


def named(visit: Visit, device: str | None) -> str:
    """The name that the program gave itself, or what it seems to be."""
    if device is None:
        return own_sessions.device(visit.agent)
    name = device.strip()
    if not name or len(name) > MAX_DEVICE or not name.isprintable():
        raise Problem("invalid_fields")
    return name


def answer(family: TokenFamily, scope: str, refresh_token: str) -> JsonResponse:
    """The tokens, as RFC 6749 5.1 names them."""
    signer, holder = access(), families.holder(family)
    body: dict[str, Any] = {
        "access_token": signer.sign(holder, scope),
        "token_type": "Bearer",
        "expires_in": signer.lifetime(holder),
        "refresh_token": refresh_token,
        "scope": scope,
    }
    return JsonResponse(body)


def refresh(request: HttpRequest) -> JsonResponse:
    """Answers with new tokens. A refresh token that was used before means that two have it: the
    whole family ends, for the thief and for the owner, who signs in again (RFC 9700 4.14.2)."""
    visit, form = visit_of(request), Form(request)
    token, asked = form.text("refresh_token"), form.maybe("scope")
    limits.per_source(visit, "refresh", conf.current().policy.refresh_source)
    shown = Shown.EXPIRED
    with transaction.atomic():
        family = families.of_refresh_token(token)
        if family is not None:
            shown = families.use_up(token)
        if family is not None and shown is Shown.NEXT:
            # A scope that was never granted is an error that uses nothing up.
            scope = narrowed(family.scope, asked)
            following = families.next_token(family)
            audit.record(visit, "token_refreshed", user_id=family.user_id)
            return answer(family, scope, following)
        if family is not None and shown is Shown.AGAIN:
            families.revoke(family.pk)
            owner, reason = family.user_id, "invalid_grant"
            audit.record(visit, "token_reuse", user_id=owner, reason=reason)
    if shown is Shown.EXPIRED:
        audit.refusal(visit, "token_refused", "invalid_grant")
    raise Problem("invalid_grant")


def revoke(request: HttpRequest) -> JsonResponse:
    """Ends the family of a refresh token or an access token. Who has a token may do so. The answer
    is the same for any text, so it tells nobody what is a token (RFC 7009)."""
    visit, token = visit_of(request), Form(request).text("token")
    limits.per_source(visit, "revoke", conf.current().policy.refresh_source)
    with transaction.atomic():
        try:
            family: str | None = access().read(token).sid
        except TokenRefusal:
            family = families.named_by(token)
        owner = families.revoke(family) if family is not None else None
        if owner is not None:
            audit.record(visit, "token_revoked", user_id=owner)
    return JsonResponse({"status": "revoked"})


@token_required()
def me(request: HttpRequest) -> JsonResponse:
    """Whose token it is, and what it may do."""
    user = api_user_of(request)
    return JsonResponse({"id": user.id, "scope": user.scope, "device": user.device})


def published(_request: HttpRequest) -> JsonResponse:
    """The public keys of access tokens, for who checks them elsewhere (RFC 7517)."""
    return JsonResponse(conf.current().token_keys.published())
