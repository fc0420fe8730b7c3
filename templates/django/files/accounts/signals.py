"""What happens at every sign-in, whichever form it came by: the module's, the admin's, or a view of
the project that calls `django.contrib.auth.login`. And whenever an account is saved."""

from collections.abc import Collection
from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.db import transaction
from django.db.models.signals import pre_save

from . import store
from .models import User


def connect() -> None:
    user_logged_in.connect(store.began, dispatch_uid="accounts.began")
    pre_save.connect(saving, User, dispatch_uid="accounts.saving")


@transaction.atomic
def saving(
    sender: Any, instance: User, update_fields: Collection[str] | None, **_: Any
) -> None:
    """Whoever is locked out, or let in again, or gets another password, begins anew: no session and
    no link of before opens the account. What was not changed in memory stays as others have left it
    since it was read, and the epoch never goes down."""
    written = {*User.KEPT, "epoch"}
    if update_fields is not None:
        written &= set(update_fields)
    held = store.hold(instance.pk) if written else None
    if held is None:
        return
    for name in written.intersection(instance.as_read):
        if getattr(instance, name) == instance.as_read[name]:
            setattr(instance, name, getattr(held, name))
    renewing = written & {"is_active", "password"}
    if any(getattr(instance, name) != getattr(held, name) for name in renewing):
        held.epoch += 1
        User.objects.filter(pk=held.pk).update(epoch=held.epoch)
    instance.epoch = held.epoch
