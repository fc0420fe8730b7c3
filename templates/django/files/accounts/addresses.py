"""One canonical form of an e-mail address, used wherever an address is stored or looked up.

Lower-case ASCII, trimmed, one unquoted local part and a dotted domain (IDNs as A-labels).
Everything else is refused rather than folded, so two spellings are either equal or different
accounts (ASVS 1.1.1, CVE-2019-19844).
"""

import re

from django.core.exceptions import ValidationError

from .problem import Problem

ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
ADDRESS = re.compile(rf"{ATOM}(\.{ATOM})*@{LABEL}(\.{LABEL})+")


def validate(text: str) -> None:
    """For Django's own forms and commands."""
    try:
        canonical(text)
    except Problem as problem:
        raise ValidationError(problem.title, code=problem.code) from None


def canonical(text: str) -> str:
    address = text.strip(" ")
    if address.isascii():
        address = address.lower()
    local = address.partition("@")[0]
    if len(address) > 254 or len(local) > 64 or not ADDRESS.fullmatch(address):
        raise Problem("email_invalid")
    return address
