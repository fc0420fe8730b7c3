"""Cookies that the module sets beside the session's."""

from django.http import HttpResponse

from . import conf


def keep(answer: HttpResponse, name: str, value: str, seconds: int) -> None:
    """Not for scripts, not for other sites' forms, not without TLS (ASVS 3.3)."""
    answer.set_cookie(
        name,
        value,
        max_age=seconds,
        secure=not conf.current().development,
        httponly=True,
        samesite="Lax",
    )
