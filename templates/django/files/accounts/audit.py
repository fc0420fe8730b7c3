"""The audit trail: one row and one log line for each thing that happened to an account.

Neither holds a secret, and an address without account appears as a keyed hash: people type
passwords into the wrong field (ASVS 16.2.5).
"""

import json
import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from . import throttle
from .models import Event
from .visit import Visit

# Refusals are recorded at most this often per minute, source and kind.
REFUSALS_PER_MINUTE = 10

log = logging.getLogger("accounts.audit")


def timestamp(seconds: float | None = None) -> str:
    at = datetime.now(UTC) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class JsonLines(logging.Formatter):
    """One JSON object a line, ASCII only: no text of a client breaks out of its line (ASVS 16.4.1)."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": timestamp(record.created),
            "level": record.levelname,
        }
        fields = getattr(record, "auth", None)
        line |= fields if isinstance(fields, dict) else {"message": record.getMessage()}
        if record.exc_info and record.exc_info[0]:
            # The kind alone: an error's text may hold what was sent.
            line["error"] = record.exc_info[0].__name__
        return json.dumps(line)


def show(fields: Mapping[str, str | None]) -> None:
    log.info("%s", fields.get("event"), extra={"auth": dict(fields)})


def record(
    visit: Visit,
    event: str,
    *,
    user_id: str | None = None,
    email: str | None = None,
    reason: str = "",
) -> None:
    """Records what a request did; with a reason, what failed. Inside a transaction, both happen or
    neither (ASVS 2.3.3)."""
    fields = {
        "event": event,
        "outcome": "failure" if reason else "success",
        "reason": reason,
        "user_id": user_id,
        "subject": throttle.key_of("audit", email)[:16] if email else None,
        "ip": visit.ip,
        "user_agent": visit.agent,
        "request_id": visit.request_id,
    }
    Event.objects.create(**fields)
    show(fields)


def refusal(visit: Visit, event: str, reason: str, user_id: str | None = None) -> None:
    """Records that a protection said no."""
    key = throttle.key_of_source(f"refusal:{event}:{reason}", visit.ip)
    if throttle.hit(key, REFUSALS_PER_MINUTE, 60).is_allowed:
        record(visit, event, user_id=user_id, reason=reason)


def operator(event: str, ids: Iterable[str]) -> None:
    """Records what the operator did to accounts."""
    for user_id in ids:
        Event.objects.create(
            event=event,
            outcome="success",
            user_id=user_id,
            user_agent="operator",
        )
