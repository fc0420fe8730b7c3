"""The guards of an API: a view that is decorated answers only to an access token."""

import logging
import time
from dataclasses import dataclass
from functools import wraps
from typing import ParamSpec, Protocol, TypeVar

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from .. import audit, conf, problem
from ..guards import View, kept_private
from ..models import TokenFamily, User
from ..visit import visit_of
from . import families
from .access import Access, Claims, TokenRefusal

log = logging.getLogger("accounts")

P = ParamSpec("P")
R = TypeVar("R", bound=HttpResponseBase)


@dataclass(frozen=True)
class ApiUser:
    """The user of an access token."""

    account: User
    # What the user calls the program that has the token.
    device: str
    # The scopes of the token, with spaces between.
    scope: str
    # When the user last signed in to get this token or its forerunners, in Unix seconds.
    auth_time: int
    family: str

    def __repr__(self) -> str:
        return f"ApiUser(id={self.id!r})"

    @property
    def id(self) -> str:
        """Stable and opaque."""
        return self.account.pk

    def may(self, scope: str) -> bool:
        """Whether the token has a scope, for a view that can do with less."""
        return scope in self.scope.split(" ")


class Guard(Protocol):
    def __call__(self, view: View[P, R], /) -> View[P, R]: ...


def token_required(*scopes: str) -> Guard:
    """For an access token with these scopes. Everybody else gets 401, and tokens without the scopes
    403 (RFC 6750 3.1). Sessions and their cookies mean nothing here, so no other site can use them,
    and no token against forged requests is asked for."""

    def guard(view: View[P, R]) -> View[P, R]:
        @csrf_exempt
        @wraps(view)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> R:
            admit(request, scopes)
            return kept_private(view(request, *args, **kwargs))

        return guarded

    return guard


def fresh_token_required(*scopes: str) -> Guard:
    """The same for a user who signed in within `AUTH_REAUTH_SECONDS`. An older sign-in gets 403 (RFC
    9470): sign in again for a new token."""

    def guard(view: View[P, R]) -> View[P, R]:
        @token_required(*scopes)
        @wraps(view)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> R:
            user, window = api_user_of(request), conf.current().policy.reauth
            if time.time() - user.auth_time >= window:
                audit.refusal(visit_of(request), "reauth_required", "stale", user.id)
                raise problem.stale_token(window)
            return view(request, *args, **kwargs)

        return guarded

    return guard


def api_user_of(request: HttpRequest) -> ApiUser:
    """The user of the access token, in a view that one is required for."""
    user = visit_of(request).api_user
    if user is None:
        raise problem.access_token_missing()
    return user


def admit(request: HttpRequest, scopes: tuple[str, ...]) -> None:
    visit = visit_of(request)
    # A session that comes along does not count, for whoever asks by Django's name.
    request.user = AnonymousUser()
    user = of_token(request)
    for scope in scopes:
        if not user.may(scope):
            audit.refusal(visit, "token_refused", "insufficient_scope", user.id)
            raise problem.without_scope(scope)
    visit.api_user = user


def of_token(request: HttpRequest) -> ApiUser:
    token = bearer(request)
    try:
        claims = access().read(token)
    except TokenRefusal as refusal:
        log.info("an access token was refused: %s", refusal)
        raise problem.access_token_invalid() from None
    family = family_of(claims)
    if family is None:
        raise problem.access_token_invalid()
    return ApiUser(
        family.user, family.device, claims.scope, claims.auth_time, family.pk
    )


def access() -> Access:
    configured = conf.current()
    return Access(
        configured.token_keys,
        configured.base_url,
        configured.token_audience,
        configured.policy.access_token,
    )


def bearer(request: HttpRequest) -> str:
    """The token of the `Authorization` header. No other place is looked at (RFC 6750 5.3, RFC 9700
    4.3.2). Of two such headers a server makes one, with a comma, which is no token."""
    if "Authorization" not in request.headers:
        raise problem.access_token_missing()
    scheme, _, token = request.headers["Authorization"].partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise problem.access_token_invalid()
    return token


def family_of(claims: Claims) -> TokenFamily | None:
    """The family of a token, if it lives and the account is as it was when the token was signed: one
    read of indexed rows, so that what ends a family is felt at once (ASVS 7.4.1)."""
    alive = families.living().select_related("user")
    return alive.filter(pk=claims.sid, user=claims.sub, epoch=claims.ver).first()
