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
from .endpoint import [% if module.oidc and 'apple' in providers %]from_elsewhere, [% endif %]missing, route
[%- if module.oidc %]
from .oidc import callback, identities, start
[%- endif %]

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
[%- if module.oidc %]
    path("auth/providers", route(GET=start.show)),
    path("auth/identities", route(GET=identities.show)),
    path("auth/oidc/<str:name>/start", route(POST=start.start)),
    path("auth/oidc/<str:name>/link", route(POST=start.link, DELETE=identities.unlink)),
    path("auth/oidc/<str:name>/reauth", route(POST=start.reauth)),
[%- if 'apple' in providers %]
    path(
        "auth/oidc/<str:name>/callback",
        from_elsewhere(route(GET=callback.callback), callback.posted),
    ),
[%- else %]
    path("auth/oidc/<str:name>/callback", route(GET=callback.callback)),
[%- endif %]
[%- endif %]
    # What is below and not here: in the form of the other refusals.
    path("auth/<path:rest>", missing),
]
