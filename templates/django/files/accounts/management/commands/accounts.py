"""What the operator may do: `manage.py accounts disable|enable|revoke USER`, `revoke --all`,
`audit [USER]`, `purge`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import operator


class Command(BaseCommand):
    help = "Disables, enables and signs out accounts, and prints their audit trail."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = ["disable", "enable", "revoke", "audit", "purge"]
        parser.add_argument("command", choices=commands)
        parser.add_argument("user", nargs="?", help="an id or an address")
        parser.add_argument("--all", action="store_true", help="everybody, for revoke")

    def handle(self, *_: Any, **options: Any) -> None:
        command, user, everybody = options["command"], options["user"], options["all"]
        try:
            self.stdout.write(done(command, user, everybody))
        except operator.OperatorError as error:
            raise CommandError(str(error)) from None


def done(command: str, user: str | None, everybody: bool) -> str:
    if command == "purge":
        return operator.purge()
    if command == "audit":
        return "\n".join(operator.trail(user))
    if (user is None) is not (everybody and command == "revoke"):
        raise CommandError("name a user; only `revoke` takes --all in place of one")
    return operator.act(command, user)
