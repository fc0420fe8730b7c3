"""Changing a password, and replacing one that was forgotten."""

from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce
from django.http import HttpRequest, JsonResponse
from django.utils import timezone

from . import (
    addresses,
    audit,
    conf,
    limits,
    mail,
    passwords,
    sign_in,
    store,
    throttle,
    tokens,
)
from .endpoint import accepted
from .guards import session_of, signed_in, user_of
from .inputs import Form
from .models import User
from .problem import Problem
from .registration import usable
from .tokens import Purpose
from .visit import visit_of

CHANGED = "The password of your account was changed."
RESET = "The password of your account was replaced by way of a mailed link."


@signed_in
def change(request: HttpRequest) -> JsonResponse:
    """Replaces the password of the signed-in user, who must know the current one. Every other
    session ends; this one goes on under a new identifier (ASVS 6.2.3, 7.2.4, 7.4.3)."""
    visit, user, form = visit_of(request), user_of(request), Form(request)
    current, new = form.text("current_password"), form.text("new_password")
    limits.per_source(visit, "login", conf.current().policy.login_source)
    sign_in.prove(visit, user.email, passwords.normalized(current))
    password_hash = passwords.hash_new(passwords.normalized(new), user.email)
    with transaction.atomic():
        store.hand_over(request, user)
        # Nobody if the account changed meanwhile: then this session is over, too.
        changed = replace(user.pk, user.epoch, password_hash)
        if changed is None:
            raise Problem("not_signed_in")
        audit.record(visit, "password_changed", user_id=user.pk)
        store.begin(request, changed, ends=session_of(request).expire_date)
    sign_in.notify(visit, user.email, CHANGED)
    return JsonResponse({"status": "changed"})


def replace(user_id: str, epoch: int | None, password_hash: str) -> User | None:
    """Sets a password hash and ends what the old one opened: sessions, links, counters (ASVS
    2.3.3)."""
    same = User.objects.filter(pk=user_id, is_active=True)
    if epoch is not None:
        same = same.filter(epoch=epoch)
    is_changed = same.update(
        password=password_hash,
        password_changed_at=timezone.now(),
        failed_logins=0,
        epoch=F("epoch") + 1,
    )
    if not is_changed:
        return None
    store.end_all(user_id)
    return User.objects.get(pk=user_id)


def forgot(request: HttpRequest) -> JsonResponse:
    """Mails a link, if there is an account. Found out off the request path, so that the answer
    takes as long for every address (ASVS 6.3.8). Nothing changes until the link is used."""
    visit, form = visit_of(request), Form(request)
    limits.per_source(visit, "mail", conf.current().policy.mail_source)
    email = addresses.canonical(form.text("email"))
    mail.outbox.room()
    with transaction.atomic():
        audit.record(visit, "reset_requested", email=email)
        may_mail = limits.may_mail(email)
    if may_mail:
        mail.outbox.run(lambda: write_reset(email))
    return accepted()


@transaction.atomic
def write_reset(email: str) -> EmailMessage | None:
    """The mail goes to the stored address, not to the spelling in the request (CVE-2019-19844)."""
    user = User.objects.select_for_update().filter(email=email).first()
    if user is None or not user.is_active:
        return None
    token = tokens.issue(Purpose.RESET, user, conf.current().policy.reset_token)
    return mail.reset(user.email, token)


def show_reset(request: HttpRequest) -> JsonResponse:
    """Says whether the link still works."""
    usable(visit_of(request), Purpose.RESET, request.GET.get("token", ""))
    return JsonResponse({"status": "ready"})


def reset(request: HttpRequest) -> JsonResponse:
    """Sets a new password with a mailed token, which also proves the mailbox: the password that
    somebody else may have set for this address is gone. Signs nobody in. A password that is refused
    does not use the token up (ASVS 6.4.1, 6.4.3)."""
    visit, form = visit_of(request), Form(request)
    token, password = form.text("token"), form.text("password")
    owner = usable(visit, Purpose.RESET, token)
    password_hash = passwords.hash_new(passwords.normalized(password), owner.email)
    with transaction.atomic():
        user_id = tokens.consume(Purpose.RESET, token)
        if user_id is None or replace(user_id, None, password_hash) is None:
            raise Problem("token_invalid")
        User.objects.filter(pk=user_id).update(
            verified_at=Coalesce("verified_at", timezone.now())
        )
        throttle.clear(throttle.key_of("account", owner.email))
        audit.record(visit, "password_reset", user_id=user_id)
    sign_in.notify(visit, owner.email, RESET)
    return JsonResponse({"status": "changed"})
