"""Settings of providers, checked before anything listens."""

import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from ..variables import SettingError, is_loopback, number, required
from .presets import PRESETS, Preset

ISSUER_FIX = (
    "Set it to the `issuer` that the provider's .well-known/openid-configuration has, to the"
    " letter."
)
CLIENT_FIX = (
    "The provider shows it where the client was made; DEPLOYMENT.md says where that is."
)
CA_FIX = "Set it to a file of certificates in PEM, or unset it."


@dataclass(frozen=True)
class Provider:
    """A provider and this application's client there."""

    preset: Preset
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    # How old a sign-in at the provider may be at most, in seconds.
    max_age: int | None = None
    # What strength of authentication it must be.
    acr: str | None = None


@dataclass(frozen=True)
class Settings:
    """Everything that is told about providers. Times are in seconds."""

    # Those that can be used, by what paths call them.
    providers: Mapping[str, Provider]
    # Certificates of authorities to trust beside the usual ones, in PEM.
    authorities: str | None
    # How long one call to a provider may take.
    timeout: int
    # How long somebody has to come back from a provider.
    transaction: int
    # How long a provider's description and keys are kept.
    keys: int
    # How often an unknown key makes the module ask for the keys again.
    cooldown: int
    development: bool


def read(values: Mapping[str, str], development: bool) -> Settings:
    found = [provider(preset, values, development) for preset in PRESETS]
    return Settings(
        providers={one.preset.id: one for one in found if one is not None},
        authorities=authorities(values),
        timeout=number(values, "AUTH_OIDC_TIMEOUT_SECONDS", 5, 1, 5),
        transaction=number(values, "AUTH_OIDC_TRANSACTION_SECONDS", 600, 1, 600),
        keys=number(values, "AUTH_OIDC_JWKS_SECONDS", 3_600, 1, 3_600),
        cooldown=number(values, "AUTH_OIDC_JWKS_COOLDOWN_SECONDS", 30, 1, 300),
        development=development,
    )


def provider(
    preset: Preset, values: Mapping[str, str], development: bool
) -> Provider | None:
    """In development, a provider of which nothing is set is left out."""
    names = [preset.variable(what) for what in ("ISSUER", "CLIENT_ID", "CLIENT_SECRET")]
    if development and not any(name in values for name in names):
        why = f"{names[1]} is not set"
        print(f"auth: sign-in with {preset.name} is off: {why}", file=sys.stderr)
        return None
    max_age = preset.variable("MAX_AGE_SECONDS")
[%- if 'github' in providers %]
    # Only an ID token can say either.
    is_open_id = preset.endpoints is None
    has_age = is_open_id and max_age in values
    acr = values.get(preset.variable("ACR")) if is_open_id else None
[%- else %]
    has_age = max_age in values
    acr = values.get(preset.variable("ACR"))
[%- endif %]
    return Provider(
        preset=preset,
        issuer=issuer(preset, values, development),
        client_id=required(values, names[1], CLIENT_FIX),
        client_secret=required(values, names[2], CLIENT_FIX),
        max_age=number(values, max_age, 0, 1, 2_592_000) if has_age else None,
        acr=acr,
    )


def issuer(preset: Preset, values: Mapping[str, str], development: bool) -> str:
[%- if 'github' in providers %]
    if preset.endpoints is not None and preset.issuer is not None:
        return preset.issuer
[%- endif %]
    name = preset.variable("ISSUER")
    default = {} if preset.issuer is None else {name: preset.issuer}
    text = required(default | dict(values), name, ISSUER_FIX)
    if any(part in text for part in preset.shared_issuers):
        why = "stands for more than one organisation; it needs the id of one tenant"
        raise SettingError(name, why, ISSUER_FIX)
    if any(mark in text for mark in "?#@") or not text.isascii():
        why = "is not the address of an issuer: it has more than host and path"
        raise SettingError(name, why, ISSUER_FIX)
    if not is_safe(text, development):
        raise SettingError(name, "does not start with https://", ISSUER_FIX)
    return text


def is_safe(address: str, development: bool) -> bool:
    """TLS; in development, this machine will do (ASVS 12.3.1)."""
    try:
        url = urlsplit(address)
        host, _ = url.hostname, url.port
    except ValueError:
        return False
    if not host or not address.isprintable() or " " in address:
        return False
    is_local = development and url.scheme == "http" and is_loopback(host)
    return url.scheme == "https" or is_local


def authorities(values: Mapping[str, str]) -> str | None:
    name = "AUTH_OIDC_CA_FILE"
    if name not in values:
        return None
    try:
        text = Path(values[name]).read_text("ascii")
        ssl.create_default_context().load_verify_locations(cadata=text)
    except OSError as error:
        # Of the library of TLS as well.
        is_read = isinstance(error, ssl.SSLError)
        why = "holds no certificate in PEM" if is_read else "cannot be read"
        raise SettingError(name, why, CA_FIX) from None
    except ValueError:
        raise SettingError(name, "holds no certificate in PEM", CA_FIX) from None
    return text
