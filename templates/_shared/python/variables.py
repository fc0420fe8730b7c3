"""What a setting is read by."""

import ipaddress
import re
from collections.abc import Mapping
[%- if pack.id == "django" %]

from django.core.exceptions import ImproperlyConfigured
[%- endif %]


class SettingError([% if pack.id == "django" %]ImproperlyConfigured[% else %]Exception[% endif %]):
    """A setting that keeps the module from starting: which, why, and what to do."""

    def __init__(self, name: str, why: str, fix: str = "") -> None:
        super().__init__(f"{name} {why}" + (f"\n  {fix}" if fix else ""))


def required(values: Mapping[str, str], name: str, fix: str) -> str:
    if name not in values:
        raise SettingError(name, "is not set", fix)
    return values[name]


def number(
    values: Mapping[str, str], name: str, default: int, low: int, high: int
) -> int:
    text = values.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
        raise SettingError(name, f"is not a whole number from {low} to {high}")
    return int(text)


def is_loopback(host: str) -> bool:
    host = host.strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
