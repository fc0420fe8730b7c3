"""Whose account an identity opens. It is found by issuer and subject and by nothing else; an
address, which a provider can say anything about, only ever names a new account (ASVS 6.8.1)."""

from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone

from .. import addresses, audit, conf, store
from ..guards import lately_signed_in, session_of, signed_in, user_of
from ..models import Identity, Session, User
from ..own_sessions import raise_epoch
from ..problem import Problem
from ..sign_in import notify
from ..visit import visit_of
from .exchange import Person
from .failure import Refused
from .settings import Provider

# How somebody signed in, as sessions have it.
FEDERATED = "fed"
LINKED = (
    "Another way to sign in was added to your account. A new password does not take it"
    " away: disconnect it where your ways to sign in are listed."
)
UNLINKED = "A way to sign in was taken from your account."


class Overtaken(Exception):
    """Another request was faster: nothing was done."""


def sign_in(request: HttpRequest, provider: Provider, person: Person) -> None:
    """Opens the account of an identity. One that is not known yet gets an account of its own."""
    visit, at = visit_of(request), moment(person.auth_time)
    # Somebody may have come in the meantime with the same identity: then it is found at the second
    # look.
    for _ in range(2):
        try:
            with transaction.atomic():
                owner = owner_or_new(request, provider, person)
                audit.record(visit, "federated_login", user_id=owner.pk)
                store.begin(request, owner, amr=FEDERATED, auth_time=at)
            return
        except Overtaken:
            continue
    raise Problem("unavailable")


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def owner_or_new(request: HttpRequest, provider: Provider, person: Person) -> User:
    owner = owner_of(person)
    if owner is not None:
        return owner
    email = proven_address(person)
    if email is None:
        raise Problem("email_unverified")
    owner = take_address(email, person)
    if not insert(owner, provider, person):
        raise Overtaken
    audit.record(visit_of(request), "register", user_id=owner.pk)
    return owner


def owner_of(person: Person) -> User | None:
    """Held: the account stays as it is until the transaction ends."""
    known = Identity.objects.filter(issuer=person.issuer, subject=person.subject)
    user_id = known.values_list("user_id", flat=True).first()
    owner = store.hold(user_id) if user_id is not None else None
    # It may have been unlinked while the account was waited for.
    if owner is None or not known.filter(user=owner).exists():
        return None
    if not owner.is_active or owner.verified_at is None:
        raise Refused("account_disabled")
    return owner


def proven_address(person: Person) -> str | None:
    """The address for a new account. The provider must say that it is theirs."""
    return address_of(person) if person.is_verified else None


def address_of(person: Person) -> str | None:
    try:
        return addresses.canonical(person.email) if person.email is not None else None
    except Problem:
        return None


def take_address(email: str, person: Person) -> User:
    """Makes the account of an address. One that is there already, and confirmed, is not handed
    over: its owner signs in and links the provider."""
    account = User.objects.select_for_update().filter(email=email).first()
    if account is None:
        return create(email)
    if account.verified_at is None and account.is_active:
        return take_over(account)
    # Another request may have made it just now, for the same identity.
    if owner_of(person) is not None:
        raise Overtaken
    raise Problem("account_exists")


def take_over(account: User) -> User:
    """An account that nobody confirmed may have been made by a stranger, to lie in wait for the
    owner of the address. That owner is here now: whatever else would open the account goes (ASVS
    6.3.4)."""
    mine = User.objects.filter(pk=account.pk)
    mine.update(
        password=make_password(None),
        failed_logins=0,
        verified_at=timezone.now(),
        epoch=F("epoch") + 1,
    )
    store.end_all(account.pk)
    Identity.objects.filter(user=account).delete()
    return mine.get()


def create(email: str) -> User:
    """The unique index decides between parallel requests (ASVS 15.4.2)."""
    try:
        with transaction.atomic():
            return User.objects.create(
                email=email, password=make_password(None), verified_at=timezone.now()
            )
    except IntegrityError:
        raise Overtaken from None


def insert(user: User, provider: Provider, person: Person) -> bool:
    """False if the identity, or another one of this provider, is linked already."""
    theirs = Q(issuer=person.issuer, subject=person.subject)
    # Looked for first: databases write what they refuse to their logs, with what was sent.
    if Identity.objects.filter(
        theirs | Q(user=user, provider=provider.preset.id)
    ).exists():
        return False
    try:
        with transaction.atomic():
            Identity.objects.create(
                user=user,
                provider=provider.preset.id,
                issuer=person.issuer,
                subject=person.subject,
                email=address_of(person),
            )
    except IntegrityError:
        return False
    return True


def link(request: HttpRequest, user: User, provider: Provider, person: Person) -> None:
    """Adds an identity to the account of the user who asked. It is never moved from another
    account."""
    visit = visit_of(request)
    with transaction.atomic():
        held = store.hold(user.pk)
        # Nothing if the account changed meanwhile: then this session is over, too.
        if held is None or held.epoch != user.epoch:
            raise Problem("not_signed_in")
        if not insert(user, provider, person):
            if owner_of(person) != user:
                raise Problem("identity_taken")
            return
        audit.record(visit, "identity_linked", user_id=user.pk)
    notify(visit, user.email, LINKED)


def reauth(request: HttpRequest, user: User, person: Person, since: int) -> None:
    """Renews the session of a user who signed in anew with an identity of theirs, `since` they were
    sent to the provider, whose clock may be behind."""
    at = moment(max(person.auth_time, since))
    with transaction.atomic():
        owner = owner_of(person)
        # With the session's epoch: one that was ended meanwhile is not renewed.
        if owner is None or (owner.pk, owner.epoch) != (user.pk, user.epoch):
            raise Refused("identity")
        store.hand_over(request, owner)
        store.begin(request, owner, amr=FEDERATED, auth_time=at)


@signed_in
def show(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"identities": of(user_of(request))})


def of(user: User) -> list[dict[str, Any]]:
    """The identities of an account, as its owner sees them."""
    mine = Identity.objects.filter(user=user).order_by("linked_at", "provider")
    return [
        {
            "provider": one.provider,
            "email": one.email,
            "linked_at": int(one.linked_at.timestamp()),
        }
        for one in mine
    ]


@lately_signed_in
def unlink(request: HttpRequest, name: str) -> HttpResponse:
    """Takes an identity from the account and ends the other sessions: one of them may have been
    opened with it. The last way to sign in stays."""
    visit, user, current = visit_of(request), user_of(request), session_of(request)
    with transaction.atomic():
        # The account is held from here on: of two that unlink, the second sees what is left.
        raise_epoch(user)
        if not Identity.objects.filter(user=user, provider=name).delete()[0]:
            raise Problem("identity_unknown")
        if not can_sign_in(user):
            raise Problem("last_login_method")
        Session.objects.filter(user=user).exclude(pk=current.pk).delete()
        audit.record(visit, "identity_unlinked", user_id=user.pk)
    notify(visit, user.email, UNLINKED)
    return HttpResponse(status=204)


def can_sign_in(user: User) -> bool:
    if User.objects.get(pk=user.pk).has_usable_password():
        return True
    # One at a provider that is not in the settings any more opens nothing.
    known = conf.current().oidc.providers
    return any(left["provider"] in known for left in of(user))
