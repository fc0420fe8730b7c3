"""Settings: read once from the environment, checked before anything listens.

Production is the default. `AUTH_ENV=development` is refused away from this machine.
"""

import base64
import binascii
import ipaddress
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
[%- if module.password %]
from email.headerregistry import Address
from email.utils import parseaddr
[%- endif %]
from itertools import pairwise
from pathlib import Path
[%- if module.password %]
from urllib.parse import SplitResult, unquote, urlsplit
[%- endif %]
[%- if db == "postgres" %]

import psycopg
from psycopg.conninfo import conninfo_to_dict
[%- endif %]

[% if module.tokens -%]
from .bearer import keys
from .bearer.settings import token_keys, token_scopes
[% endif -%]
[% if module.oidc -%]
from .oidc import settings as providers
[% endif -%]
from .variables import SettingError, is_loopback, number, required

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

SECRET_FIX = 'Make one: echo "AUTH_SECRET=$(openssl rand -base64 32)"'
BASE_URL_FIX = "Set it to what browsers show: AUTH_BASE_URL=https://app.example.com"
DEVELOPMENT_FOLDER = Path(".auth-dev")


@dataclass(frozen=True)
class Policy:
    """Lifetimes in seconds, and limits."""

    session_idle: int
    session_absolute: int
    sessions: int
[%- if module.password %]
    password_min: int
[%- endif %]
    reauth: int
[%- if module.password %]
    verify_token: int
    reset_token: int
    email_token: int
    login_failures: int
    login_backoff: int
    login_cap: int
[%- endif %]
    login_source: int
[%- if module.password %]
    login_source_failures: int
    register_source: int
[%- endif %]
    token_source: int
[%- if module.password %]
    mail_source: int
    mail_address: int
    resend_every: int
[%- endif %]
[%- if module.tokens %]
    access_token: int
    refresh_idle: int
    refresh_absolute: int
    refresh_source: int
[%- endif %]


# Variable, default, lowest, highest. The first [% if module.password %]five[% else %]four[% endif %] are those of the profile `[= profile =]`.
NUMBERS: Mapping[str, tuple[str, int, int, int]] = {
[%- if profile == "strict" %]
    "session_idle": ("AUTH_SESSION_IDLE_SECONDS", 900, 1, 900),
    "session_absolute": ("AUTH_SESSION_ABSOLUTE_SECONDS", 43_200, 1, 43_200),
    "sessions": ("AUTH_SESSIONS_LIMIT", 5, 1, 5),
[%- if module.password %]
    "password_min": ("AUTH_PASSWORD_MIN_LIMIT", 15, 15, 64),
[%- endif %]
    "reauth": ("AUTH_REAUTH_SECONDS", 300, 1, 300),
[%- elif profile == "consumer" %]
    "session_idle": ("AUTH_SESSION_IDLE_SECONDS", 604_800, 1, 2_592_000),
    "session_absolute": ("AUTH_SESSION_ABSOLUTE_SECONDS", 2_592_000, 1, 2_592_000),
    "sessions": ("AUTH_SESSIONS_LIMIT", 20, 1, 100),
[%- if module.password %]
    "password_min": ("AUTH_PASSWORD_MIN_LIMIT", 12, 12, 64),
[%- endif %]
    "reauth": ("AUTH_REAUTH_SECONDS", 600, 1, 1_800),
[%- else %]
    "session_idle": ("AUTH_SESSION_IDLE_SECONDS", 3_600, 1, 2_592_000),
    "session_absolute": ("AUTH_SESSION_ABSOLUTE_SECONDS", 86_400, 1, 2_592_000),
    "sessions": ("AUTH_SESSIONS_LIMIT", 20, 1, 100),
[%- if module.password %]
    "password_min": ("AUTH_PASSWORD_MIN_LIMIT", 15, 15, 64),
[%- endif %]
    "reauth": ("AUTH_REAUTH_SECONDS", 600, 1, 1_800),
[%- endif %]
[%- if module.password %]
    "verify_token": ("AUTH_VERIFY_TOKEN_SECONDS", 86_400, 1, 86_400),
    "reset_token": ("AUTH_RESET_TOKEN_SECONDS", 1_800, 1, 86_400),
    "email_token": ("AUTH_EMAIL_TOKEN_SECONDS", 3_600, 1, 86_400),
    "login_failures": ("AUTH_LOGIN_FAILURE_LIMIT", 5, 1, 10),
    "login_backoff": ("AUTH_LOGIN_BACKOFF_SECONDS", 30, 1, 3_600),
    "login_cap": ("AUTH_LOGIN_CAP_LIMIT", 100, 1, 100),
[%- endif %]
    "login_source": ("AUTH_LOGIN_SOURCE_LIMIT", 30, 1, 300),
[%- if module.password %]
    "login_source_failures": ("AUTH_LOGIN_SOURCE_FAILURE_LIMIT", 10, 1, 100),
    "register_source": ("AUTH_REGISTER_SOURCE_LIMIT", 20, 1, 200),
[%- endif %]
    "token_source": ("AUTH_TOKEN_SOURCE_LIMIT", 20, 1, 200),
[%- if module.password %]
    "mail_source": ("AUTH_MAIL_SOURCE_LIMIT", 20, 1, 200),
    "mail_address": ("AUTH_MAIL_ADDRESS_LIMIT", 5, 1, 20),
    "resend_every": ("AUTH_RESEND_SECONDS", 180, 1, 86_400),
[%- endif %]
[%- if module.tokens %]
    "access_token": ("AUTH_TOKEN_ACCESS_SECONDS", 600, 1, 900),
[%- if profile == "strict" %]
    "refresh_idle": ("AUTH_TOKEN_REFRESH_IDLE_SECONDS", 86_400, 1, 86_400),
    "refresh_absolute": ("AUTH_TOKEN_REFRESH_ABSOLUTE_SECONDS", 86_400, 1, 86_400),
[%- else %]
    "refresh_idle": ("AUTH_TOKEN_REFRESH_IDLE_SECONDS", 604_800, 1, 2_592_000),
    "refresh_absolute": (
        "AUTH_TOKEN_REFRESH_ABSOLUTE_SECONDS",
        2_592_000,
        1,
        2_592_000,
    ),
[%- endif %]
    "refresh_source": ("AUTH_TOKEN_REFRESH_SOURCE_LIMIT", 60, 1, 600),
[%- endif %]
}


