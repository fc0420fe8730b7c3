"""Guards: a view that is decorated answers only to a signed-in user."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.cache import patch_cache_control

from . import audit, conf
from .models import Session, User
from .problem import Problem
from .visit import visit_of

P = ParamSpec("P")
R = TypeVar("R", bound=HttpResponseBase)
View = Callable[Concatenate[HttpRequest, P], R]


def signed_in(view: View[P, R]) -> View[P, R]:
    """Everybody else gets 401."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> R:
        user_of(request)
        return kept_private(view(request, *args, **kwargs))

    return guarded


def lately_signed_in(view: View[P, R]) -> View[P, R]:
    """For what a session that was left open must not be enough for: [% if module.oidc %]they signed in within
    `AUTH_REAUTH_SECONDS`, at the provider if that is where they come from. Everybody else gets 403
    (ASVS 7.5.1)."""[% else %]the password was entered within
    `AUTH_REAUTH_SECONDS`. Everybody else gets 403 (ASVS 7.5.1)."""[% endif %]

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> R:
        user, window = user_of(request), conf.current().policy.reauth
        since = timezone.now() - session_of(request).authenticated_at
        if since >= timedelta(seconds=window):
            audit.refusal(visit_of(request), "reauth_required", "stale", user.pk)
            raise Problem("reauth_required")
        return kept_private(view(request, *args, **kwargs))

    return guarded


def kept_private(answer: R) -> R:
    """Before a cache of the project's sees it: what a user was shown must not outlive the session."""
    patch_cache_control(answer, private=True, no_store=True)
    return answer


def user_of(request: HttpRequest) -> User:
    """The signed-in user, or a refusal."""
    user: Any = request.user
    if not isinstance(user, User) or not user.is_authenticated:
        raise Problem("not_signed_in")
    return user


def session_of(request: HttpRequest) -> Session:
    """The signed-in user's session, as it was when the request came."""
    row: Session | None = getattr(request.session, "row", None)
    if row is None or row.user_id is None:
        raise Problem("not_signed_in")
    return row
