"""Limits of what one source[% if module.password %] or one address[% endif %] may cause."""

[% if module.password -%]
from sqlalchemy.ext.asyncio import AsyncConnection

[% endif -%]
from . import audit, throttle
from .visit import Visit


async def per_source(visit: Visit, what: str, limit: int) -> None:
    """Limits how often one source may do something in a minute."""
    key = visit.auth.keys.of_source(what, visit.ip)
    async with visit.auth.db.write() as db:
        verdict = await throttle.hit(db, key, limit, 60)
    if verdict.first:
        await audit.refusal(visit, "throttled", what)
    verdict.check()
[%- if module.password %]


async def may_mail(db: AsyncConnection, visit: Visit, email: str) -> bool:
    """Whether an address may get another mail that anybody can cause. If not, the answer is the
    same."""
    key = visit.auth.keys.of("mail", email)
    limit = visit.auth.settings.policy.mail_address
    return (await throttle.hit(db, key, limit, 60)).is_allowed
[%- endif %]
