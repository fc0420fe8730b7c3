"""Request bodies: JSON objects, small, of one declared type."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError

from .problem import Problem

# More than any form of this module needs; bounds memory before anything is parsed.
MAX_BODY = 64 * 1024
# A body that trickles in for longer is given up.
READ_SECONDS = 15
# A type that a cross-site form cannot send (ASVS 3.5.2).
JSON = re.compile(r'application/json\s*(;\s*charset="?utf-8"?)?', re.IGNORECASE)


class Form(BaseModel):
    """Fields of one type; others are not looked at (ASVS 15.3.3)."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


F = TypeVar("F", bound=Form)


def body(form: type[F]) -> Callable[[Request], Awaitable[F]]:
    """A dependency that reads the body. No error repeats what was sent (ASVS 15.3.1)."""

    async def read(request: Request) -> F:
        types = request.headers.getlist("content-type")
        if len(types) != 1 or not JSON.fullmatch(types[0].strip()):
            raise Problem("json_required")
        if "content-encoding" in request.headers:
            raise Problem("json_required")
        try:
            return form.model_validate(parsed(await collected(request)))
        except ValidationError:
            raise Problem("invalid_fields") from None

    return read


async def collected(request: Request) -> bytes:
    data = bytearray()
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for chunk in request.stream():
                data += chunk
                if len(data) > MAX_BODY:
                    raise Problem("body_too_large")
    except TimeoutError:
        raise Problem("malformed_request") from None
    return bytes(data)


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
