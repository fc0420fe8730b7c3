"""Lies of providers, by the control that is about them."""

import hmac
from collections.abc import Callable

from joserfc.jwk import ECKey

from ..oidc.underway import now
from .provider import CLIENT, Draft, bare, encoded, new_key


def set_claim(name: str, value: object) -> Callable[[Draft], object]:
    return lambda draft: draft.claims.update({name: value})


def set_header(name: str, value: object) -> Callable[[Draft], object]:
    return lambda draft: draft.header.update({name: value})


def without(name: str) -> Callable[[Draft], object]:
    return lambda draft: draft.claims.pop(name)


LIES: dict[str, list[Callable[[Draft], object]]] = {
    "OIC-08": [
        set_claim("nonce", "another"),
        set_claim("nonce", ""),
        set_claim("nonce", 7),
        lambda draft: draft.claims.update(nonce=[draft.claims["nonce"]]),
        without("nonce"),
    ],
    "OIC-11": [
        set_claim("iss", "https://evil.test"),
        set_claim("iss", "https://id.test/"),
        set_claim("iss", "https://ID.test"),
        set_claim("iss", "https://id.test.evil.test"),
        set_claim("iss", ["https://id.test"]),
        set_claim("iss", None),
        without("iss"),
    ],
    "OIC-12": [
        set_claim("aud", "another"),
        set_claim("aud", CLIENT + "s"),
        set_claim("aud", []),
        set_claim("aud", [CLIENT, "evil"]),
        set_claim("aud", 7),
        set_claim("aud", None),
        without("aud"),
        set_claim("azp", "evil"),
    ],
    "OIC-13": [
        lambda draft: draft.claims.update(exp=now() - 90),
        set_claim("exp", str(now() + 300)),
        set_claim("exp", 1e20),
        set_claim("exp", -1),
        without("exp"),
        lambda draft: draft.claims.update(iat=now() - 604_800),
        lambda draft: draft.claims.update(iat=now() + 120),
        without("iat"),
        lambda draft: draft.claims.update(nbf=now() + 120),
        set_claim("auth_time", "now"),
    ],
    "OIC-14": [
        set_claim("sub", ""),
        set_claim("sub", None),
        set_claim("sub", 7),
        set_claim("sub", ["s-ada"]),
        set_claim("sub", "s" * 256),
        set_claim("sub", "s\0"),
        without("sub"),
    ],
    "at_hash": [set_claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA")],
}


def altered(draft: Draft) -> str:
    """Signed, then made about somebody else."""
    head, _, signature = draft.finish().split(".")
    return f"{head}.{encoded(draft.claims | {'sub': 'victim'})}.{signature}"


def cut(draft: Draft) -> str:
    return draft.finish().rpartition(".")[0] + "."


def by_another(draft: Draft) -> str:
    return Draft(draft.header, draft.claims, new_key("one")).finish()


def zeros(draft: Draft) -> str:
    return cut(draft) + bare(bytes(64))


def unsigned(draft: Draft) -> str:
    header = encoded(draft.header | {"alg": "none"})
    return f"{header}.{encoded(draft.claims)}."


def by_secret(key: str) -> Callable[[Draft], str]:
    def finish(draft: Draft) -> str:
        header = draft.header | {"alg": "HS256"}
        message = f"{encoded(header)}.{encoded(draft.claims)}"
        tag = hmac.digest(key.encode(), message.encode(), "sha256")
        return f"{message}.{bare(tag)}"

    return finish


def brings_key(draft: Draft) -> str:
    own = ECKey.generate_key("P-256")
    header = draft.header | {"jwk": own.as_dict(private=False)}
    return Draft(header, draft.claims, own).finish()


def names_address(draft: Draft) -> str:
    own = new_key("one")
    header = draft.header | {"jku": "https://elsewhere.test/keys"}
    return Draft(header, draft.claims, own).finish()
