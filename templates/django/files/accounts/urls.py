"""Addresses of the module, below `/auth/`."""

from django.urls import URLPattern, URLResolver, path

from . import (
    csrf,
    email_change,
    own_sessions,
    password,
    personal,
    registration,
    sign_in,
)
from .endpoint import missing, route

urlpatterns: list[URLPattern | URLResolver] = [
    path("auth/csrf", route(GET=csrf.token)),
    path("auth/register", route(POST=registration.register)),
    path("auth/verify", route(GET=registration.show_verify, POST=registration.verify)),
    path("auth/verify/resend", route(POST=registration.resend)),
    path("auth/login", route(POST=sign_in.login)),
    path("auth/logout", route(POST=sign_in.logout)),
    path("auth/reauth", route(POST=sign_in.reauth)),
    path("auth/me", route(GET=sign_in.me)),
    path("auth/password", route(POST=password.change)),
    path("auth/password/forgot", route(POST=password.forgot)),
    path("auth/password/reset", route(GET=password.show_reset, POST=password.reset)),
    path("auth/email", route(POST=email_change.request_change)),
    path("auth/email/confirm", route(GET=email_change.show, POST=email_change.confirm)),
    path("auth/sessions", route(GET=own_sessions.show)),
    path("auth/sessions/revoke-others", route(POST=own_sessions.revoke_others)),
    path("auth/sessions/<str:handle>", route(DELETE=own_sessions.revoke)),
    path("auth/export", route(GET=personal.export)),
    path("auth/account", route(DELETE=personal.delete)),
    # What is below and not here: in the form of the other refusals.
    path("auth/<path:rest>", missing),
]
