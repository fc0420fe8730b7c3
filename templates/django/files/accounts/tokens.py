"""Single-use tokens that are sent by mail.

A token is 32 bytes of the operating system's randomness. The database keeps its SHA-256 with
purpose, owner, address and expiry: a copy of the database opens nothing (ASVS 6.5.2, 11.5.1). It is
bound to the account's epoch, so whatever ends sessions voids it.
"""

from datetime import timedelta

from django.db.models import F, QuerySet, TextChoices
from django.utils import timezone

from .models import MailToken, User
from .randomness import digest, random


class Purpose(TextChoices):
    VERIFY = "verify"
    RESET = "reset"
    EMAIL_CHANGE = "email_change"


def issue(
    purpose: Purpose,
    user: User,
    seconds: int,
    *,
    new_email: str = "",
    browser_hash: str = "",
) -> str:
    """Makes a token, in the place of an older one for the same purpose."""
    token, at = random(), timezone.now()
    MailToken.objects.filter(user=user, purpose=purpose.value).delete()
    MailToken.objects.create(
        token_hash=digest(token),
        purpose=purpose.value,
        user=user,
        email=user.email,
        epoch=user.epoch,
        new_email=new_email,
        browser_hash=browser_hash,
        created_at=at,
        expires_at=at + timedelta(seconds=seconds),
    )
    return token


def usable(purpose: Purpose, token: str) -> QuerySet[MailToken]:
    return MailToken.objects.filter(
        token_hash=digest(token),
        purpose=purpose.value,
        used_at__isnull=True,
        expires_at__gt=timezone.now(),
        user__is_active=True,
        user__email=F("email"),
        user__epoch=F("epoch"),
    )


def peek(purpose: Purpose, token: str) -> MailToken | None:
    """Looks at a token without using it."""
    return usable(purpose, token).select_related("user").first()


def consume(purpose: Purpose, token: str) -> str | None:
    """Uses a token up. Of parallel calls, one gets the owner: the condition and the change are one
    statement (ASVS 15.4.2)."""
    # The account is held first, as wherever several rows change: no two wait for each other.
    held = User.objects.select_for_update(of=("self",))
    owner = held.filter(mail_tokens__token_hash=digest(token)).first()
    # An update joins no other table: the conditions on the account are a query of their own.
    unused = MailToken.objects.filter(
        pk__in=usable(purpose, token).values("pk"), used_at__isnull=True
    )
    if owner is None or not unused.update(used_at=timezone.now()):
        return None
    return owner.pk


def void_all(user_id: str) -> None:
    MailToken.objects.filter(user_id=user_id).delete()
