"""How views of your own are guarded. Change or delete this file."""

from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, URLResolver, path

from accounts.guards import lately_signed_in, signed_in, user_of


@signed_in
def example(request: HttpRequest) -> JsonResponse:
    """For whoever is signed in."""
    return JsonResponse({"user_id": user_of(request).pk})


@lately_signed_in
def fresh(request: HttpRequest) -> JsonResponse:
    """For whoever [% if module.oidc %]signed in[% else %]entered the password[% endif %] a short while ago."""
    return JsonResponse({"user_id": user_of(request).pk})


urlpatterns: list[URLPattern | URLResolver] = [
    path("auth/example", example),
    path("auth/example/fresh", fresh),
]
