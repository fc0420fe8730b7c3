"""Which requests get a page."""

from django.http import HttpRequest

FORM = "application/x-www-form-urlencoded"


def is_form(request: HttpRequest) -> bool:
    return request.method == "POST" and request.content_type == FORM


def is_for_page(request: HttpRequest) -> bool:
    """A form, or a reading request that prefers HTML to JSON. Browsers name HTML when they go to a
    page; programs that take anything get JSON (RFC 9110 12.5.1)."""
    if request.method not in ("GET", "HEAD"):
        return is_form(request)
    return request.get_preferred_type(["application/json", "text/html"]) == "text/html"
