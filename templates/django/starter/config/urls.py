"""Addresses of the project."""

from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, URLResolver, path


def index(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"hello": "world"})


urlpatterns: list[URLPattern | URLResolver] = [
    path("", index),
]