[% if module.password -%]
@dataclass(frozen=True)
class Smtp:
    """The server that mail goes to."""

    host: str
    port: int
    tls: bool
    starttls: bool
    user: str | None
    password: str | None


[% endif -%]
@dataclass(frozen=True)
class Settings:
    """Everything the module can be told."""

    development: bool
    secret: bytes
    base_url: str
    app_name: str
    database_url: str
[%- if module.password %]
    mail_from: Address
    smtp: Smtp | None
[%- endif %]
    trusted_proxies: tuple[Network, ...]
    policy: Policy
[%- if module.oidc %]
    oidc: providers.Settings
[%- endif %]
[%- if module.tokens %]
    token_keys: keys.Keys
    # What access tokens name as their audience.
    token_audience: str
    # Names with spaces between.
    token_scopes: str
[%- endif %]

    @property
    def session_cookie(self) -> str:
        return "auth-dev-session" if self.development else "__Host-auth-session"
[%- if module.password %]

    @property
    def browser_cookie(self) -> str:
        return "auth-dev-browser" if self.development else "__Host-auth-browser"
[%- endif %]
[%- if module.oidc %]

    @property
    def transaction_cookie(self) -> str:
        return "auth-dev-oidc" if self.development else "__Host-auth-oidc"
[%- endif %]


def from_environment(environment: Mapping[str, str] | None = None) -> Settings:
    """Reads the process environment; in development also `.env`, which it creates if need be."""
    given = os.environ if environment is None else environment
    values = {name: value.strip() for name, value in given.items() if value.strip()}
    development = is_development(values)
    if development:
        values = development_values(values) | values
    base_url = origin(required(values, "AUTH_BASE_URL", BASE_URL_FIX), development)
    return Settings(
        development=development,
        secret=secret(required(values, "AUTH_SECRET", SECRET_FIX)),
        base_url=base_url,
        app_name=values.get("AUTH_APP_NAME", "app"),
        database_url=database_url(required(values, "DATABASE_URL", DATABASE_FIX)),
[%- if module.password %]
        mail_from=mail_from(required(values, "AUTH_MAIL_FROM", MAIL_FROM_FIX)),
        smtp=None if development else smtp(required(values, "SMTP_URL", SMTP_FIX)),
[%- endif %]
        trusted_proxies=tuple(trusted_proxies(values.get("AUTH_TRUSTED_PROXIES", ""))),
        policy=Policy(
            **{name: number(values, *limits) for name, limits in NUMBERS.items()}
        ),
[%- if module.oidc %]
        oidc=providers.read(values, development),
[%- endif %]
[%- if module.tokens %]
        token_keys=token_keys(values, looks_random),
        token_audience=values.get("AUTH_TOKEN_AUDIENCE", base_url),
        token_scopes=token_scopes(values.get("AUTH_TOKEN_SCOPES", "read write")),
[%- endif %]
    )


