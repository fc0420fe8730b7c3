"""Programs that are signed in for a user. Tests begin from tokens that work, and change one thing."""

import base64
import json
from typing import Any

from django.test import Client
from joserfc import jws, jwt

from .site import PASSWORD, SiteTestCase

Part = dict[str, Any]


class Program:
    """Has no cookies, and is no browser."""

    def __init__(self, ip: str = "192.0.2.7") -> None:
        self.ip = ip

    def send(
        self, method: str, address: str, fields: Any = None, **headers: str | None
    ) -> Any:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent |= {"Host": "app.test", "X-Forwarded-For": self.ip}
        return Client(enforce_csrf_checks=True).generic(
            method,
            address,
            "" if fields is None else json.dumps(fields),
            "application/json",
            headers={name: value for name, value in sent.items() if value is not None},
            REMOTE_ADDR="10.0.0.1",
        )

    def get(self, address: str, **headers: str | None) -> Any:
        return self.send("GET", address, **headers)

    def post(self, address: str, fields: Any = None, **headers: str | None) -> Any:
        return self.send("POST", address, fields, **headers)

    def delete(self, address: str, **headers: str | None) -> Any:
        return self.send("DELETE", address, **headers)


class ProgramTestCase(SiteTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.program = Program()

    def ask(self, **more: str) -> Any:
        fields = {"grant": "password", "email": "ada@example.org", "password": PASSWORD}
        return self.program.post("/auth/token", fields | more)

    def issued(self, **more: str) -> Part:
        answer = self.ask(**more)
        self.assertEqual(answer.status_code, 200, answer.content)
        return dict(answer.json())

    def call(self, token: str, address: str = "/api") -> Any:
        """What takes a token with the scope `read`, and changes something, so that a token against
        forged requests would be asked for."""
        method = "POST" if address == "/api" else "GET"
        return self.program.send(method, address, Authorization=f"Bearer {token}")

    def refresh(self, token: str, **more: str) -> Any:
        fields = {"refresh_token": token} | more
        return self.program.post("/auth/token/refresh", fields)

    def opens(self, token: str) -> bool:
        """Whether an access token counts."""
        answer = self.call(token)
        if answer.status_code == 200:
            return True
        self.assertRefused(answer, 401, "token_invalid")
        self.assertIn("invalid_token", answer["WWW-Authenticate"])
        return False

    def forged(
        self, token: str, header: Part | None = None, claims: Part | None = None
    ) -> str:
        """The token with changes, signed by the application's own key. `None` takes a part out."""
        parts = [
            {name: value for name, value in (part | changes).items() if value != GONE}
            for part, changes in zip(read(token), (header or {}, claims or {}))
        ]
        text = ".".join(encoded(json.dumps(part).encode()) for part in parts)
        # By hand: the library would not write some of these.
        key = self.configured.token_keys.signing
        signature = jws.JWSRegistry.algorithms["ES256"].sign(text.encode(), key)
        return f"{text}.{encoded(signature)}"

    def signed(self, token: str, key: Any, **header: str) -> str:
        """The token as somebody else would sign it."""
        head, claims = read(token)
        algorithm = header.get("alg", "ES256")
        return jwt.encode(head | header, claims, key, [algorithm])


# Of a part that is taken out.
GONE = object()


def read(token: str) -> list[Part]:
    """Header and claims."""
    return [
        json.loads(base64.urlsafe_b64decode(part + "==="))
        for part in token.split(".")[:2]
    ]


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
