"""A sign-in that is under way at a provider: what its answer must fit.

All of it stays here. The browser holds a random value in a cookie, the provider gets `state`,
`nonce` and the challenge; none of them tells another (ASVS 10.1.2, RFC 9700 4.7).
"""

from datetime import timedelta

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from .. import conf, store
from ..guards import session_of
from ..models import OidcTransaction, User
from ..problem import Problem
from ..randomness import digest, random
from .settings import Provider
from .underway import Intent, Opened, Taken

# So many at most are open in one browser; another takes the place of the oldest.
OPEN = 5


def open_one(
    request: HttpRequest,
    provider: Provider,
    intent: Intent,
    user: User | None,
    then: str,
) -> tuple[Opened, str]:
    """Opens one for the browser of the request, and for its session if there is a `user`. What the
    browser's cookie must hold comes second."""
    opened, at = Opened(), timezone.now()
    with transaction.atomic():
        # Nothing may refer to an account that is being deleted.
        if user is not None and store.hold(user.pk) is None:
            raise Problem("not_signed_in")
        browser = known_browser(request) or random()
        make_room(browser)
        OidcTransaction.objects.create(
            state_hash=digest(opened.state),
            browser_hash=digest(browser),
            provider=provider.preset.id,
            issuer=provider.issuer,
            intent=intent.value,
            user=user,
            session=session_of(request).handle if user is not None else None,
            nonce=opened.nonce,
            verifier=opened.verifier,
            next=then,
            created_at=at,
            expires_at=at + timedelta(seconds=conf.current().oidc.transaction),
        )
    return opened, browser


def cookie(request: HttpRequest) -> str | None:
    value: str | None = request.COOKIES.get(conf.current().transaction_cookie)
    return value


def browser_hash(request: HttpRequest) -> str | None:
    browser = cookie(request)
    return None if browser is None else digest(browser)


def known_browser(request: HttpRequest) -> str | None:
    """The cookie's value if it was made here: then a sign-in in another tab goes on as well."""
    mine = OidcTransaction.objects.filter(
        browser_hash=browser_hash(request) or "", expires_at__gt=timezone.now()
    )
    return cookie(request) if mine.exists() else None


def make_room(browser: str) -> None:
    mine = OidcTransaction.objects.filter(browser_hash=digest(browser))
    newest = mine.order_by("-created_at").values_list("pk", flat=True)
    mine.exclude(pk__in=list(newest[: OPEN - 1])).delete()


def take(state: str) -> Taken | None:
    """Takes a transaction out, whatever comes of it then: of several answers to one, the first
    counts, and a wrong one is not tried again (ASVS 15.4.2)."""
    mine = OidcTransaction.objects.filter(pk=digest(state))
    with transaction.atomic():
        row = mine.select_for_update().first()
        mine.delete()
    return None if row is None else taken(row)


def taken(row: OidcTransaction) -> Taken:
    return Taken(
        browser_hash=row.browser_hash,
        provider=row.provider,
        issuer=row.issuer,
        intent=Intent(row.intent),
        user_id=row.user_id,
        session=row.session,
        nonce=row.nonce,
        verifier=row.verifier,
        next=row.next,
        created_at=int(row.created_at.timestamp()),
        expires_at=int(row.expires_at.timestamp()),
    )