def is_development(values: Mapping[str, str]) -> bool:
    given = values.get("AUTH_ENV", "production")
    if given not in ("production", "development"):
        raise SettingError(
            "AUTH_ENV",
            "is neither production nor development",
            "Unset it for production.",
        )
    return given == "development"


def listener(values: Mapping[str, str]) -> tuple[str, int]:
    """Where to listen, by `ADDR`."""
    host, _, port = values.get("ADDR", "127.0.0.1:8000").rpartition(":")
    host = host.strip("[]")
    try:
        address, number_of = ipaddress.ip_address(host), int(port)
    except ValueError:
        raise SettingError("ADDR", "is not an address and a port") from None
    if is_development(values) and not address.is_loopback:
        raise SettingError("AUTH_ENV", "is development, which is for this machine only")
    return host, number_of


def development_values(values: Mapping[str, str]) -> dict[str, str]:
    """Made at the first start, in a file that only its owner reads and git ignores."""
    _, port = listener(values)
    DEVELOPMENT_FOLDER.mkdir(mode=0o700, exist_ok=True)
    file = Path(".env")
    kept = read_env(file)
    if "AUTH_SECRET" not in values and "AUTH_SECRET" not in kept:
        kept["AUTH_SECRET"] = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        append_privately(file, f"AUTH_SECRET={kept['AUTH_SECRET']}\n")
[%- if module.tokens %]
    if "AUTH_TOKEN_KEY" not in values and "AUTH_TOKEN_KEY" not in kept:
        kept["AUTH_TOKEN_KEY"] = keys.fresh_key()
        append_privately(file, f"AUTH_TOKEN_KEY={kept['AUTH_TOKEN_KEY']}\n")
[%- endif %]
    made = {
        "AUTH_BASE_URL": f"http://localhost:{port}",
[%- if db == "sqlite" %]
        "DATABASE_URL": "sqlite:///.auth-dev/auth.db",
[%- endif %]
[%- if module.password %]
        "AUTH_MAIL_FROM": "app <app@localhost.localdomain>",
[%- endif %]
    }
    return made | kept


def read_env(file: Path) -> dict[str, str]:
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    pairs = [
        line.split("=", 1) for line in lines if "=" in line and not line.startswith("#")
    ]
    return {name.strip(): value.strip() for name, value in pairs if value.strip()}


def append_privately(file: Path, line: str) -> None:
    before = file.read_bytes() if file.exists() else b""
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as out:
        os.fchmod(out.fileno(), 0o600)
        out.write(("" if not before or before.endswith(b"\n") else "\n") + line)


def secret(text: str) -> bytes:
    """At least 32 bytes that look random (ASVS 11.2.3): text, repetition and counting have few
    different values and steps."""
    data = decoded(text)
    if data is None or len(data) < 32:
        raise SettingError(
            "AUTH_SECRET", "is not at least 32 bytes in hex or base64", SECRET_FIX
        )
    if not looks_random(data):
        raise SettingError("AUTH_SECRET", "does not look random", SECRET_FIX)
    return data


def looks_random(data: bytes) -> bool:
    steps = {(b - a) % 256 for a, b in pairwise(data)}
    is_text = all(32 <= byte < 127 for byte in data)
    return len(set(data)) >= 18 and len(steps) >= 18 and not is_text


def decoded(text: str) -> bytes | None:
    if re.fullmatch(r"([0-9a-fA-F]{2})+", text):
        return bytes.fromhex(text)
    text = text.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return None


def origin(text: str, development: bool) -> str:
    """Links in mails and the check of `Origin` use this and never a request's `Host`."""
    text = text.removesuffix("/")
    match = re.fullmatch(
        r"(https?)://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[1-9][0-9]{0,4})?", text
    )
    if not match or match[3] == (":443" if match[1] == "https" else ":80"):
        raise SettingError(
            "AUTH_BASE_URL", "is not an origin as browsers write it", BASE_URL_FIX
        )
    if development and not is_loopback(match[2]):
        raise SettingError(
            "AUTH_BASE_URL", "does not name this machine, as development requires"
        )
    if not development and match[1] != "https":
        raise SettingError(
            "AUTH_BASE_URL", "does not start with https://", BASE_URL_FIX
        )
    return text


