"""What is told of a sign-in at a provider that came to nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .. import audit
from ..problem import Problem
from ..visit import Visit
from .failure import Refused, Unavailable


@asynccontextmanager
async def told(visit: Visit) -> AsyncIterator[None]:
    """Records what failed within. The client is never told what the provider said (ASVS 16.5.1)."""
    try:
        yield
    except (Refused, Unavailable) as failure:
        await audit.refusal(visit, "oidc_refused", str(failure))
        raise Problem(failure.code) from None
    except Problem as problem:
        # Something of our own, such as an identity that is somebody else's.
        if problem.code != "unavailable":
            await audit.refusal(visit, "oidc_refused", problem.code)
        raise
