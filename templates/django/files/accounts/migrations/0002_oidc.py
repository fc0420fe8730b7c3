"""The tables of sign-in at providers."""

from typing import ClassVar

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("accounts", "0001_initial"),
    ]

    operations: ClassVar = [
        migrations.AddField(
            model_name="session",
            name="amr",
            # In the database as well: code from before the module still makes sessions.
            field=models.CharField(db_default="pwd", default="pwd", max_length=8),
        ),
        migrations.CreateModel(
            name="Identity",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("provider", models.CharField(max_length=32)),
                ("issuer", models.CharField(max_length=512)),
                ("subject", models.CharField(max_length=255)),
                ("email", models.CharField(max_length=254, null=True)),
                ("linked_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="identities",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("issuer", "subject"),
                        name="accounts_identity_of_one_account",
                    ),
                    models.UniqueConstraint(
                        fields=("user", "provider"),
                        name="accounts_one_identity_a_provider",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="OidcTransaction",
            fields=[
                (
                    "state_hash",
                    models.CharField(max_length=64, primary_key=True, serialize=False),
                ),
                ("browser_hash", models.CharField(max_length=64)),
                ("provider", models.CharField(max_length=32)),
                ("issuer", models.CharField(max_length=512)),
                ("intent", models.CharField(max_length=8)),
                ("session", models.CharField(max_length=32, null=True)),
                ("nonce", models.CharField(max_length=64)),
                ("verifier", models.CharField(max_length=64)),
                ("next", models.CharField(max_length=2048)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField(db_index=True)),
                (
                    "user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["browser_hash", "created_at"],
                        name="accounts_oidc_browser",
                    )
                ],
            },
        ),
    ]
