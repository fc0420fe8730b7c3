"""Limits of what one source or one address may cause."""

from . import audit, conf, throttle
from .visit import Visit


def per_source(visit: Visit, what: str, limit: int) -> None:
    """Limits how often one source may do something in a minute."""
    verdict = throttle.hit(throttle.key_of_source(what, visit.ip), limit, 60)
    if verdict.first:
        audit.refusal(visit, "throttled", what)
    verdict.check()


def may_mail(email: str) -> bool:
    """Whether an address may get another mail that anybody can cause. If not, the answer is the
    same."""
    limit = conf.current().policy.mail_address
    return throttle.hit(throttle.key_of("mail", email), limit, 60).is_allowed
