"""Authentication: accounts with e-mail and password, sessions, verification and reset by mail.

`attach(app)` puts the routes below `/auth` and everything that guards need into an application.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .settings import Settings
    from .user import CurrentUser, FreshUser, MaybeUser, User
    from .wiring import Auth, attach

__all__ = [
    "Auth",
    "CurrentUser",
    "FreshUser",
    "MaybeUser",
    "Settings",
    "User",
    "attach",
]

HOMES = {"Auth": "wiring", "Settings": "settings", "attach": "wiring"}


def __getattr__(name: str) -> object:
    """Loads a name when it is first asked for: the command line refuses settings that do not fit
    before it loads a framework and a database."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{HOMES.get(name, 'user')}", __name__), name)
