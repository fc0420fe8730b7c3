"""What is known about the request at hand: who asks from where, and with which cookies."""

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import tokens
from .problem import Problem
from .settings import Network
from .variables import is_loopback

if TYPE_CHECKING:
    from .wiring import Auth

# Longer user agents are cut in the session list and the audit trail.
MAX_AGENT = 256

[% if module.tokens -%]
JWKS = "/.well-known/jwks.json"

[% endif -%]
# ASVS 3.4.1 (HSTS), 3.4.3 (CSP), 3.4.4 (nosniff), 3.4.5 (Referrer-Policy), 3.4.6 (framing), 3.4.8
# (COOP), 14.3.2 (no-store).
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
}


@dataclass
class Visit:
    """One request."""

    auth: "Auth"
    method: str
    headers: Headers
    ip: str
    agent: str
    request_id: str
    session: str | None
[%- if module.password %]
    browser: str | None
[%- endif %]
[%- if module.oidc %]
    # Marks the browser that began a sign-in at a provider.
    transaction: str | None
[%- endif %]
    # Cookies that the answer sets.
    cookies: list[str] = field(default_factory=list)
    # The answer is for one user: it stays out of caches (ASVS 14.3.2).
    private: bool = False
    clear_site_data: bool = False

    def keep(self, name: str, value: str, seconds: int) -> None:
        """Sets a cookie (ASVS 3.3)."""
        secure = "" if self.auth.settings.development else " Secure;"
        self.cookies.append(
            f"{name}={value}; Path=/; Max-Age={seconds}; HttpOnly;{secure} SameSite=Lax"
        )

    @property
    def carries_cookie(self) -> bool:
[%- if module.oidc and module.password %]
        cookies = (self.session, self.browser, self.transaction)
        return any(cookie is not None for cookie in cookies)
[%- elif module.oidc %]
        return self.session is not None or self.transaction is not None
[%- else %]
        return self.session is not None or self.browser is not None
[%- endif %]


def visit_of(connection: HTTPConnection) -> Visit:
    visit = connection.scope.get("auth.visit")
    if not isinstance(visit, Visit):
        raise Problem("unavailable")
    return visit


class Enter:
    """Middleware of the whole application: makes the visit known to dependencies, adds what it
    gathered to the answer, and protects every answer below `/auth`."""

    def __init__(self, app: ASGIApp, auth: "Auth") -> None:
        self.app = app
        self.auth = auth

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self.auth.is_started:
            await self.app(scope, receive, send)
            return
        visit = self.visit(scope)
        scope["auth.visit"] = visit
        is_own = scope["path"].startswith("/auth/")[% if module.tokens %] or scope["path"] == JWKS[% endif %]

        async def finish(message: Message) -> None:
            if message["type"] == "http.response.start":
                adorn(MutableHeaders(scope=message), visit, is_own)
            await send(message)

        if self.auth.settings.development and not is_local(scope):
            await Problem("unavailable").response()(scope, receive, finish)
            return
        await self.app(scope, receive, finish)

    def visit(self, scope: Scope) -> Visit:
        headers, settings = Headers(scope=scope), self.auth.settings
        peer = scope["client"][0] if scope.get("client") else "127.0.0.1"
        agent = headers.get("user-agent", "")[:MAX_AGENT]
        return Visit(
            auth=self.auth,
            method=scope["method"],
            headers=headers,
            ip=client_ip(
                peer, headers.getlist("x-forwarded-for"), settings.trusted_proxies
            ),
            # Printable ASCII only, so it cannot forge a log line (ASVS 16.4.1).
            agent="".join(c for c in agent if " " <= c <= "~"),
            request_id=tokens.random(12),
            session=cookie(headers, settings.session_cookie),
[%- if module.password %]
            browser=cookie(headers, settings.browser_cookie),
[%- endif %]
[%- if module.oidc %]
            transaction=cookie(headers, settings.transaction_cookie),
[%- endif %]
        )


def adorn(headers: MutableHeaders, visit: Visit, is_own: bool) -> None:
    for value in visit.cookies:
        headers.append("Set-Cookie", value)
    if visit.clear_site_data:
        headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    if is_own:
        headers.update(HEADERS)
        headers["X-Request-Id"] = visit.request_id
    elif visit.private:
        headers["Cache-Control"] = "no-store"


def is_local(scope: Scope) -> bool:
    """Whether the server listens on this machine alone; a test client has a name."""
    server = scope.get("server")
    return server is None or server[0] == "testserver" or is_loopback(server[0])


def cookie(headers: Headers, name: str) -> str | None:
    """The cookie of exactly that name; two of them are as good as none."""
    pairs = [
        part.partition("=")
        for line in headers.getlist("cookie")
        for part in line.split(";")
    ]
    values = [value for found, _, value in pairs if found.removeprefix(" ") == name]
    return values[0] if len(values) == 1 and values[0] else None


def client_ip(peer: str, forwarded: list[str], proxies: tuple[Network, ...]) -> str:
    """The socket's peer, unless that is a configured proxy: then the nearest address that is not
    one of ours, from the right, where our proxies append (ASVS 15.3.4)."""
    address = parse_ip(peer)
    # A peer without an address is a socket with a path.
    if address is None:
        return "127.0.0.1"
    if not any(address in network for network in proxies):
        return str(address)
    for text in reversed([part for line in forwarded for part in line.split(",")]):
        claimed = parse_ip(text)
        if claimed is None:
            break
        if not any(claimed in network for network in proxies):
            return str(claimed)
    return str(address)


def parse_ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
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
