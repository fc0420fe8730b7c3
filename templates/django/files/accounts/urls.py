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
[% if module.tokens -%]
from .bearer import devices, endpoints
[% endif -%]
from .endpoint import [% if module.tokens %]for_programs, [% endif %][% if module.oidc and 'apple' in providers %]from_elsewhere, [% endif %]missing, route
[%- if module.oidc %]
from .oidc import callback, identities, start
[%- endif %]
[%- if ui == "pages" %]
from .pages import account, [% if module.oidc %]providers, [% endif %]sessions, sign_up
from .pages import password as password_pages
from .pages import sign_in as sign_in_pages
[%- endif %]
[%- if module.tokens %]
from .visit import JWKS
[%- endif %]

urlpatterns: list[URLPattern | URLResolver] = [
    path("auth/csrf", route(GET=csrf.token)),
[%- if ui == "pages" %]
    path(
        "auth/register",
        route(sign_up.SignUp.as_view(), POST=registration.register),
    ),
    path("auth/mailbox", route(sign_up.Mailbox.as_view())),
    path(
        "auth/verify",
        route(
            sign_up.Verify.as_view(),
            GET=registration.show_verify,
            POST=registration.verify,
        ),
    ),
    path(
        "auth/verify/resend",
        route(sign_up.Resend.as_view(), POST=registration.resend),
    ),
    path("auth/login", route(sign_in_pages.SignIn.as_view(), POST=sign_in.login)),
    path("auth/logout", route(sign_in_pages.sign_out, POST=sign_in.logout)),
    path("auth/reauth", route(sign_in_pages.Reauth.as_view(), POST=sign_in.reauth)),
    path("auth/me", route(GET=sign_in.me)),
    path("auth/password", route(password_pages.Change.as_view(), POST=password.change)),
    path(
        "auth/password/forgot",
        route(password_pages.Forgot.as_view(), POST=password.forgot),
    ),
    path(
        "auth/password/reset",
        route(
            password_pages.Reset.as_view(),
            GET=password.show_reset,
            POST=password.reset,
        ),
    ),
    path(
        "auth/email", route(account.Email.as_view(), POST=email_change.request_change)
    ),
    path(
        "auth/email/confirm",
        route(
            account.ConfirmEmail.as_view(),
            GET=email_change.show,
            POST=email_change.confirm,
        ),
    ),
    path("auth/sessions", route(sessions.Sessions.as_view(), GET=own_sessions.show)),
    path(
        "auth/sessions/revoke-others",
        route(sessions.revoke_others, POST=own_sessions.revoke_others),
    ),
    path("auth/sessions/<slug:handle>", route(DELETE=own_sessions.revoke)),
    path("auth/sessions/<slug:handle>/revoke", route(sessions.revoke)),
    path("auth/data", route(account.Data.as_view())),
    path("auth/export", route(GET=personal.export)),
    path("auth/account", route(account.Account.as_view(), DELETE=personal.delete)),
    path("auth/account/delete", route(account.Delete.as_view())),
[%- else %]
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
    path("auth/sessions/<slug:handle>", route(DELETE=own_sessions.revoke)),
    path("auth/export", route(GET=personal.export)),
    path("auth/account", route(DELETE=personal.delete)),
[%- endif %]
[%- if module.oidc %]
    path("auth/providers", route(GET=start.show)),
[%- if ui == "pages" %]
    path(
        "auth/identities",
        route(providers.Identities.as_view(), GET=identities.show),
    ),
    path("auth/oidc/<slug:name>/start", route(providers.sign_in, POST=start.start)),
    path(
        "auth/oidc/<slug:name>/link",
        route(providers.link, POST=start.link, DELETE=identities.unlink),
    ),
    path("auth/oidc/<slug:name>/unlink", route(providers.unlink)),
    path("auth/oidc/<slug:name>/reauth", route(providers.reauth, POST=start.reauth)),
[%- else %]
    path("auth/identities", route(GET=identities.show)),
    path("auth/oidc/<slug:name>/start", route(POST=start.start)),
    path("auth/oidc/<slug:name>/link", route(POST=start.link, DELETE=identities.unlink)),
    path("auth/oidc/<slug:name>/reauth", route(POST=start.reauth)),
[%- endif %]
[%- if 'apple' in providers %]
    path(
        "auth/oidc/<slug:name>/callback",
        from_elsewhere(route(GET=callback.callback), callback.posted),
    ),
[%- else %]
    path("auth/oidc/<slug:name>/callback", route(GET=callback.callback)),
[%- endif %]
[%- endif %]
[%- if module.tokens %]
    path(JWKS.removeprefix("/"), route(GET=endpoints.published)),
    path("auth/token", for_programs(route(POST=endpoints.issue))),
    path("auth/token/refresh", for_programs(route(POST=endpoints.refresh))),
    path("auth/token/revoke", for_programs(route(POST=endpoints.revoke))),
    path("auth/token/me", route(GET=endpoints.me)),
    path("auth/devices", route(GET=devices.show)),
    path("auth/devices/<slug:family>", for_programs(route(DELETE=devices.revoke))),
[%- if ui == "pages" %]
    path("auth/devices/<slug:family>/revoke", route(sessions.revoke_program)),
[%- endif %]
[%- endif %]
    # What is below and not here: in the form of the other refusals.
    path("auth/<path:rest>", missing),
]
