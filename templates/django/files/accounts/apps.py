"""The module as an application of Django."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks, signals

        checks.refuse_weakened()
[%- if ui == "pages" %]
        checks.refuse_lost_pages()
[%- endif %]
        signals.connect()
