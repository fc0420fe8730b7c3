"""The audit trail: one row and one log line for each thing that happened to an account.

Neither holds a secret, and an address without account appears as a keyed hash: people type
passwords into the wrong field (ASVS 16.2.5).
"""

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from . import db as tables
from . import throttle

if TYPE_CHECKING:
    from .visit import Visit

# Refusals are recorded at most this often per minute, source and kind.
REFUSALS_PER_MINUTE = 10

log = logging.getLogger("auth.audit")


def timestamp() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class JsonLines(logging.Formatter):
    """One JSON object a line, ASCII only: no text of a client breaks out of its line (ASVS 16.4.1)."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(
            timespec="milliseconds"
        )
        line: dict[str, object] = {
            "time": at.replace("+00:00", "Z"),
            "level": record.levelname,
        }
        fields = getattr(record, "auth", None)
        line |= fields if isinstance(fields, dict) else {"message": record.getMessage()}
        if record.exc_info and record.exc_info[0]:
            # The kind alone: an error's text may hold what was sent.
            line["error"] = record.exc_info[0].__name__
        return json.dumps(line)


def show(fields: Mapping[str, str | None], level: int = logging.INFO) -> None:
    log.log(level, "%s", fields.get("event"), extra={"auth": dict(fields)})


async def record(
    db: AsyncConnection,
    visit: "Visit",
    event: str,
    *,
    user_id: str | None = None,
    email: str | None = None,
    reason: str = "",
) -> None:
    """Records what a request did; with a reason, what failed. Inside a transaction, both happen or
    neither (ASVS 2.3.3)."""
    subject = visit.auth.keys.of("audit", email)[:16] if email else None
    fields = {
        "event": event,
        "outcome": "failure" if reason else "success",
        "reason": reason,
        "user_id": user_id,
        "subject": subject,
        "ip": visit.ip,
        "user_agent": visit.agent,
        "request_id": visit.request_id,
    }
    await db.execute(sa.insert(tables.audit).values(at=timestamp(), **fields))
    show(fields)


async def refusal(
    visit: "Visit", event: str, reason: str, user_id: str | None = None
) -> None:
    """Records that a protection said no."""
    async with visit.auth.db.write() as db:
        key = visit.auth.keys.of_source(f"refusal:{event}:{reason}", visit.ip)
        verdict = await throttle.hit(db, key, REFUSALS_PER_MINUTE, 60)
        if verdict.is_allowed:
            await record(db, visit, event, user_id=user_id, reason=reason)


async def operator(db: AsyncConnection, event: str, ids: list[str]) -> None:
    """Records what the operator did to accounts."""
    for user_id in ids:
        fields = {
            "event": event,
            "outcome": "success",
            "reason": "",
            "user_id": user_id,
        }
        rest = {"ip": "", "user_agent": "operator", "request_id": ""}
        await db.execute(
            sa.insert(tables.audit).values(at=timestamp(), **fields, **rest)
        )
