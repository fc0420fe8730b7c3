"""What happens at every sign-in, whichever form it came by: the module's, the admin's, or a view of
the project that calls `django.contrib.auth.login`."""

from django.contrib.auth.signals import user_logged_in

from . import store


def connect() -> None:
    user_logged_in.connect(store.began, dispatch_uid="accounts.began")
