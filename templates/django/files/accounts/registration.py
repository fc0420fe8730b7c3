"""Sign-up: from an address to a confirmed account."""

from django.core.mail import EmailMessage
from django.db import IntegrityError, transaction
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
from .cookies import keep
from .endpoint import accepted
from .inputs import Form
from .models import MailToken, User
from .problem import Problem
from .randomness import digest, random
from .tokens import Purpose
from .visit import Visit, visit_of


def register(request: HttpRequest) -> JsonResponse:
    """Registers an address, or tells its owner that it is registered: the client sees no difference
    (ASVS 6.3.8). An account that exists keeps its password, confirmed or not."""
    visit, configured, form = visit_of(request), conf.current(), Form(request)
    limits.per_source(visit, "register", configured.policy.register_source)
    email = addresses.canonical(form.text("email"))
    password = passwords.normalized(form.text("password"))
    mail.outbox.room()
    password_hash = passwords.hash_new(password, email)
    browser = random()
    with transaction.atomic():
        user = insert(email, password_hash)
        letter = mail.already_registered(email)
        if user is not None:
            seconds = configured.policy.verify_token
            token = tokens.issue(
                Purpose.VERIFY, user, seconds, browser_hash=digest(browser)
            )
            letter = mail.verify(email, token)
        audit.record(visit, "register", user_id=user.pk if user else None, email=email)
        may_mail = limits.may_mail(email)
    if may_mail:
        mail.outbox.send(letter)
    answer = accepted()
    keep(answer, configured.browser_cookie, browser, configured.policy.verify_token)
    return answer


def insert(email: str, password_hash: str) -> User | None:
    """The unique index decides between parallel registrations (ASVS 15.4.2)."""
    # Looked for first: databases write what they refuse to their logs, with what was sent.
    if User.objects.filter(email=email).exists():
        return None
    try:
        with transaction.atomic():
            return User.objects.create(email=email, password=password_hash)
    except IntegrityError:
        return None


def usable(visit: Visit, purpose: Purpose, token: str) -> MailToken:
    """A token that could be consumed now."""
    limits.per_source(visit, "token", conf.current().policy.token_source)
    found = tokens.peek(purpose, token)
    if found is None:
        audit.refusal(visit, "token_refused", "token_invalid")
        raise Problem("token_invalid")
    return found


def is_registering_browser(request: HttpRequest, found: MailToken) -> bool:
    browser = request.COOKIES.get(conf.current().browser_cookie)
    return bool(browser) and digest(browser or "") == found.browser_hash


def show_verify(request: HttpRequest) -> JsonResponse:
    """Says whether the link still works and whether confirming it will take the password. Shows,
    never consumes: mail scanners follow links."""
    found = usable(visit_of(request), Purpose.VERIFY, request.GET.get("token", ""))
    needed = not is_registering_browser(request, found)
    return JsonResponse({"status": "ready", "password_required": needed})


def verify(request: HttpRequest) -> JsonResponse:
    """Confirms an address. The token proves the mailbox but not who chose the password: that takes
    the browser that registered, or the password. Otherwise a stranger could register an address and
    have its owner activate it (pre-account takeover). Only that browser is signed in."""
    visit, form = visit_of(request), Form(request)
    token, password = form.text("token"), form.maybe("password")
    found = usable(visit, Purpose.VERIFY, token)
    is_same = is_registering_browser(request, found)
    if not is_same:
        if password is None:
            raise Problem("password_required")
        sign_in.prove(visit, found.email, passwords.normalized(password))
    signs_in = is_same and not request.user.is_authenticated
    with transaction.atomic():
        user = confirm(visit, token)
        if signs_in:
            store.begin(request, user, auth_time=user.created_at)
    return JsonResponse({"status": "verified", "signed_in": signs_in})


def confirm(visit: Visit, token: str) -> User:
    user_id = tokens.consume(Purpose.VERIFY, token)
    if user_id is None:
        raise Problem("token_invalid")
    mine = User.objects.filter(pk=user_id)
    mine.update(verified_at=Coalesce("verified_at", timezone.now()))
    tokens.void_all(user_id)
    audit.record(visit, "email_verified", user_id=user_id)
    return mine.get()


def resend(request: HttpRequest) -> JsonResponse:
    """Sends another link, if there is an account to confirm. Found out off the request path."""
    visit, policy = visit_of(request), conf.current().policy
    form = Form(request)
    limits.per_source(visit, "mail", policy.mail_source)
    email = addresses.canonical(form.text("email"))
    mail.outbox.room()
    with transaction.atomic():
        audit.record(visit, "verification_requested", email=email)
        key = throttle.key_of("resend", email)
        verdict = throttle.hit(key, 1, policy.resend_every)
    if verdict.is_allowed:
        mail.outbox.run(lambda: renew_verification(email))
    return accepted()


@transaction.atomic
def renew_verification(email: str) -> EmailMessage | None:
    user = User.objects.select_for_update().filter(email=email).first()
    if user is None or user.verified_at is not None or not user.is_active:
        return None
    # Still the browser that registered, not the one that asks.
    older = MailToken.objects.filter(user=user, purpose=Purpose.VERIFY.value).first()
    token = tokens.issue(
        Purpose.VERIFY,
        user,
        conf.current().policy.verify_token,
        browser_hash=older.browser_hash if older else "",
    )
    return mail.verify(user.email, token)
