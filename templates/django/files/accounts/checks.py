"""Nothing starts with settings that take a protection away: what `accounts.conf.configure` set may
have been set anew further down, or in another file."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
[%- if ui == "pages" %]
from django.template.exceptions import TemplateDoesNotExist
from django.template.loader import get_template
[%- endif %]

from . import conf, database

MIDDLEWARE = [
    "accounts.middleware.AccountsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]


def refuse_weakened() -> None:
    configured = conf.current()
    for name, value in conf.protections(configured).items():
        if getattr(settings, name) != value:
            raise ImproperlyConfigured(
                f"{name} is not what accounts.conf.configure set: call it at the end of the settings"
            )
    if not settings.USE_TZ:
        raise ImproperlyConfigured("USE_TZ is off, and sessions expire by the clock")
    if settings.DEBUG and not configured.development:
        raise ImproperlyConfigured("DEBUG is on, and AUTH_ENV is not development")
    database.refuse_weakened(settings.DATABASES["default"])
    refuse_undone_counters(settings.DATABASES["default"])
    places = [
        settings.MIDDLEWARE.index(name) if name in settings.MIDDLEWARE else -1
        for name in MIDDLEWARE
    ]
    if places[0] != 0 or -1 in places or places != sorted(places):
        listed = ", ".join(MIDDLEWARE)
        raise ImproperlyConfigured(f"MIDDLEWARE needs, first and in order: {listed}")


def refuse_undone_counters(of: Mapping[str, Any]) -> None:
    """A view that calls `authenticate` and then fails must not take back that a guess was counted."""
    fix = "take it out, and put transaction.atomic around what belongs together"
    if of.get("ATOMIC_REQUESTS"):
        raise ImproperlyConfigured(
            f"ATOMIC_REQUESTS is on, so a view that fails would undo the count of wrong passwords: {fix}"
        )
    if not of.get("AUTOCOMMIT", True):
        raise ImproperlyConfigured(
            f"AUTOCOMMIT is off, so wrong passwords would be counted for nobody else to see: {fix}"
        )
[% if ui == "pages" %]

def refuse_lost_pages() -> None:
    """Rather now than when somebody wants to sign in."""
    try:
        get_template("accounts/base.html")
    except TemplateDoesNotExist:
        raise ImproperlyConfigured(
            "TEMPLATES finds none of the templates in applications: set APP_DIRS, or add"
            " django.template.loaders.app_directories.Loader to its loaders"
        ) from None
[% endif -%]
