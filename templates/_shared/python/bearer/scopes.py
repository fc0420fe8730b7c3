"""What tokens may do: names, granted by a setting and asked for by routes."""

import re

from ..problem import Problem

# RFC 6749 3.3.
NAME = r"[\x21\x23-\x5b\x5d-\x7e]+"
NAMES = re.compile(f"{NAME}( {NAME})*")


def narrowed(all_of: str, asked: str | None) -> str:
    """`asked`, if it is among all. An unknown name is refused and not left out: who asks for it
    would get less than they think."""
    names = all_of.split(" ")
    if asked is None:
        return all_of
    wanted = asked.split(" ")
    if not set(wanted) <= set(names):
        raise Problem("invalid_scope")
    return " ".join(name for name in names if name in wanted)
