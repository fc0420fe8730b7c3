"""How views of your own are guarded. Change or delete this file."""

from django.http import HttpRequest, [% if ui == "pages" %]HttpResponse, [% endif %]JsonResponse
from django.urls import URLPattern, URLResolver, path
[%- if ui == "pages" %]
from django.utils.html import format_html
[%- endif %]

[% if module.tokens -%]
from accounts.bearer.guards import api_user_of, fresh_token_required, token_required
[% endif -%]
from accounts.guards import lately_signed_in, signed_in, user_of


@signed_in
def example(request: HttpRequest) -> JsonResponse:
    """For whoever is signed in."""
    return JsonResponse({"user_id": user_of(request).pk})


@lately_signed_in
def fresh(request: HttpRequest) -> JsonResponse:
    """For whoever [% if module.oidc %]signed in[% else %]entered the password[% endif %] a short while ago."""
    return JsonResponse({"user_id": user_of(request).pk})

[%- if module.tokens %]


@token_required("read")
def api(request: HttpRequest) -> JsonResponse:
    """For a program with an access token that has the scope `read`."""
    return JsonResponse({"user_id": api_user_of(request).id})


@fresh_token_required()
def api_fresh(request: HttpRequest) -> JsonResponse:
    """For a program whose user signed in a short while ago."""
    return JsonResponse({"user_id": api_user_of(request).id})
[%- endif %]
[%- if ui == "pages" %]


PAGE = """<!DOCTYPE html>
<html lang="en">
    <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Example</title>
    </head>
    <body>
        <main>
            <h1>Example</h1>
            <p>Hello {}, only signed-in users see this.</p>
            <p><a href="/auth/account">Your account</a></p>
        </main>
    </body>
</html>
"""


@signed_in
def page(request: HttpRequest) -> HttpResponse:
    """Where the guard leads a browser to the sign-in page and back here."""
    return HttpResponse(format_html(PAGE, user_of(request).email))
[%- endif %]


urlpatterns: list[URLPattern | URLResolver] = [
    path("auth/example", example),
    path("auth/example/fresh", fresh),
[%- if module.tokens %]
    path("auth/example/api", api),
    path("auth/example/api/fresh", api_fresh),
[%- endif %]
[%- if ui == "pages" %]
    path("auth/example/page", page),
[%- endif %]
]
