"""The keys of access tokens: one that signs, and those whose tokens count."""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_der_public_key,
)
from joserfc.jwk import ECKey

ALGORITHM = "ES256"

# The x of keys whose private part is printed in documents: RFC 7515 A.3, RFC 7517 A.2, RFC 7518 C,
# and RFC 6979 A.2.5.
SAMPLES = frozenset(
    {
        "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
        "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
        "YP7UuiVanTHJYet0xjVtaMBJuJI7Yfps5mliLmDyn7Y",
    }
)


class KeyRefusal(Exception):
    """Why a key is not taken."""


@dataclass(frozen=True)
class Keys:
    """By name. The first signs."""

    signing: ECKey
    verifying: dict[str, ECKey]

    @property
    def kid(self) -> str:
        return next(iter(self.verifying))

    def published(self) -> dict[str, Any]:
        """The public parts, for who checks tokens elsewhere (RFC 7517)."""
        keys = [
            key.as_dict(kid=kid, use="sig", alg=ALGORITHM)
            for kid, key in self.verifying.items()
        ]
        return {"keys": keys}


def signing(text: str, looks_random: Callable[[bytes], bool]) -> Keys:
    """Reads the key that signs: base64 of a P-256 key in PKCS#8."""
    key = private(decoded(text))
    if not looks_random(key.private_numbers().private_value.to_bytes(32)):
        raise KeyRefusal("does not look random")
    kid, public = named(key.public_key())
    return Keys(ECKey.import_key(key), {kid: public})


def accepting(keys: Keys, text: str) -> Keys:
    """With a key that signs no more, private or public, whose tokens still count."""
    der = decoded(text)
    try:
        loaded = load_der_public_key(der)
    except ValueError:
        loaded = private(der).public_key()
    if not isinstance(loaded, ec.EllipticCurvePublicKey) or not is_p256(loaded.curve):
        raise KeyRefusal("is not a key of P-256")
    kid, public = named(loaded)
    return Keys(keys.signing, keys.verifying | {kid: public})


def decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        raise KeyRefusal("is not base64") from None


def private(der: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_der_private_key(der, password=None)
    except (ValueError, TypeError):
        raise KeyRefusal("is not a private key in PKCS#8") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not is_p256(key.curve):
        raise KeyRefusal("is not a key of P-256")
    return key


def is_p256(curve: ec.EllipticCurve) -> bool:
    return isinstance(curve, ec.SECP256R1)


def named(key: ec.EllipticCurvePublicKey) -> tuple[str, ECKey]:
    """A public key under its thumbprint (RFC 7638)."""
    public = ECKey.import_key(key)
    if public["x"] in SAMPLES:
        raise KeyRefusal("is one that documents print")
    return public.thumbprint(), public


def fresh_key() -> str:
    """A new key, as the setting takes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return base64.b64encode(der).decode()
