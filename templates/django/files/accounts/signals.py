"""What happens at every sign-in, whichever form it came by: the module's, the admin's, or a view of
the project that calls `django.contrib.auth.login`. And whenever an account is saved."""

from collections.abc import Collection
from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.db.models import F
from django.db.models.signals import pre_save

from . import store
from .models import User


def connect() -> None:
    user_logged_in.connect(store.began, dispatch_uid="accounts.began")
    pre_save.connect(saving, User, dispatch_uid="accounts.saving")


def saving(
    sender: Any, instance: User, update_fields: Collection[str] | None, **_: Any
) -> None:
    """Whoever is locked out, or let in again, begins anew: no session and no link of before opens
    the account."""
    if update_fields is not None and "is_active" not in update_fields:
        return
    same = User.objects.filter(pk=instance.pk)
    if same.exclude(is_active=instance.is_active).update(epoch=F("epoch") + 1):
        instance.epoch = same.values_list("epoch", flat=True).get()
