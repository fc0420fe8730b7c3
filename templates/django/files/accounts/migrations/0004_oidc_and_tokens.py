"""Which of the two modules came first does not matter: neither's tables rest on the other's."""

from typing import ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("accounts", "0002_oidc"),
        ("accounts", "0003_tokens"),
    ]

    operations: ClassVar = []