[% if db == "postgres" -%]
DATABASE_FIX = (
    "Set it to DATABASE_URL=postgres://USER:PASSWORD@HOST/NAME?sslmode=verify-full"
)


def database_url(text: str) -> str:
    """TLS, or a server on this machine (ASVS 12.3.1). Read by the library that will connect."""
    if not text.startswith(("postgres://", "postgresql://")):
        raise SettingError(
            "DATABASE_URL", "does not start with postgres://", DATABASE_FIX
        )
    try:
        said = conninfo_to_dict(text)
    except psycopg.ProgrammingError:
        raise SettingError("DATABASE_URL", "is not a URL", DATABASE_FIX) from None
    hosts = [
        host
        for name in ("host", "hostaddr")
        for host in str(said.get(name) or "").split(",")
        if host
    ]
    # Else variables or files of the library would say where it is.
    if not hosts or "service" in said:
        raise SettingError("DATABASE_URL", "does not name a server", DATABASE_FIX)
    is_local = all(host.startswith("/") or is_loopback(host) for host in hosts)
    # `require` would take any certificate.
    if not is_local and said.get("sslmode") not in ("verify-ca", "verify-full"):
        why = "would send accounts without TLS to a server that was verified"
        raise SettingError("DATABASE_URL", why, DATABASE_FIX)
    return text
[%- else -%]
DATABASE_FIX = "Set it to a file: DATABASE_URL=sqlite:////var/lib/app/auth.db"


def database_url(text: str) -> str:
    """As SQLAlchemy has it, with the driver that the module uses."""
    url = re.fullmatch(r"sqlite(?:\+aiosqlite)?:///([^?#]+)", text)
    if not url or ":memory:" in text or url[1].startswith("file:"):
        raise SettingError("DATABASE_URL", "does not name a SQLite file", DATABASE_FIX)
    return f"sqlite+aiosqlite:///{url[1]}"
[%- endif %]


[% if module.password -%]
MAIL_FROM_FIX = (
    'Set it to a name and an address: AUTH_MAIL_FROM="App <app@example.com>"'
)


def mail_from(text: str) -> Address:
    name, address = parseaddr(text)
    if not re.fullmatch(r"[^@\s<>,]+@[^@\s<>,]+\.[^@\s<>,]+", address) or "\n" in text:
        raise SettingError("AUTH_MAIL_FROM", "is not an address", MAIL_FROM_FIX)
    return Address(name, addr_spec=address)


SMTP_FIX = "Set it to SMTP_URL=smtps://USER:PASSWORD@HOST"


def smtp(text: str) -> Smtp:
    """TLS, or a relay on this machine (ASVS 12.3.1)."""
    try:
        url: SplitResult = urlsplit(text)
        host, port = url.hostname, url.port
    except ValueError:
        raise SettingError("SMTP_URL", "is not a URL", SMTP_FIX) from None
    if (
        url.scheme not in ("smtp", "smtps")
        or not host
        or url.query not in ("", "tls=required")
    ):
        raise SettingError("SMTP_URL", "is not of the form smtps://HOST:PORT", SMTP_FIX)
    starttls = url.query == "tls=required"
    if url.scheme == "smtp" and not starttls and not is_loopback(host):
        raise SettingError("SMTP_URL", "has no TLS and is not this machine", SMTP_FIX)
    return Smtp(
        host=host,
        port=port or (465 if url.scheme == "smtps" else 587 if starttls else 25),
        tls=url.scheme == "smtps",
        starttls=starttls,
        user=unquote(url.username) if url.username else None,
        password=unquote(url.password) if url.password else None,
    )


[% endif -%]
def trusted_proxies(text: str) -> list[Network]:
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            network = ipaddress.ip_network(part)
        except ValueError:
            raise SettingError(
                "AUTH_TRUSTED_PROXIES", "is not a list of addresses or networks"
            ) from None
        if network.prefixlen == 0:
            raise SettingError("AUTH_TRUSTED_PROXIES", "trusts every address")
        found.append(network)
    return found
