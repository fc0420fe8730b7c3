"""Request bodies: JSON objects[% if ui == "pages" %], and the forms of pages[% endif %], small, with fields of text."""

import json
import re
[% if ui == "pages" -%]
from collections.abc import Mapping
[% endif -%]
from typing import Any

from django.http import HttpRequest

from .problem import Problem
[%- if ui == "pages" %]
from .visit import visit_of
[%- endif %]

# More than any form of this module needs; bounds memory before anything is parsed.
MAX_BODY = 64 * 1024
# A type that a cross-site form cannot send (ASVS 3.5.2).
JSON = re.compile(r'application/json\s*(;\s*charset="?utf-8"?)?', re.IGNORECASE)


class Form:
    """Fields of text; others are not looked at (ASVS 15.3.3). No error repeats what was sent."""

    def __init__(self, request: HttpRequest) -> None:
[%- if ui == "pages" %]
        posted = visit_of(request).posted
        self._fields: Mapping[str, Any] = read(request) if posted is None else posted
[%- else %]
        kind = request.META.get("CONTENT_TYPE", "").strip()
        if not JSON.fullmatch(kind) or "Content-Encoding" in request.headers:
            raise Problem("json_required")
        self._fields = parsed(collected(request))
[%- endif %]

    def text(self, name: str) -> str:
        value = self.maybe(name)
        if value is None:
            raise Problem("invalid_fields")
        return value

    def maybe(self, name: str) -> str | None:
        if name not in self._fields:
            return None
        value = self._fields[name]
        # `null` is not the same as nothing.
        if not isinstance(value, str):
            raise Problem("invalid_fields")
        return value


[% if ui == "pages" -%]
def read(request: HttpRequest) -> dict[str, Any]:
    kind = request.META.get("CONTENT_TYPE", "").strip()
    if not JSON.fullmatch(kind) or "Content-Encoding" in request.headers:
        raise Problem("json_required")
    return parsed(collected(request))


def take_form(request: HttpRequest) -> None:
    """Has `Form` take what a page was sent. No address without a page takes a form.

    A name that comes twice is refused: two readers could take different ones (ASVS 15.3.7). So are
    broken encodings, for which Django puts U+FFFD.
    """
    if len(request.body) > MAX_BODY:
        raise Problem("body_too_large")
    fields = list(request.POST.lists())
    texts = [text for name, values in fields for text in (name, *values)]
    is_twice = any(len(values) != 1 for _, values in fields)
    if is_twice or any("\ufffd" in text for text in texts):
        raise Problem("invalid_fields")
    visit_of(request).posted = {name: values[0] for name, values in fields}


[% endif -%]
def collected(request: HttpRequest) -> bytes:
    try:
        data: bytes = request.read(MAX_BODY + 1)
    except OSError:
        raise Problem("malformed_request") from None
    if len(data) > MAX_BODY:
        raise Problem("body_too_large")
    return data


def parsed(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=unrepeated)
        # A lone surrogate is no text: it could not be stored, nor told from another.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise Problem("malformed_request") from None
    if not isinstance(value, dict):
        raise Problem("invalid_fields")
    return value


def unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError("a name comes twice")
    return dict(pairs)
