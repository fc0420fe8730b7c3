"""How views, which wait, have providers asked by code that does not.

One event loop for the process: whoever comes while a provider is asked waits for the same answer, and
a limit of time ends a call however slowly its answer trickles in.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from functools import cache
from typing import Any, TypeVar

from .. import conf
from .metadata import Oidc

T = TypeVar("T")


@cache
def loop() -> asyncio.AbstractEventLoop:
    """Begun by the first call, so by each process that a server forks for itself."""
    made = asyncio.new_event_loop()
    threading.Thread(target=made.run_forever, name="accounts-oidc", daemon=True).start()
    return made


class Known:
    """What is kept of providers while the settings are the same."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._oidc: Oidc | None = None
        self._settings: object = None

    def oidc(self) -> Oidc:
        settings = conf.current().oidc
        with self._lock:
            if self._oidc is None or self._settings is not settings:
                self._oidc, self._settings = Oidc(settings), settings
            return self._oidc


known = Known()


def ask(question: Callable[[Oidc], Coroutine[Any, Any, T]]) -> T:
    return asyncio.run_coroutine_threadsafe(question(known.oidc()), loop()).result()
