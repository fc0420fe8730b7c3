"""The operator's hook: what `manage.py accounts` does to accounts, at once and for every process.

USER is an id or an address.
"""

import json
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from . import audit, store
[%- if module.oidc and module.tokens %]
from .models import (
    Event,
    MailToken,
    OidcTransaction,
    Session,
    Throttle,
    TokenFamily,
    User,
)
[%- elif module.oidc %]
from .models import Event, MailToken, OidcTransaction, Session, Throttle, User
[%- elif module.tokens %]
from .models import Event, MailToken, Session, Throttle, TokenFamily, User
[%- else %]
from .models import Event, MailToken, Session, Throttle, User
[%- endif %]

MAX_LINES = 1_000
# So many rows are removed at a time.
BATCH = 1_000


class OperatorError(Exception):
    """What the operator asked for cannot be done."""


@transaction.atomic
def act(command: str, whom: str | None) -> str:
    """Changes one account, or all."""
    changes: dict[str, tuple[str, dict[str, Any]]] = {
        "disable": ("account_disabled", {"is_active": False, "epoch": F("epoch") + 1}),
        "enable": ("account_enabled", {"is_active": True}),
        "revoke": ("sessions_revoked", {"epoch": F("epoch") + 1}),
    }
    event, values = changes[command]
    # All of them, before anything of theirs: a sign-in that holds one may be at another's session.
    held = find(whom).select_for_update().order_by("pk")
    ids = list(held.values_list("pk", flat=True))
    for user_id in ids:
        User.objects.filter(pk=user_id).update(**values)
        store.end_all(user_id)
    audit.operator(event, ids)
    return f"accounts: {command}: {len(ids)} account(s)"


def find(whom: str | None) -> QuerySet[User]:
    if whom is None:
        return User.objects.all()
    found = User.objects.filter(Q(pk=whom) | Q(email=whom.strip().lower()))
    if not found.exists():
        raise OperatorError(f"no such user: {whom}")
    return found


def trail(whom: str | None) -> list[str]:
    """The audit trail of one user, or of all, oldest first: a line for each event."""
    events = Event.objects.order_by("-id")
    if whom is not None:
        try:
            user_id = find(whom).get().pk
        except OperatorError:
            # The trail outlives the account: then only its id is known.
            user_id = whom
        events = events.filter(user_id=user_id)
    rows = list(events.values()[:MAX_LINES])
    if whom is not None and not rows:
        raise OperatorError(f"no such user: {whom}")
    return [json.dumps(row, default=str) for row in reversed(rows)]


def purge() -> str:
    """Removes what no query would accept any more. The audit trail is the owner's to cut."""
    at = timezone.now()
    rows = swept(Session.objects.filter(expire_date__lte=at))
    rows += swept(MailToken.objects.filter(expires_at__lte=at))
[%- if module.oidc %]
    rows += swept(OidcTransaction.objects.filter(expires_at__lte=at))
[%- endif %]
[%- if module.tokens %]
    rows += swept(TokenFamily.objects.filter(expires_at__lte=at))
[%- endif %]
    rows += swept(Throttle.objects.filter(expires_at__lte=at))
    return f"accounts: purge: {rows} row(s)"


def swept(over: QuerySet[Any]) -> int:
    """How many rows went. What somebody else holds is left for the next time: neither waits for the
    other."""
    rows, found = 0, BATCH
    while found == BATCH:
        with transaction.atomic():
            mine = over.select_for_update(skip_locked=True)
            some = list(mine.values_list("pk", flat=True)[:BATCH])
            rows += over.filter(pk__in=some).delete()[0]
        found = len(some)
    return rows
