"""Families of tokens, and the refresh token that is next in each.

A refresh token is 32 random bytes; the database keeps its SHA-256 (ASVS 11.5.1). A family lives
while its account is as it was when it began (the epoch), the session that it was made from is
there, and nobody revoked it. Each use asks that anew.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from .. import conf, store
from ..models import RefreshToken, Session, TokenFamily, User
from ..problem import Problem
from ..randomness import digest, random
from .access import Holder


@dataclass(frozen=True)
class Grant:
    """Permission to begin a family, given when somebody proved who they are."""

    # As it was at that moment. If it has moved on, no family begins.
    user: User
    # The handle of the session that it ends with.
    session: str
[%- if module.oidc %]
    # How they proved it: `pwd`, or `fed` for a provider.
    amr: str
[%- endif %]
    authenticated_at: datetime
    expires_at: datetime


def living() -> QuerySet[TokenFamily]:
    """The families that count now."""
    at = timezone.now()
    session = Session.objects.filter(handle=OuterRef("session"), expire_date__gt=at)
    return TokenFamily.objects.filter(
        Q(session="") | Exists(session),
        revoked_at__isnull=True,
        expires_at__gt=at,
        user__epoch=F("epoch"),
        user__verified_at__isnull=False,
        user__is_active=True,
    )


def begin(grant: Grant, device: str, scope: str) -> TokenFamily:
    """Begins a family. The oldest beyond the limit end (ASVS 7.1.2)."""
    at, limit = timezone.now(), conf.current().policy.sessions
    held = store.hold(grant.user.pk)
    if held is None or held.epoch != grant.user.epoch or not held.is_active:
        raise Problem("not_signed_in")
    others = TokenFamily.objects.filter(user=grant.user, revoked_at__isnull=True)
    newest = others.order_by("-last_used_at", "-created_at")[: limit - 1]
    kept = list(newest.values_list("pk", flat=True))
    others.exclude(pk__in=kept).update(revoked_at=at)
    return TokenFamily.objects.create(
        user=grant.user,
        session=grant.session,
        device=device,
        scope=scope,
[%- if module.oidc %]
        amr=grant.amr,
[%- endif %]
        authenticated_at=grant.authenticated_at,
        epoch=grant.user.epoch,
        created_at=at,
        last_used_at=at,
        expires_at=grant.expires_at,
    )


def holder(family: TokenFamily) -> Holder:
    return Holder(
        user_id=family.user_id,
        family=family.pk,
        epoch=family.epoch,
        amr=family.amr,
        authenticated_at=int(family.authenticated_at.timestamp()),
        expires_at=int(family.expires_at.timestamp()),
    )


def next_token(family: TokenFamily) -> str:
    """Makes the next refresh token of a family. It ends without use, where the family came from a
    session no later than that would, and never after the family."""
    token, at, policy = random(), timezone.now(), conf.current().policy
    idle = policy.refresh_idle
    if family.session:
        idle = min(idle, policy.session_idle)
    RefreshToken.objects.create(
        token_hash=digest(token),
        family=family,
        created_at=at,
        expires_at=min(family.expires_at, at + timedelta(seconds=idle)),
    )
    return token


def of_refresh_token(token: str) -> TokenFamily | None:
    """The family of a refresh token, if it lives. Notes the use, and holds the account and the row
    until the transaction ends, so that uses of one family take turns, and a revocation comes wholly
    before or after."""
    owners = RefreshToken.objects.filter(token_hash=digest(token))
    user_id = owners.values_list("family__user_id", flat=True).first()
    # Only what is read after it was waited for is what others have left.
    if user_id is None or store.hold(user_id) is None:
        return None
    held = living().select_for_update(of=("self",))
    family = held.filter(refresh_tokens__token_hash=digest(token)).first()
    if family is not None:
        family.last_used_at = timezone.now()
        family.save(update_fields=["last_used_at"])
    return family


def named_by(token: str) -> str | None:
    """The family that a refresh token belongs to, living or not."""
    shown = RefreshToken.objects.filter(token_hash=digest(token))
    return shown.values_list("family_id", flat=True).first()


class Shown(Enum):
    """What became of a refresh token that was shown."""

    # It was the next one, and is used up now.
    NEXT = "next"
    # It was used before: two have it, and one of them should not.
    AGAIN = "again"
    EXPIRED = "expired"


def use_up(token: str) -> Shown:
    """Uses a refresh token up. Of parallel calls, one gets `NEXT`: the condition and the change are
    one statement (ASVS 15.4.2)."""
    at = timezone.now()
    shown = RefreshToken.objects.filter(token_hash=digest(token))
    if shown.filter(used_at__isnull=True, expires_at__gt=at).update(used_at=at):
        return Shown.NEXT
    used_at = shown.values_list("used_at", flat=True).get()
    return Shown.EXPIRED if used_at is None else Shown.AGAIN


def revoke(family: str) -> str | None:
    """Ends a family with all its tokens. Returns whose it was, if it had not ended before."""
    alive = TokenFamily.objects.filter(pk=family, revoked_at__isnull=True)
    owner = alive.values_list("user_id", flat=True).first()
    return owner if alive.update(revoked_at=timezone.now()) else None


def carry_over(user: User) -> None:
    """Lets programs outlive a rise of the epoch by one that was not meant for them."""
    mine = TokenFamily.objects.filter(user=user, epoch=user.epoch)
    mine.update(epoch=F("epoch") + 1)
