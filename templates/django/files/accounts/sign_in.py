"""Signing in and out."""

from datetime import datetime
from typing import Any

from django.contrib.auth import logout as end_session
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone

from . import addresses, audit, conf, limits, mail, passwords, store, throttle
from .guards import session_of, signed_in, user_of
from .inputs import Form
from .models import User
from .problem import Problem
from .visit import Visit, visit_of

# A login after so many failures is worth a mail to the owner.
SUSPICIOUS_FAILURES = 5


def login(request: HttpRequest) -> JsonResponse:
    form = Form(request)
    user = admitted(request, form.text("email"), form.text("password"))
    store.begin(request, user)
    return JsonResponse(profile(user, timezone.now()))


def admitted(request: HttpRequest, email: str, password: str) -> User:
    """The account of who may sign in with this address and password."""
    visit = visit_of(request)
    limits.per_source(visit, "login", conf.current().policy.login_source)
    user = prove(visit, addresses.canonical(email), passwords.normalized(password))
    if user.verified_at is None:
        audit.refusal(visit, "login_refused", "email_unverified", user.pk)
        raise Problem("email_unverified")
    return user


[% if module.oidc -%]
def profile(user: User, auth_time: datetime, amr: str = "pwd") -> dict[str, Any]:
[%- else -%]
def profile(user: User, auth_time: datetime) -> dict[str, Any]:
[%- endif %]
    return {
        "id": user.pk,
        "email": user.email,
        "email_verified": True,
        "amr": [[% if module.oidc %]amr[% else %]"pwd"[% endif %]],
        "auth_time": int(auth_time.timestamp()),
    }


def prove(visit: Visit, email: str, password: str) -> User:
    """Checks a password and nothing else: the one place where a guess is evaluated, with every
    throttle around it. All failures look and cost the same."""
    admit(visit, email)
    user = User.objects.filter(email=email).first()
    matches = passwords.verify(password, user.password if user else None)
    cap = conf.current().policy.login_cap
    if user is None or not matches or not user.is_active or user.failed_logins >= cap:
        wrong(visit, user, email)
        raise Problem("invalid_credentials")
    right(visit, user, password)
    return user


def admit(visit: Visit, email: str) -> None:
    """Counts a guess, by its source and by the account it is about, before it is looked at. Inside a
    transaction of somebody else's, which could take the count back, no password is looked at: there
    `durable` raises."""
    policy, source = conf.current().policy, throttle.key_of_source("guess", visit.ip)
    by_account = throttle.Verdict()
    with transaction.atomic(durable=True):
        by_source = throttle.hit(source, policy.login_source_failures, 60)
        if by_source.is_allowed:
            by_account = throttle.guess(throttle.key_of("account", email), policy)
        if not by_account.is_allowed:
            throttle.refund(source)
    if by_source.first:
        audit.refusal(visit, "throttled", "login")
    by_source.check()
    if not by_account.is_allowed:
        audit.refusal(visit, "throttled", "account")
    by_account.check()


def right(visit: Visit, user: User, password: str) -> None:
    stored, failures = user.password, user.failed_logins
    if passwords.is_outdated(stored):
        user.password = passwords.hashed(password)
    with transaction.atomic():
        same = User.objects.filter(pk=user.pk, password=stored)
        same.update(failed_logins=0, password=user.password)
        throttle.refund(throttle.key_of_source("guess", visit.ip))
        throttle.clear(throttle.key_of("account", user.email))
        audit.record(visit, "password_proven", user_id=user.pk)
    if failures >= SUSPICIOUS_FAILURES:
        what = "Somebody signed in to your account after several wrong passwords."
        notify(visit, user.email, what)


def wrong(visit: Visit, user: User | None, email: str) -> None:
    failures = None
    with transaction.atomic(durable=True):
        mine = User.objects.filter(pk=user.pk if user else None)
        mine.update(failed_logins=F("failed_logins") + 1)
        failures = mine.values_list("failed_logins", flat=True).first()
        audit.record(
            visit,
            "login",
            user_id=user.pk if user else None,
            email=email,
            reason="invalid_credentials",
        )
    # NIST SP 800-63B-4 3.2.2: then only a new password, set by way of the mailbox, helps.
    if failures == conf.current().policy.login_cap:
        what = "After too many wrong passwords, your password was disabled."
        notify(visit, email, what)


def notify(visit: Visit, email: str, what: str) -> None:
    """Mails a notice, at most one an hour of a kind. What it tells of has happened and stands."""
    if throttle.hit(throttle.key_of(what, email), 1, 3_600).is_allowed:
        mail.outbox.send(mail.notice(email, what, visit.ip))


@signed_in
def reauth(request: HttpRequest) -> JsonResponse:
    """Takes the password again, which opens what is for those who signed in lately. The session goes
    on under a new identifier (ASVS 7.2.4, 7.5.1)."""
    visit, user, form = visit_of(request), user_of(request), Form(request)
    limits.per_source(visit, "login", conf.current().policy.login_source)
    proven = prove(visit, user.email, passwords.normalized(form.text("password")))
    # A session that was ended meanwhile is not renewed.
    if proven.pk != user.pk or proven.epoch != user.epoch:
        raise Problem("not_signed_in")
    with transaction.atomic():
        store.hand_over(request, proven)
        store.begin(request, proven)
    return JsonResponse(profile(proven, timezone.now()))


def logout(request: HttpRequest) -> HttpResponse:
    """Ends the session on the server and makes the browser forget (ASVS 7.4.1, 14.3.1)."""
    user_id = request.user.pk if request.user.is_authenticated else None
    with transaction.atomic():
        ended = store.end(request)
        end_session(request)
        if ended and user_id is not None:
            audit.record(visit_of(request), "logout", user_id=user_id)
    return forgotten(HttpResponse(status=204))


def forgotten(answer: HttpResponse) -> HttpResponse:
    answer["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    return answer


@signed_in
def me(request: HttpRequest) -> JsonResponse:
[%- if module.oidc %]
    user, session = user_of(request), session_of(request)
    return JsonResponse(profile(user, session.authenticated_at, session.amr))
[%- else %]
    return JsonResponse(profile(user_of(request), session_of(request).authenticated_at))
[%- endif %]
