"""Changing the address of an account: the new one must be proven, the old one is told."""

from django.core.mail import EmailMessage
from django.db import IntegrityError, transaction
from django.db.models import F
from django.http import HttpRequest, JsonResponse
from django.utils import timezone

from . import (
    addresses,
    audit,
    conf,
    limits,
    mail,
    registration,
    sign_in,
    store,
    throttle,
    tokens,
)
from .endpoint import accepted
from .guards import lately_signed_in, session_of, signed_in, user_of
from .inputs import Form
from .models import User
from .problem import Problem
from .tokens import Purpose
from .visit import Visit, visit_of

REQUESTED = (
    "Somebody asked to give your account another e-mail address. Nothing changes until the new"
    " address is confirmed."
)
CHANGED = "Your account has another e-mail address now. This one no longer signs in."


@lately_signed_in
def request_change(request: HttpRequest) -> JsonResponse:
    """Mails a link to the new address and a notice to the old one, which stays in use until the
    link is. The answer is the same for an address that has an account (ASVS 6.3.7, 6.3.8)."""
    visit, user, form = visit_of(request), user_of(request), Form(request)
    policy = conf.current().policy
    limits.per_source(visit, "mail", policy.mail_source)
    new_email = addresses.canonical(form.text("email"))
    if new_email == user.email:
        raise Problem("email_unchanged")
    mail.outbox.room()
    with transaction.atomic():
        audit.record(visit, "email_change_requested", user_id=user.pk, email=new_email)
        # A counter of its own: those that strangers can fill must not keep the owner from knowing.
        key = throttle.key_of("email_change_notice", user.pk)
        tells = throttle.hit(key, policy.mail_address, 60).is_allowed
        may_mail = limits.may_mail(new_email)
    if tells:
        mail.outbox.send(mail.notice(user.email, REQUESTED, visit.ip))
    if may_mail:
        mail.outbox.run(lambda: write_link(user, new_email))
    return accepted()


@transaction.atomic
def write_link(user: User, new_email: str) -> EmailMessage | None:
    held = store.hold(user.pk)
    # Nothing for who asked in a session that has ended meanwhile.
    if held is None or held.epoch != user.epoch or not held.is_active:
        return None
    if User.objects.filter(email=new_email).exists():
        return mail.already_registered(new_email)
    seconds = conf.current().policy.email_token
    token = tokens.issue(Purpose.EMAIL_CHANGE, held, seconds, new_email=new_email)
    return mail.email_change(new_email, token)


def usable(visit: Visit, user: User, token: str) -> str:
    """The token proves the new mailbox, the session that it is the account's user who asked: a
    mistyped address does not give the account away. Nobody else learns whose the token is."""
    found = registration.usable(visit, Purpose.EMAIL_CHANGE, token)
    if found.user_id != user.pk or not found.new_email:
        raise Problem("token_invalid")
    return found.new_email


@signed_in
def show(request: HttpRequest) -> JsonResponse:
    """Says which address the link would confirm, for the user who asked."""
    visit, user = visit_of(request), user_of(request)
    email = usable(visit, user, request.GET.get("token", ""))
    return JsonResponse({"status": "ready", "email": email})


@signed_in
def confirm(request: HttpRequest) -> JsonResponse:
    """Puts the new address in place. Every other session and every link ends; this session goes on
    under a new identifier (ASVS 7.2.4, 7.4.3)."""
    visit, user, session = visit_of(request), user_of(request), session_of(request)
    token = Form(request).text("token")
    new_email = usable(visit, user, token)
    with transaction.atomic():
        store.hand_over(request, user)
        if tokens.consume(Purpose.EMAIL_CHANGE, token) != user.pk:
            raise Problem("token_invalid")
        changed = replace(user, new_email)
        if changed is None:
            raise Problem("token_invalid")
        audit.record(visit, "email_changed", user_id=user.pk)
        store.begin(
            request,
            changed,
            auth_time=session.authenticated_at,
            ends=session.expire_date,
[%- if module.oidc %]
            amr=session.amr,
[%- endif %]
        )
    sign_in.notify(visit, user.email, CHANGED)
    return JsonResponse({"status": "changed", "email": new_email})


def replace(user: User, email: str) -> User | None:
    """Nobody if the account changed meanwhile, or somebody else has the address by now."""
    same = User.objects.filter(pk=user.pk, epoch=user.epoch, is_active=True)
    try:
        with transaction.atomic():
            is_changed = same.update(
                email=email, verified_at=timezone.now(), epoch=F("epoch") + 1
            )
    except IntegrityError:
        # Somebody else has it by now: the unique index decides.
        return None
    if not is_changed:
        return None
    store.end_all(user.pk)
    return User.objects.get(pk=user.pk)
