"""How Django asks for a password: in the admin, and in views of the project that call
`django.contrib.auth.authenticate`. The same limits hold there."""

from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from . import sign_in
from .models import User
from .problem import Problem


class AccountBackend(ModelBackend):
    """Accounts of this module, with Django's permissions."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **fields: Any,
    ) -> User | None:
        email = username or fields.get(User.USERNAME_FIELD)
        # Without a request, nobody could be counted.
        if request is None or email is None or password is None:
            return None
        try:
            return sign_in.admitted(request, email, password)
        except Problem:
            raise PermissionDenied from None

    async def aauthenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **fields: Any,
    ) -> User | None:
        """The same for views that are asynchronous: Django's own would ask without any limit."""
        ask = sync_to_async(self.authenticate)
        return await ask(request, username, password, **fields)

    def user_can_authenticate(self, user: Any) -> bool:
        return (
            isinstance(user, User) and user.is_active and user.verified_at is not None
        )
