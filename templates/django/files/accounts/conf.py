"""Settings: read once from the environment, checked before anything listens, and what they make of
Django's.

Production is the default. `AUTH_ENV=development` is refused away from this machine.
"""

import base64
import binascii
import hmac
import ipaddress
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import django

from . import database
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
# What `startproject` writes into a project, for everybody to read.
INSECURE = "django-insecure-"
# Where Django's settings hold what was configured.
NAME = "ACCOUNTS"


@dataclass(frozen=True)
class Policy:
    """Lifetimes in seconds, and limits."""

    session_idle: int
    session_absolute: int
    sessions: int
    password_min: int
    reauth: int
    verify_token: int
    reset_token: int
    email_token: int
    login_failures: int
    login_backoff: int
    login_cap: int
    login_source: int
    login_source_failures: int
    register_source: int
    token_source: int
    mail_source: int
    csrf_source: int
    mail_address: int
    resend_every: int
    body: int
[%- if module.tokens %]
    access_token: int
    refresh_idle: int
    refresh_absolute: int
    refresh_source: int
[%- endif %]


# Variable, default, lowest, highest. The first five are those of the profile `[= profile =]`.
NUMBERS: Mapping[str, tuple[str, int, int, int]] = {
[%- if profile == "strict" %]
    "session_idle": ("AUTH_SESSION_IDLE_SECONDS", 900, 1, 900),
    "session_absolute": ("AUTH_SESSION_ABSOLUTE_SECONDS", 43_200, 1, 43_200),
    "sessions": ("AUTH_SESSIONS_LIMIT", 5, 1, 5),
    "password_min": ("AUTH_PASSWORD_MIN_LIMIT", 15, 15, 64),
    "reauth": ("AUTH_REAUTH_SECONDS", 300, 1, 300),
[%- elif profile == "consumer" %]
    "session_idle": ("AUTH_SESSION_IDLE_SECONDS", 604_800, 1, 2_592_000),
    "session_absolute": ("AUTH_SESSION_ABSOLUTE_SECONDS", 2_592_000, 1, 2_592_000),
    "sessions": ("AUTH_SESSIONS_LIMIT", 20, 1, 100),
    "password_min": ("AUTH_PASSWORD_MIN_LIMIT", 12, 12, 64),
    "reauth": ("AUTH_REAUTH_SECONDS", 600, 1, 1_800),
[%- else %]
    "session_idle": ("AUTH_SESSION_IDLE_SECONDS", 3_600, 1, 2_592_000),
    "session_absolute": ("AUTH_SESSION_ABSOLUTE_SECONDS", 86_400, 1, 2_592_000),
    "sessions": ("AUTH_SESSIONS_LIMIT", 20, 1, 100),
    "password_min": ("AUTH_PASSWORD_MIN_LIMIT", 15, 15, 64),
    "reauth": ("AUTH_REAUTH_SECONDS", 600, 1, 1_800),
[%- endif %]
    "verify_token": ("AUTH_VERIFY_TOKEN_SECONDS", 86_400, 1, 86_400),
    "reset_token": ("AUTH_RESET_TOKEN_SECONDS", 1_800, 1, 86_400),
    "email_token": ("AUTH_EMAIL_TOKEN_SECONDS", 3_600, 1, 86_400),
    "login_failures": ("AUTH_LOGIN_FAILURE_LIMIT", 5, 1, 10),
    "login_backoff": ("AUTH_LOGIN_BACKOFF_SECONDS", 30, 1, 3_600),
    "login_cap": ("AUTH_LOGIN_CAP_LIMIT", 100, 1, 100),
    "login_source": ("AUTH_LOGIN_SOURCE_LIMIT", 30, 1, 300),
    "login_source_failures": ("AUTH_LOGIN_SOURCE_FAILURE_LIMIT", 10, 1, 100),
    "register_source": ("AUTH_REGISTER_SOURCE_LIMIT", 20, 1, 200),
    "token_source": ("AUTH_TOKEN_SOURCE_LIMIT", 20, 1, 200),
    "mail_source": ("AUTH_MAIL_SOURCE_LIMIT", 20, 1, 200),
    "csrf_source": ("AUTH_CSRF_SOURCE_LIMIT", 300, 1, 3_000),
    "mail_address": ("AUTH_MAIL_ADDRESS_LIMIT", 5, 1, 20),
    "resend_every": ("AUTH_RESEND_SECONDS", 180, 1, 86_400),
    # Bytes.
    "body": ("AUTH_BODY_LIMIT", 10_485_760, 65_536, 536_870_912),
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


@dataclass(frozen=True)
class Smtp:
    """The server that mail goes to."""

    host: str
    port: int
    tls: bool
    starttls: bool
    user: str | None
    password: str | None


@dataclass(frozen=True)
class Conf:
    """Everything the module can be told: `ACCOUNTS` of Django's settings."""

    development: bool
    secret: bytes
    # What was signed with one of them still counts.
    old_secrets: tuple[bytes, ...]
    base_url: str
    app_name: str
    database: [% if db == "postgres" %]dict[str, Any][% else %]str | None[% endif %]
    mail_from: tuple[str, str]
    smtp: Smtp | None
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

    def __repr__(self) -> str:
        """Without secrets: Django shows settings on its pages about errors."""
        return f"Conf({self.base_url!r})"

    @property
    def session_cookie(self) -> str:
        return "auth-dev-session" if self.development else "__Host-auth-session"

    @property
    def browser_cookie(self) -> str:
        return "auth-dev-browser" if self.development else "__Host-auth-browser"
[%- if module.oidc %]

    @property
    def transaction_cookie(self) -> str:
        """Marks the browser that began a sign-in at a provider."""
        return "auth-dev-oidc" if self.development else "__Host-auth-oidc"
[%- endif %]

    @property
    def cookies(self) -> tuple[str, ...]:
        """All that the module sets."""
        return (
            self.session_cookie,
            self.browser_cookie,
[%- if module.oidc %]
            self.transaction_cookie,
[%- endif %]
        )


def current() -> Conf:
    from django.conf import settings

    configured: Conf = getattr(settings, NAME)
    return configured


def configure(settings: dict[str, Any]) -> None:
    """Called at the end of the project's settings, with `globals()`."""
    configured = from_environment(given())
    own = settings.get("AUTH_USER_MODEL", "accounts.User")
    if own != "accounts.User":
        raise SettingError("AUTH_USER_MODEL", "names another model of accounts")
    settings[NAME] = configured
    settings["DEBUG"] = configured.development
    if settings.get("SECRET_KEY", INSECURE).startswith(INSECURE):
        settings["SECRET_KEY"] = derived(configured.secret)
        settings["SECRET_KEY_FALLBACKS"] = [
            derived(old) for old in configured.old_secrets
        ]
    if not settings.get("ALLOWED_HOSTS"):
        settings["ALLOWED_HOSTS"] = hosts(configured)
    trusted = settings.get("CSRF_TRUSTED_ORIGINS", [])
    settings["CSRF_TRUSTED_ORIGINS"] = [*trusted, configured.base_url]
    settings["INSTALLED_APPS"] = [*settings["INSTALLED_APPS"], "accounts"]
    first = "accounts.middleware.AccountsMiddleware"
    settings["MIDDLEWARE"] = [first, *settings["MIDDLEWARE"]]
[%- if db == "postgres" %]
    databases: dict[str, Any] = settings.setdefault("DATABASES", {})
    database.configure(databases.setdefault("default", {}), configured.database)
[%- else %]
    database.configure(settings["DATABASES"]["default"], configured.database)
[%- endif %]
    configure_mail(settings, configured)
[%- if db == "postgres" %]
    settings.setdefault("TEST_RUNNER", "accounts.tests.runner.Runner")
[%- endif %]
    settings |= protections(configured)
[%- if ui == "pages" %]
    configure_pages(settings)


def configure_pages(settings: dict[str, Any]) -> None:
    """The project's own where it has some: Django leads there, too, as by `login_required`."""
    settings.setdefault("LOGIN_URL", "/auth/login")
    settings.setdefault("LOGIN_REDIRECT_URL", "/auth/account")
    if not settings.get("TEMPLATES"):
        backend = "django.template.backends.django.DjangoTemplates"
        settings["TEMPLATES"] = [{"BACKEND": backend, "APP_DIRS": True}]
[%- endif %]


def protections(configured: Conf) -> dict[str, Any]:
    """Settings of Django that protections rest on: no file may set them anew."""
    return {
        "AUTH_USER_MODEL": "accounts.User",
        "AUTHENTICATION_BACKENDS": ["accounts.backends.AccountBackend"],
        "AUTH_PASSWORD_VALIDATORS": [{"NAME": "accounts.passwords.Policy"}],
        "PASSWORD_HASHERS": ["accounts.passwords.Argon2Hasher"],
        "SESSION_ENGINE": "accounts.sessions",
        "SESSION_SERIALIZER": "django.contrib.sessions.serializers.JSONSerializer",
        "SESSION_COOKIE_NAME": configured.session_cookie,
        "SESSION_COOKIE_AGE": configured.policy.session_absolute,
        "SESSION_COOKIE_SECURE": not configured.development,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_DOMAIN": None,
        "SESSION_COOKIE_PATH": "/",
        "SESSION_EXPIRE_AT_BROWSER_CLOSE": False,
        # Bound to the session, and no cookie of its own.
        "CSRF_USE_SESSIONS": True,
        "CSRF_FAILURE_VIEW": "accounts.csrf.failed",
        "SECURE_CONTENT_TYPE_NOSNIFF": True,
        "USE_X_FORWARDED_HOST": False,
    }


# An option of a mailer, and the setting that it was before Django 6.1.
MAIL_OPTIONS = {
    "file_path": "EMAIL_FILE_PATH",
    "host": "EMAIL_HOST",
    "port": "EMAIL_PORT",
    "use_ssl": "EMAIL_USE_SSL",
    "use_tls": "EMAIL_USE_TLS",
    "username": "EMAIL_HOST_USER",
    "password": "EMAIL_HOST_PASSWORD",
    "timeout": "EMAIL_TIMEOUT",
}


def configure_mail(settings: dict[str, Any], configured: Conf) -> None:
    backend, options = mailer(configured)
    for name in ("EMAIL_BACKEND", *MAIL_OPTIONS.values()):
        settings.pop(name, None)
    if django.VERSION >= (6, 1):
        made = {"BACKEND": backend, "OPTIONS": options}
        settings["MAILERS"] = {**settings.get("MAILERS", {}), "default": made}
        return
    settings["EMAIL_BACKEND"] = backend
    settings |= {MAIL_OPTIONS[name]: value for name, value in options.items()}


def mailer(configured: Conf) -> tuple[str, dict[str, Any]]:
    server = configured.smtp
    if server is None:
        folder = str(DEVELOPMENT_FOLDER / "mail")
        return "django.core.mail.backends.filebased.EmailBackend", {"file_path": folder}
    options = {
        "host": server.host,
        "port": server.port,
        "use_ssl": server.tls,
        "use_tls": server.starttls,
        "username": server.user or "",
        "password": server.password or "",
        "timeout": 20,
    }
    return "django.core.mail.backends.smtp.EmailBackend", options


def hosts(configured: Conf) -> list[str]:
    host = urlsplit(configured.base_url).hostname or ""
    local = ["localhost", "127.0.0.1", "[::1]"] if configured.development else []
    return [f"[{host}]" if ":" in host else host, *local]


def derived(secret: bytes) -> str:
    """Django's key, where the project has none of its own."""
    return hmac.digest(secret, b"django secret key v1", "sha256").hex()


def from_environment(values: Mapping[str, str]) -> Conf:
    development = is_development(values)
    base_url = origin(required(values, "AUTH_BASE_URL", BASE_URL_FIX), development)
    return Conf(
        development=development,
        secret=secret("AUTH_SECRET", required(values, "AUTH_SECRET", SECRET_FIX)),
        old_secrets=old_secrets(values.get("AUTH_OLD_SECRETS", "")),
        base_url=base_url,
        app_name=values.get("AUTH_APP_NAME", "app"),
[%- if db == "postgres" %]
        database=database.from_environment(values),
[%- else %]
        database=database.from_url(values.get("DATABASE_URL")),
[%- endif %]
        mail_from=mail_from(required(values, "AUTH_MAIL_FROM", MAIL_FROM_FIX)),
        smtp=None if development else smtp(required(values, "SMTP_URL", SMTP_FIX)),
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


def given() -> dict[str, str]:
    """The process environment; in development also `.env`, which it creates if need be."""
    named = os.environ.items()
    values = {name: value.strip() for name, value in named if value.strip()}
    return development_values(values) | values if is_development(values) else values


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
        "AUTH_MAIL_FROM": "app <app@localhost.localdomain>",
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


def secret(name: str, text: str) -> bytes:
    """At least 32 bytes that look random (ASVS 11.2.3): text, repetition and counting have few
    different values and steps."""
    data = decoded(text)
    if data is None or len(data) < 32:
        raise SettingError(
            name, "is not at least 32 bytes in hex or base64", SECRET_FIX
        )
    if not looks_random(data):
        raise SettingError(name, "does not look random", SECRET_FIX)
    return data


def old_secrets(text: str) -> tuple[bytes, ...]:
    named = filter(None, (part.strip() for part in text.split(",")))
    return tuple(secret("AUTH_OLD_SECRETS", part) for part in named)


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


MAIL_FROM_FIX = (
    'Set it to a name and an address: AUTH_MAIL_FROM="App <app@example.com>"'
)


def mail_from(text: str) -> tuple[str, str]:
    name, address = parseaddr(text)
    if not re.fullmatch(r"[^@\s<>,]+@[^@\s<>,]+\.[^@\s<>,]+", address) or "\n" in text:
        raise SettingError("AUTH_MAIL_FROM", "is not an address", MAIL_FROM_FIX)
    return name, address


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
