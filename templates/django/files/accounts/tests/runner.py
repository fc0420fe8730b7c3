"""Tests on a PostgreSQL server of their own: the test runner of a project that has none."""

import secrets
from contextlib import ExitStack
from typing import Any

from django.db import connections
from django.test.runner import DiscoverRunner

from accounts import database

from .postgres import server


class Runner(DiscoverRunner):
    """As Django's, with a server that ends with the tests, or that of `AUTH_TEST_DATABASE_URL`.
    What `DATABASE_URL` names is left alone."""

    def setup_databases(self, **kwargs: Any) -> Any:
        with ExitStack() as opened:
            if "default" in kwargs.get("aliases", connections):
                settings = connections["default"].settings_dict
                settings |= database.from_url(opened.enter_context(server()))
                settings["TEST"]["NAME"] = f"auth_test_{secrets.token_hex(8)}"
            made = super().setup_databases(**kwargs)
            self._server = opened.pop_all()
        return made

    def teardown_databases(self, old_config: Any, **kwargs: Any) -> None:
        with self._server:
            super().teardown_databases(old_config, **kwargs)
