"""HTTP: one request a connection, read within limits, answered in JSON with the same headers always."""

import hashlib
import hmac
import ipaddress
import json
import re
import secrets
import socket
import socketserver
import sqlite3
import time
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

HEAD_LIMIT = 32 << 10
BODY_LIMIT = 64 << 10
READ_SECONDS = 15
LINGER_SECONDS = 2
SAFE = ("GET", "HEAD", "OPTIONS")
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Problem(Exception):
    """A refusal: status and stable reason. Never repeats what was sent."""

    def __init__(self, status, reason, **headers):
        super().__init__(reason)
        self.status, self.reason, self.headers = status, reason, headers


def throttled(seconds):
    return Problem(429, "slow_down", **{"Retry-After": str(max(1, seconds))})


class Request:
    """What came, and whom it comes from."""

    def __init__(self, head, peer, settings):
        self.id = secrets.token_urlsafe(12)
        line, *lines = head.decode("latin-1").split("\r\n")
        match = re.fullmatch(r"([A-Z]{1,16}) (/[!-~]*) HTTP/1\.[01]", line)
        self.headers = [header_of(line) for line in lines]
        if not match or len(self.all("host")) != 1:
            raise Problem(400, "malformed")
        self.method, target = match.groups()
        # By hand: `//host/path` is a path here, never a host.
        self.path, _, self.query = target.partition("?")
        self.body = b""
        self.ip = client_ip(ipaddress.ip_address(peer), self.all("x-forwarded-for"), settings.proxies)
        agent = (self.all("user-agent") or [""])[0]
        self.agent = "".join(c for c in agent[:256] if " " <= c <= "~")

    def all(self, name):
        return [value for other, value in self.headers if other == name]

    def one(self, name):
        """The header's value; `None` where there is none, or more than one."""
        values = self.all(name)
        return values[0] if len(values) == 1 else None

    def cookie(self, name):
        """The cookie of exactly that name; two of them are as good as none."""
        pairs = [pair.partition("=") for line in self.all("cookie") for pair in line.split("; ")]
        values = [value for other, _, value in pairs if other == name]
        return values[0] if len(values) == 1 and values[0] else None

    def slip(self):
        """The token in the query of a mailed link."""
        return (parse_qs(self.query).get("t") or [""])[0]


def header_of(line):
    name, colon, value = line.partition(":")
    if not colon or not TOKEN.fullmatch(name) or any(c < " " and c != "\t" or c == "\x7f" for c in value):
        raise Problem(400, "malformed")
    return name.lower(), value.strip(" \t")


def client_ip(peer, forwarded, proxies):
    """The peer, unless it is a configured proxy: then the nearest address that is none of ours, from the right."""
    peer = canonical(peer)
    if not any(peer in network for network in proxies):
        return peer
    for text in reversed([part for line in forwarded for part in line.split(",")]):
        address = parsed(text.strip())
        if address is None:
            return peer
        if not any(address in network for network in proxies):
            return address
    return peer


