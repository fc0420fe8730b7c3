"""Request bodies: JSON objects, small, with fields of text."""

import json
import re
from typing import Any

from django.http import HttpRequest

from .problem import Problem

# More than any form of this module needs; bounds memory before anything is parsed.
MAX_BODY = 64 * 1024
# A type that a cross-site form cannot send (ASVS 3.5.2).
JSON = re.compile(r'application/json\s*(;\s*charset="?utf-8"?)?', re.IGNORECASE)


class Form:
    """Fields of text; others are not looked at (ASVS 15.3.3). No error repeats what was sent."""

    def __init__(self, request: HttpRequest) -> None:
        kind = request.META.get("CONTENT_TYPE", "").strip()
        if not JSON.fullmatch(kind) or "Content-Encoding" in request.headers:
            raise Problem("json_required")
        self._fields = parsed(collected(request))

    def text(self, name: str) -> str:
        value = self.maybe(name)
        if value is None:
            raise Problem("invalid_fields")
        return value

    def maybe(self, name: str) -> str | None:
        value = self._fields.get(name)
        if value is not None and not isinstance(value, str):
            raise Problem("invalid_fields")
        return value


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
