"""The programs that are signed in for a user: to look at, and to sign out."""

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone

from .. import audit
from ..guards import lately_signed_in, session_of, signed_in, user_of
from ..models import RefreshToken, TokenFamily, User
from ..problem import Problem
from ..visit import visit_of
from . import families
from .guards import api_user_of, token_required


def of(user: User) -> QuerySet[TokenFamily]:
    """Those that can still get tokens (ASVS 7.5.2)."""
    following = RefreshToken.objects.filter(
        family=OuterRef("pk"), used_at__isnull=True, expires_at__gt=timezone.now()
    )
    alive = families.living().filter(Exists(following), user=user)
    return alive.order_by("-last_used_at", "-created_at", "pk")


def shown(family: TokenFamily) -> dict[str, Any]:
    return {
        "id": family.pk,
        "device": family.device,
        "created_at": int(family.created_at.timestamp()),
        "last_used_at": int(family.last_used_at.timestamp()),
    }


def comes_with_token(request: HttpRequest) -> bool:
    """An `Authorization` header says who asks, right or wrong; a session that comes with it does not
    count."""
    return "Authorization" in request.headers


def show(request: HttpRequest) -> JsonResponse:
    return (to_program if comes_with_token(request) else to_user)(request)


@token_required()
def to_program(request: HttpRequest) -> JsonResponse:
    who = api_user_of(request)
    return listed(who.account, lambda family: family.pk == who.family)


@signed_in
def to_user(request: HttpRequest) -> JsonResponse:
    handle = session_of(request).handle
    return listed(user_of(request), lambda family: family.session == handle)


def listed(user: User, is_current: Callable[[TokenFamily], bool]) -> JsonResponse:
    rows = [shown(one) | {"current": is_current(one)} for one in of(user)]
    return JsonResponse({"devices": rows})


def revoke(request: HttpRequest, family: str) -> HttpResponse:
    """Signs a program out. One of somebody else's looks like one that does not exist."""
    view = by_program if comes_with_token(request) else by_user
    return view(request, family)


@token_required()
def by_program(request: HttpRequest, family: str) -> HttpResponse:
    """A token can sign out the program that has it, and no other."""
    who = api_user_of(request)
    if family != who.family:
        raise Problem("device_unknown")
    return signed_out(request, who.account, family)


@lately_signed_in
def by_user(request: HttpRequest, family: str) -> HttpResponse:
    return signed_out(request, user_of(request), family)


def signed_out(request: HttpRequest, user: User, family: str) -> HttpResponse:
    with transaction.atomic():
        if family not in [one.pk for one in of(user)]:
            raise Problem("device_unknown")
        families.revoke(family)
        audit.record(visit_of(request), "token_revoked", user_id=user.pk)
    return HttpResponse(status=204)
