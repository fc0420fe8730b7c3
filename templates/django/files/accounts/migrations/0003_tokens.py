"""The tables of tokens for programs."""

from typing import ClassVar

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import accounts.randomness


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("accounts", "0001_initial"),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="TokenFamily",
            fields=[
                (
                    "id",
                    models.CharField(
                        default=accounts.randomness.new_id,
                        max_length=32,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("session", models.CharField(default="", max_length=32)),
                ("device", models.CharField(max_length=256)),
                ("scope", models.TextField()),
                ("amr", models.CharField(default="pwd", max_length=8)),
                (
                    "authenticated_at",
                    models.DateTimeField(default=django.utils.timezone.now),
                ),
                ("epoch", models.PositiveBigIntegerField(default=0)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "last_used_at",
                    models.DateTimeField(default=django.utils.timezone.now),
                ),
                ("expires_at", models.DateTimeField(db_index=True)),
                ("revoked_at", models.DateTimeField(null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="token_families",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RefreshToken",
            fields=[
                (
                    "token_hash",
                    models.CharField(max_length=64, primary_key=True, serialize=False),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("used_at", models.DateTimeField(null=True)),
                ("expires_at", models.DateTimeField()),
                (
                    "family",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="refresh_tokens",
                        to="accounts.tokenfamily",
                    ),
                ),
            ],
        ),
    ]
