"""`python -m app.auth`: settings first, then one of the commands."""

import sys

[% if module.tokens -%]
from .bearer import keys
[% endif -%]
from .settings import from_environment
from .variables import SettingError


def main(arguments: list[str]) -> int:
    try:
[%- if module.tokens %]
        if arguments == ["token-key"]:
            print(f"AUTH_TOKEN_KEY={keys.fresh_key()}")
            return 0
[%- endif %]
        settings = from_environment()
        # Not before: what does not fit is refused without loading a framework and a database.
        from . import commands

        return commands.run(settings, arguments)
    except SettingError as error:
        print(f"auth: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
