"""The application and two providers. Tests begin from a sign-in that works, and change one thing."""

from dataclasses import replace
from typing import Any
from unittest.mock import patch

import httpx2

from accounts.models import Identity
from accounts.oidc.presets import Preset
from accounts.oidc.settings import Provider as Client

from .provider import CLIENT, SECRET, Provider
from .site import Browser, SiteTestCase

TRANSACTION = "__Host-auth-oidc"


def changed(path: str, **values: str | None) -> str:
    """The path with other parameters. `None` takes one out."""
    url = httpx2.URL(path)
    for name, value in values.items():
        url = (
            url.copy_remove_param(name)
            if value is None
            else url.copy_set_param(name, value)
        )
    return str(url)


class WorldTestCase(SiteTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.provider = Provider("https://id.test")
        self.other = Provider("https://other.test/")
        self.elsewhere = Provider("https://elsewhere.test")
        hosts = {
            httpx2.URL(one.issuer).host: one
            for one in (self.provider, self.other, self.elsewhere)
        }

        async def handle(
            _transport: httpx2.AsyncHTTPTransport, request: httpx2.Request
        ) -> httpx2.Response:
            return await hosts[request.url.host].handle(request)

        calls = patch.object(httpx2.AsyncHTTPTransport, "handle_async_request", handle)
        calls.start()
        self.addCleanup(calls.stop)
        self.restart()

    def restart(self, preset: Preset | None = None, **settings: Any) -> None:
        """With nothing known of the providers. What is given is changed."""
        known = preset or Preset(id="test", name="Test")
        more = {key: settings.pop(key) for key in ("max_age", "acr") if key in settings}
        theirs = Preset(id="other", name="Other")
        providers = {
            "test": Client(known, self.provider.issuer, CLIENT, SECRET, **more),
            "other": Client(theirs, self.other.issuer, CLIENT, SECRET),
        }
        oidc = replace(self.configured.oidc, providers=providers, **settings)
        self.configured = replace(self.configured, oidc=oidc)
        self.use(ACCOUNTS=self.configured)

    def begin(
        self, browser: Browser, provider: str = "test", what: str = "start"
    ) -> str:
        """Where a sign-in leads."""
        answer = browser.post(f"/auth/oidc/{provider}/{what}", {})
        self.assertEqual(answer.status_code, 200, answer.content)
        return str(answer.json()["location"])

    def returning(self, browser: Browser, what: str = "start") -> str:
        """A browser that has been to the provider: the path that it comes back on."""
        return self.provider.consents(self.begin(browser, what=what))

    def comes_back(self, browser: Browser, path: str) -> Any:
        """From another site, as browsers say."""
        return browser.get(path, Origin=None, Sec_Fetch_Site="cross-site")

    def sign_in(self, browser: Browser) -> Any:
        return self.comes_back(browser, self.returning(browser))

    def federated(self, sub: str = "s-ada", email: str = "ada@example.org") -> Browser:
        self.provider.is_(sub, email)
        browser = self.browser()
        self.assertEqual(self.sign_in(browser).status_code, 303)
        return browser

    def refuses_unasked(self, browser: Browser, path: str) -> None:
        """Without a session, and without a token request."""
        before = self.asked()
        self.assertRefused(self.comes_back(browser, path), 400, "oidc_refused")
        self.assertEqual(self.asked(), before, path)
        self.assertIsNone(self.me(browser), path)

    def asked(self) -> int:
        return self.provider.count("/token") + self.other.count("/token")

    def me(self, browser: Browser) -> Any:
        answer = browser.get("/auth/me")
        return answer.json() if answer.status_code == 200 else None

    def linked(self, browser: Browser) -> list[str]:
        found = browser.get("/auth/identities").json()["identities"]
        return [identity["provider"] for identity in found]

    def identities(self) -> list[Identity]:
        return list(Identity.objects.all())
