"""What is told of a sign-in at a provider that came to nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

from .. import audit
from ..problem import Problem
from ..visit import Visit
from .failure import Refused, Unavailable


@contextmanager
def told(visit: Visit) -> Iterator[None]:
    """Records what failed within. The client is never told what the provider said (ASVS 16.5.1)."""
    try:
        yield
    except (Refused, Unavailable) as failure:
        audit.refusal(visit, "oidc_refused", str(failure))
        raise Problem(failure.code) from None
    except Problem as problem:
        # Something of our own, such as an identity that is somebody else's.
        if problem.code != "unavailable":
            audit.refusal(visit, "oidc_refused", problem.code)
        raise
