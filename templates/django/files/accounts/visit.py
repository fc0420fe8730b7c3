"""What is known about the request at hand: who asks, from where, with which browser."""

import ipaddress
from dataclasses import dataclass[% if ui == "pages" %], field[% endif %]
from datetime import datetime
[%- if module.tokens %]
from typing import TYPE_CHECKING
[%- endif %]

from django.http import HttpRequest

from . import conf
from .randomness import random

[% if module.tokens -%]
if TYPE_CHECKING:
    from .bearer.guards import ApiUser

# Where clients look for public keys, by convention.
JWKS = "/.well-known/jwks.json"
[% endif -%]
# Longer user agents are cut in the session list and the audit trail.
MAX_AGENT = 256
KEY = "accounts.visit"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass
class Visit:
    """One request."""

    ip: str
    agent: str
    request_id: str
    # Of a sign-in that goes on from an earlier one.
    auth_time: datetime | None = None
    ends: datetime | None = None
[%- if module.oidc %]
    # How somebody signs in.
    amr: str = "pwd"
[%- endif %]
[%- if module.tokens %]
    # Of the access token that came, where one is required.
    api_user: "ApiUser | None" = None
[%- endif %]
[%- if ui == "pages" %]
    # What a page took from its form, for the function that answers the API.
    posted: dict[str, str] | None = field(default=None, repr=False)
[%- endif %]


def visit_of(request: HttpRequest) -> Visit:
    """Made once a request; also for one that no middleware has seen, as in tests of a project."""
    visit = request.META.get(KEY)
    if isinstance(visit, Visit):
        return visit
    agent = request.headers.get("User-Agent", "")[:MAX_AGENT]
    made = Visit(
        ip=client_ip(
            request.META.get("REMOTE_ADDR", ""),
            request.headers.get("X-Forwarded-For", ""),
            conf.current().trusted_proxies,
        ),
        # Printable ASCII only, so it cannot forge a log line (ASVS 16.4.1).
        agent="".join(c for c in agent if " " <= c <= "~"),
        request_id=random(12),
    )
    request.META[KEY] = made
    return made


def is_own(request: HttpRequest) -> bool:
    """Whether the module answers, and none of the project's views."""
[%- if module.tokens %]
    return request.path_info.startswith("/auth/") or request.path_info == JWKS
[%- else %]
    return request.path_info.startswith("/auth/")
[%- endif %]


def client_ip(peer: str, forwarded: str, proxies: tuple[conf.Network, ...]) -> str:
    """The socket's peer, unless that is a configured proxy: then the nearest address that is not
    one of ours, from the right, where our proxies append (ASVS 15.3.4)."""
    address = parse_ip(peer)
    # A peer without an address is a socket with a path.
    if address is None:
        return "127.0.0.1"
    if not any(address in network for network in proxies):
        return str(address)
    for text in reversed(forwarded.split(",")):
        claimed = parse_ip(text)
        if claimed is None:
            break
        if not any(claimed in network for network in proxies):
            return str(claimed)
    return str(address)


def parse_ip(text: str) -> Address | None:
    """An address, perhaps with a port, brackets or a zone."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
