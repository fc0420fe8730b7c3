"""Authentication: [% if module.password %]accounts with e-mail and password[% if module.oidc %] or at providers[% endif %], sessions, verification and reset by mail.[% else %]accounts of people who sign in at providers, and sessions.[% endif %]

`attach(app)` puts the routes below `/auth` and everything that guards need into an application.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
[%- if module.tokens %]
    from .bearer.guard import (
        ApiUser,
        CurrentApiUser,
        FreshApiUser,
        api_user,
        fresh_api_user,
    )
[%- endif %]
    from .settings import Settings
    from .user import CurrentUser, FreshUser, MaybeUser, User
    from .wiring import Auth, attach

__all__ = [
[%- if module.tokens %]
    "ApiUser",
[%- endif %]
    "Auth",
[%- if module.tokens %]
    "CurrentApiUser",
[%- endif %]
    "CurrentUser",
[%- if module.tokens %]
    "FreshApiUser",
[%- endif %]
    "FreshUser",
    "MaybeUser",
    "Settings",
    "User",
[%- if module.tokens %]
    "api_user",
[%- endif %]
    "attach",
[%- if module.tokens %]
    "fresh_api_user",
[%- endif %]
]

[% if module.tokens -%]
HOMES = {
    "ApiUser": "bearer.guard",
    "Auth": "wiring",
    "CurrentApiUser": "bearer.guard",
    "FreshApiUser": "bearer.guard",
    "Settings": "settings",
    "api_user": "bearer.guard",
    "attach": "wiring",
    "fresh_api_user": "bearer.guard",
}
[%- else -%]
HOMES = {"Auth": "wiring", "Settings": "settings", "attach": "wiring"}
[%- endif %]


def __getattr__(name: str) -> object:
    """Loads a name when it is first asked for: the command line refuses settings that do not fit
    before it loads a framework and a database."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{HOMES.get(name, 'user')}", __name__), name)