def parsed(text):
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return canonical(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        return None


def canonical(address):
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def fields_of(request, names):
    """The named fields of a JSON object, all of them strings. Other fields are not looked at."""
    kind = request.one("content-type") or ""
    if not re.fullmatch(r"(?i)application/json\s*(;\s*charset=\"?utf-8\"?)?", kind) or request.all("content-encoding"):
        raise Problem(415, "json_only")
    try:
        body = json.loads(request.body.decode("utf-8"), object_pairs_hook=unrepeated)
    except (ValueError, RecursionError):
        raise Problem(400, "malformed") from None
    if not isinstance(body, dict) or not all(isinstance(body.get(name), str) for name in names):
        raise Problem(422, "fields")
    values = [body[name] for name in names]
    # A lone surrogate is no text: it could not be stored, nor told from another.
    if any("\ud800" <= c <= "\udfff" for value in values for c in value):
        raise Problem(422, "fields")
    return values


def unrepeated(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError("a name comes twice")
    return dict(pairs)


class Csrf:
    """A token bound to the session's cookie, or to one that marks the browser as long as there is none. It is a keyed
    hash of that: nobody else can make one, and it needs no database."""

    def __init__(self, settings):
        self.settings = settings
        self.key = hmac.digest(settings.key, b"canary csrf v1", "sha256")

    def token(self, kind, value):
        return hmac.new(self.key, f"{kind}:{value}".encode(), hashlib.sha256).hexdigest()

    def refusal(self, visit):
        """Why an unsafe request does not count as one of this site's own pages; `None` if it does."""
        request = visit.request
        claims = [request.all(name) for name in ("origin", "sec-fetch-site", "referer")]
        if any(len(claim) > 1 for claim in claims):
            return "repeated_header"
        origin, site, referer = [claim[0] if claim else None for claim in claims]
        if origin is None and site is None:
            return "origin_unknown"
        if origin not in (None, self.settings.origin) or site not in (None, "same-origin"):
            return "foreign_origin"
        if referer is not None and not (referer + "/").startswith(self.settings.origin + "/"):
            return "foreign_referer"
        given, wanted = request.one("x-door"), self.expected(visit)
        if not given or not wanted or not hmac.compare_digest(given.encode(), wanted.encode()):
            return "token"
        return None

    def expected(self, visit):
        if visit.session:
            return self.token("visit", visit.session)
        visitor = visit.request.cookie(self.settings.visitor_cookie)
        return self.token("visitor", visitor) if visitor else None


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, settings, dispatch, log):
        self.settings, self.dispatch, self.log = settings, dispatch, log
        if ":" in settings.host:
            self.address_family = socket.AF_INET6
        super().__init__((settings.host, settings.port), Connection)

    def handle_error(self, request, client_address):
        """A client that went away is not worth a line; what breaks in a handler was logged there."""


class Connection(socketserver.BaseRequestHandler):
    def handle(self):
        self.deadline = time.monotonic() + READ_SECONDS
        request = None
        try:
            head, rest = self.read_head()
            request = Request(head, self.client_address[0], self.server.settings)
            request.body = self.read_body(request, rest)
            status, body, headers = self.server.dispatch(request)
        except Problem as problem:
            status, body, headers = refused(problem, request)
        except sqlite3.Error as error:
            status, body, headers = self.failed(request, error, Problem(503, "unavailable"))
        except OSError:
            return
        except Exception as error:
            status, body, headers = self.failed(request, error, Problem(500, "failed"))
        self.answer(request, status, body, headers)

    def failed(self, request, error, problem):
        # The kind alone: an error's text may hold what was sent.
        self.server.log("fault", outcome="failure", reason=type(error).__name__, request=request.id if request else "")
        return refused(problem, request)

    def receive(self):
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise Problem(408, "too_slow")
        self.request.settimeout(left)
        try:
            return self.request.recv(64 << 10)
        except TimeoutError:
            raise Problem(408, "too_slow") from None

    def read_head(self):
        data = b""
        while b"\r\n\r\n" not in data:
            if len(data) > HEAD_LIMIT:
                raise Problem(431, "head_too_large")
            more = self.receive()
            if not more:
                raise ConnectionError
            data += more
        head, _, rest = data.partition(b"\r\n\r\n")
        return head, rest

    def read_body(self, request, data):
        lengths = request.all("content-length") or ["0"]
        if request.all("transfer-encoding") or len(lengths) > 1 or not re.fullmatch("[0-9]{1,12}", lengths[0]):
            raise Problem(400, "malformed")
        length = int(lengths[0])
        if length > BODY_LIMIT:
            raise Problem(413, "too_large")
        while len(data) < length:
            more = self.receive()
            if not more:
                raise ConnectionError
            data += more
        return data[:length]

    def answer(self, request, status, body, headers):
        text = json.dumps(body).encode() if body is not None else b""
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *headers]
        lines += standing_headers(request, self.server.settings)
        if status != 204:
            lines += ["Content-Type: application/json", f"Content-Length: {len(text)}"]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        only_head = request is not None and getattr(request, "method", "") == "HEAD"
        try:
            self.request.settimeout(READ_SECONDS)
            self.request.sendall(head + (b"" if only_head else text))
            self.linger()
        except OSError:
            pass

    def linger(self):
        """Takes what still comes, so that closing does not cut off the answer to a body that was refused."""
        self.request.shutdown(socket.SHUT_WR)
        self.deadline = time.monotonic() + LINGER_SECONDS
        try:
            while self.receive():
                pass
        except Problem:
            pass


def standing_headers(request, settings):
    secure = [] if settings.development else ["Strict-Transport-Security: max-age=31536000; includeSubDomains"]
    return secure + [
        "Connection: close",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "X-Frame-Options: DENY",
        "Referrer-Policy: no-referrer",
        "Cross-Origin-Opener-Policy: same-origin",
        "Content-Security-Policy: default-src 'none'; base-uri 'none'; object-src 'none'; form-action 'none'; "
        "frame-ancestors 'none'",
        f"X-Request-Id: {request.id if request else secrets.token_urlsafe(12)}",
    ]


def refused(problem, request):
    body = {"refusal": {"reason": problem.reason, "request": request.id if request else None}}
    return problem.status, body, [f"{name}: {value}" for name, value in problem.headers.items()]


def set_cookie(name, value, settings, seconds):
    secure = "" if settings.development else "; Secure"
    return f"Set-Cookie: {name}={value}; Path=/; Max-Age={seconds}{secure}; HttpOnly; SameSite=Lax"


def host_of(origin):
    return urlsplit(origin).hostname or ""
