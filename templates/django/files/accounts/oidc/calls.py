"""How views, which wait, have providers asked by code that does not.

One event loop for the process: whoever comes while a provider is asked waits for the same answer, and
a limit of time ends a call however slowly its answer trickles in.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from .. import conf
from .metadata import Oidc

T = TypeVar("T")


class Line:
    """The way to providers, and what is kept of them while the settings are the same. Opened by the
    first call, so by each process that a server forks for itself."""

    def __init__(self) -> None:
        self._opening = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._oidc: Oidc | None = None
        self._settings: object = None

    def forget(self) -> None:
        """For a process that was forked: it has the loop, and not the thread that runs it."""
        self._opening = threading.Lock()
        self._loop = self._oidc = self._settings = None

    def ask(self, question: Callable[[Oidc], Coroutine[Any, Any, T]]) -> T:
        oidc, loop = self._opened()
        return asyncio.run_coroutine_threadsafe(question(oidc), loop).result()

    def _opened(self) -> tuple[Oidc, asyncio.AbstractEventLoop]:
        settings = conf.current().oidc
        with self._opening:
            if self._loop is None:
                self._loop = running_loop()
            if self._oidc is None or self._settings is not settings:
                self._oidc, self._settings = Oidc(settings), settings
            return self._oidc, self._loop


def running_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="accounts-oidc", daemon=True).start()
    return loop


line = Line()
os.register_at_fork(after_in_child=line.forget)
