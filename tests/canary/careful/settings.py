"""All that is read from the environment, once, at the start. What is missing or out of bounds ends the start."""

import base64
import binascii
import ipaddress
import os
import re
import secrets
from pathlib import Path
from urllib.parse import urlsplit

# Default, least, most.
NUMBERS = {
    "ID_IDLE_SECONDS": (3_600, 1, 2_592_000),
    "ID_LIFE_SECONDS": (86_400, 1, 2_592_000),
    "ID_VISITS": (20, 1, 100),
    "ID_FRESH_SECONDS": (600, 1, 1_800),
    "ID_PROVE_SECONDS": (86_400, 1, 86_400),
    "ID_RENEW_SECONDS": (1_800, 1, 86_400),
    "ID_MOVE_SECONDS": (3_600, 1, 86_400),
    "ID_PHRASE_LENGTH": (15, 15, 64),
    "ID_MISSES": (5, 1, 10),
    "ID_WAIT_SECONDS": (30, 1, 3_600),
    "ID_MISSES_AT_MOST": (100, 1, 100),
    "ID_SOURCE_ENTRIES": (30, 1, 300),
    "ID_SOURCE_MISSES": (10, 1, 100),
    "ID_SOURCE_JOINS": (20, 1, 200),
    "ID_SOURCE_SLIPS": (20, 1, 200),
    "ID_SOURCE_MAILS": (20, 1, 200),
    "ID_ADDRESS_MAILS": (5, 1, 20),
    "ID_AGAIN_SECONDS": (180, 1, 86_400),
}


class Wrong(Exception):
    """A setting that keeps the application from starting. Names it, never its value."""

    def __init__(self, name, why):
        super().__init__(f"{name} {why}")


class Settings:
    def __init__(self, environment):
        values = {name: value.strip() for name, value in environment.items() if value.strip()}
        self.development = mode(values)
        self.host, self.port = listener(values, self.development)
        if self.development:
            values = development_values(values, self.port) | values
        self.key = key(required(values, "ID_KEY"))
        self.origin = origin(required(values, "ID_ORIGIN"), self.development)
        self.name = values.get("ID_NAME", "canary")
        self.database = database(required(values, "ID_DATABASE"))
        self.sender = sender(required(values, "ID_SENDER"))
        self.smtp = None if self.development else smtp(required(values, "ID_SMTP"))
        self.breaches = service(values.get("ID_BREACHES"))
        self.proxies = proxies(values.get("ID_PROXIES", ""))
        for name in NUMBERS:
            setattr(self, name.removeprefix("ID_").lower(), number(values, name))
        prefix = "dev-" if self.development else "__Host-"
        self.session_cookie, self.visitor_cookie = prefix + "visit", prefix + "door"


def required(values, name):
    if name not in values:
        raise Wrong(name, "is not set")
    return values[name]


def mode(values):
    given = values.get("ID_MODE", "production")
    if given not in ("production", "development"):
        raise Wrong("ID_MODE", "is neither production nor development")
    return given == "development"


def listener(values, development):
    host, _, port = required(values, "ID_LISTEN").rpartition(":")
    try:
        address = ipaddress.ip_address(host)
        port = int(port)
    except ValueError:
        raise Wrong("ID_LISTEN", "is not an address and a port") from None
    if development and not address.is_loopback:
        raise Wrong("ID_MODE", "is development, which is for this machine only; ID_LISTEN is another address")
    return host, port


def development_values(values, port):
    """Made at the first start in development, and kept in a file that only its owner reads and git ignores."""
    file, folder = Path(".env"), Path("dev")
    folder.mkdir(mode=0o700, exist_ok=True)
    if "ID_KEY" not in values and not file.exists():
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as made:
            made.write(f"ID_KEY={secrets.token_hex(32)}\n")
    lines = file.read_text().splitlines() if file.exists() else []
    return dict(line.split("=", 1) for line in lines if "=" in line) | {
        "ID_ORIGIN": f"http://localhost:{port}",
        "ID_DATABASE": str(folder / "canary.db"),
        "ID_SENDER": "Canary <canary@localhost.localdomain>",
    }


def key(text):
    """At least 32 random bytes. Text, repetition and counting are told by their few values and steps."""
    data = decoded(text)
    if data is None or len(data) < 32:
        raise Wrong("ID_KEY", "is not at least 32 bytes in hex or base64")
    steps = {(b - a) % 256 for a, b in zip(data, data[1:], strict=False)}
    if len(set(data)) < 18 or len(steps) < 18 or all(32 <= byte < 127 for byte in data):
        raise Wrong("ID_KEY", "does not look random")
    return data


def decoded(text):
    if re.fullmatch(r"([0-9a-fA-F]{2})+", text):
        return bytes.fromhex(text)
    text = text.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return None


def origin(text, development):
    """What browsers show. Links and the check of Origin use it, never a request's Host."""
    match = re.fullmatch(r"(https?)://([a-z0-9.-]+)(:\d+)?", text)
    if not match:
        raise Wrong("ID_ORIGIN", "is not an origin: scheme and host in lower case, no path")
    scheme, host, port = match.groups()
    if port in (":443", ":80"):
        raise Wrong("ID_ORIGIN", "names the default port")
    if development and host not in ("localhost", "127.0.0.1"):
        raise Wrong("ID_ORIGIN", "is not this machine, as development requires")
    if not development and scheme != "https":
        raise Wrong("ID_ORIGIN", "does not start with https://")
    return text


def database(text):
    if ":memory:" in text or "mode=memory" in text or text.startswith("file:"):
        raise Wrong("ID_DATABASE", "is not a file: accounts would be lost at the end")
    return text


def sender(text):
    if not re.fullmatch(r"[^<>\r\n]*<[^@<>\s,]+@[^@<>\s,]+>", text):
        raise Wrong("ID_SENDER", "is not of the form: Name <address>")
    return text


def smtp(text):
    """TLS, or a relay on this machine."""
    url = urlsplit(text)
    try:
        host, port = url.hostname, url.port
    except ValueError:
        host, port = None, None
    if url.scheme not in ("smtp", "smtps") or not host:
        raise Wrong("ID_SMTP", "is not of the form smtp://HOST:PORT or smtps://HOST:PORT")
    starttls = url.query == "tls=required"
    if url.scheme == "smtp" and not starttls and host not in ("127.0.0.1", "localhost", "::1"):
        raise Wrong("ID_SMTP", "has no TLS and is not this machine")
    return url.scheme == "smtps", starttls, host, port or (465 if url.scheme == "smtps" else 25), url


def service(text):
    """Where breached passwords are asked for; nowhere if it is not set."""
    if text and urlsplit(text).scheme not in ("http", "https"):
        raise Wrong("ID_BREACHES", "is not a URL such as https://api.pwnedpasswords.com")
    return text


def proxies(text):
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            network = ipaddress.ip_network(part)
        except ValueError:
            raise Wrong("ID_PROXIES", "is not a list of addresses or networks") from None
        if network.prefixlen == 0:
            raise Wrong("ID_PROXIES", "trusts everybody")
        found.append(network)
    return found


def number(values, name):
    default, least, most = NUMBERS[name]
    text = values.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
        raise Wrong(name, f"is not a whole number from {least} to {most}")
    return int(text)
