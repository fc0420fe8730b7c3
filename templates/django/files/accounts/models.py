"""Accounts, and what the module keeps about them."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, ClassVar, Self

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models, transaction
from django.utils import timezone

from . import addresses, passwords
from .problem import Problem
from .randomness import new_id


class UserManager(BaseUserManager["User"]):
    """Makes accounts for code and for `createsuperuser`; people make theirs by registration."""

    def create_user(
        self, email: str, password: str | None = None, **fields: Any
    ) -> "User":
        user = self.model(email=addresses.canonical(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(
        self, email: str, password: str | None = None, **fields: Any
    ) -> "User":
        fields |= {
            "is_staff": True,
            "is_superuser": True,
            "verified_at": timezone.now(),
        }
        return self.create_user(email, password, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        try:
            return self.get(email=addresses.canonical(username or ""))
        except Problem:
            raise self.model.DoesNotExist from None


class User(AbstractBaseUser, PermissionsMixin):
    """An account. Its id is stable and opaque; its address is in canonical form."""

    id = models.CharField(primary_key=True, max_length=32, default=new_id)
    email = models.CharField(
        max_length=254, unique=True, validators=[addresses.validate]
    )
    verified_at = models.DateTimeField(null=True, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    # Raised by every change that ends sessions and voids links.
    epoch = models.PositiveBigIntegerField(default=0)
    # Consecutive; at the cap the password stops working.
    failed_logins = models.PositiveIntegerField(default=0)
    password_changed_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(default=timezone.now)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[UserManager] = UserManager()

    # What a save leaves as the database has it by then, unless it was changed in memory.
    KEPT: ClassVar = (
        "email",
        "password",
        "password_changed_at",
        "verified_at",
        "is_active",
        "failed_logins",
    )
    # Those, as they were read.
    as_read: Mapping[str, Any] = MappingProxyType({})

    @classmethod
    def from_db(cls, *args: Any, **kwargs: Any) -> Self:
        user = super().from_db(*args, **kwargs)
        user.remember(cls.KEPT)
        return user

    def refresh_from_db(
        self,
        using: str | None = None,
        fields: Iterable[str] | None = None,
        from_queryset: "models.QuerySet[User] | None" = None,
    ) -> None:
        names = None if fields is None else list(fields)
        super().refresh_from_db(using, names, from_queryset)
        self.remember(self.KEPT if names is None else names)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """In one transaction with what `signals.saving` does before."""
        with transaction.atomic():
            super().save(*args, **kwargs)
        self.remember(self.KEPT)

    def remember(self, names: Iterable[str]) -> None:
        """Without what was not read: looking would read it."""
        had = self.__dict__
        read = {name: had[name] for name in names if name in had and name in self.KEPT}
        self.as_read = {**self.as_read, **read}

    def __str__(self) -> str:
        """Without the address: a log should not collect them."""
        return self.id

    def clean(self) -> None:
        # What is no address was told by the field's validator.
        with suppress(Problem):
            self.email = addresses.canonical(self.email)

    def set_password(self, raw_password: str | None) -> None:
        """For code of the project and for commands. Ends every session and link of the account."""
        text = None if raw_password is None else passwords.normalized(raw_password)
        super().set_password(text)
        self.password_changed_at = timezone.now()
        self.failed_logins = 0
        self.epoch += 1


class Session(AbstractBaseSession):
    """A session, of somebody who is signed in or of nobody yet."""

    # SHA-256 of the cookie's value.
    session_key = models.CharField(primary_key=True, max_length=64)
    # Absolute: for somebody who is signed in, no request moves it.
    expire_date = models.DateTimeField(db_index=True)
    # Empty until somebody signs in.
    user = models.ForeignKey(User, models.CASCADE, null=True, related_name="sessions")
    # Its name in lists; opens nothing.
    handle = models.CharField(max_length=32, unique=True, default=new_id)
    # The account's when the session began: another one ends it.
    epoch = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    authenticated_at = models.DateTimeField(default=timezone.now)
[%- if module.oidc %]
    # How somebody signed in: `pwd`, or `fed` for a provider.
    amr = models.CharField(max_length=8, default="pwd", db_default="pwd")
[%- endif %]
    last_seen_at = models.DateTimeField(default=timezone.now)
    ip = models.CharField(max_length=64, default="")
    user_agent = models.CharField(max_length=256, default="")
    # Which of two that began in one moment is older.
    number = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return self.handle

    @classmethod
    def get_session_store_class(cls) -> Any:
        from .sessions import SessionStore

        return SessionStore


class MailToken(models.Model):
    """A link that was mailed."""

    # SHA-256 of the mailed value.
    token_hash = models.CharField(primary_key=True, max_length=64)
    purpose = models.CharField(max_length=16)
    user = models.ForeignKey(User, models.CASCADE, related_name="mail_tokens")
    # The account's address when it was made.
    email = models.CharField(max_length=254)
    # The account's when it was made: another one voids it.
    epoch = models.PositiveBigIntegerField(default=0)
    # Mailed there: the address that is to replace it.
    new_email = models.CharField(max_length=254, default="")
    # SHA-256 of the registering browser's cookie.
    browser_hash = models.CharField(max_length=64, default="")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True)

    class Meta:
        # A newer token takes the place of the older.
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user", "purpose"], name="accounts_one_token_a_purpose"
            )
        ]

    def __str__(self) -> str:
        return self.purpose


[% if module.oidc -%]
class Identity(models.Model):
    """Somebody at a provider, whom an account belongs to."""

    user = models.ForeignKey(User, models.CASCADE, related_name="identities")
    provider = models.CharField(max_length=32)
    issuer = models.CharField(max_length=512)
    # Exactly as the provider says it.
    subject = models.CharField(max_length=255)
    # As it was when linked; to be shown, never to be looked up.
    email = models.CharField(max_length=254, null=True)
    linked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["issuer", "subject"], name="accounts_identity_of_one_account"
            ),
            models.UniqueConstraint(
                fields=["user", "provider"], name="accounts_one_identity_a_provider"
            ),
        ]

    def __str__(self) -> str:
        return self.provider


class OidcTransaction(models.Model):
    """A sign-in that is under way at a provider."""

    # SHA-256 of `state`.
    state_hash = models.CharField(primary_key=True, max_length=64)
    # SHA-256 of the cookie of the browser that began.
    browser_hash = models.CharField(max_length=64)
    provider = models.CharField(max_length=32)
    issuer = models.CharField(max_length=512)
    intent = models.CharField(max_length=8)
    # Who began it, and the handle of their session, unless to sign in.
    user = models.ForeignKey(User, models.CASCADE, null=True, related_name="+")
    session = models.CharField(max_length=32, null=True)
    nonce = models.CharField(max_length=64)
    # For PKCE; never leaves the server before the code is exchanged.
    verifier = models.CharField(max_length=64)
    next = models.CharField(max_length=2048)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["browser_hash", "created_at"], name="accounts_oidc_browser"
            )
        ]

    def __str__(self) -> str:
        return self.provider


[% endif -%]
[% if module.tokens -%]
class TokenFamily(models.Model):
    """A program that is signed in. Its tokens refer to it, and end with it."""

    # Its name in lists and in access tokens; opens nothing.
    id = models.CharField(primary_key=True, max_length=32, default=new_id)
    user = models.ForeignKey(User, models.CASCADE, related_name="token_families")
    # Handle of the session that it ends with.
    session = models.CharField(max_length=32, default="")
    device = models.CharField(max_length=256)
    # Names with spaces between.
    scope = models.TextField()
    # How the user signed in: `pwd`, or `fed` for a provider.
    amr = models.CharField(max_length=8, default="pwd")
    authenticated_at = models.DateTimeField(default=timezone.now)
    # The account's when the family began: another one ends it.
    epoch = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(default=timezone.now)
    # Absolute; no use moves it.
    expires_at = models.DateTimeField(db_index=True)
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.id


class RefreshToken(models.Model):
    """What gets a program its next tokens, once."""

    # SHA-256 of the token.
    token_hash = models.CharField(primary_key=True, max_length=64)
    family = models.ForeignKey(
        TokenFamily, models.CASCADE, related_name="refresh_tokens"
    )
    created_at = models.DateTimeField(default=timezone.now)
    # Kept while the family is, to notice a second use.
    used_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.family_id


[% endif -%]
class Throttle(models.Model):
    """A counter."""

    # HMAC of what is counted.
    key = models.CharField(primary_key=True, max_length=64)
    count = models.PositiveIntegerField(default=0)
    window_start = models.DateTimeField(default=timezone.now)
    blocked_until = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.key


class Event(models.Model):
    """One line of the audit trail."""

    at = models.DateTimeField(default=timezone.now, db_index=True)
    event = models.CharField(max_length=32)
    outcome = models.CharField(max_length=8)
    reason = models.CharField(max_length=32, default="")
    # No foreign key: the trail outlives the account.
    user_id = models.CharField(max_length=32, null=True)
    # Keyed hash of an address that has no account.
    subject = models.CharField(max_length=16, null=True)
    ip = models.CharField(max_length=64)
    user_agent = models.CharField(max_length=256)
    request_id = models.CharField(max_length=32)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["user_id", "id"], name="accounts_event_user")
        ]

    def __str__(self) -> str:
        return self.event
