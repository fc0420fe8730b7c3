"""What access tokens are signed with, and what they may allow, as settings say it."""

from collections.abc import Callable, Mapping

from ..variables import SettingError, required
from . import keys, scopes

TOKEN_KEY_FIX = "Make one: python -m [% if pack.id == "django" %]accounts.bearer[% else %]app.auth token-key[% endif %]"
OLD_KEYS_FIX = "List keys that were AUTH_TOKEN_KEY, or their public parts, with commas."


def token_keys(
    values: Mapping[str, str], looks_random: Callable[[bytes], bool]
) -> keys.Keys:
    """The key that signs access tokens, and those whose tokens still count (ASVS 11.2.2)."""
    text = required(values, "AUTH_TOKEN_KEY", TOKEN_KEY_FIX)
    try:
        known = keys.signing(text, looks_random)
    except keys.KeyRefusal as why:
        raise SettingError("AUTH_TOKEN_KEY", str(why), TOKEN_KEY_FIX) from None
    for older in values.get("AUTH_TOKEN_OLD_KEYS", "").split(","):
        try:
            known = keys.accepting(known, older) if older.strip() else known
        except keys.KeyRefusal as why:
            raise SettingError("AUTH_TOKEN_OLD_KEYS", str(why), OLD_KEYS_FIX) from None
    return known


def token_scopes(text: str) -> str:
    names = " ".join(text.split())
    if not scopes.NAMES.fullmatch(names):
        fix = 'List names with spaces between: AUTH_TOKEN_SCOPES="read write"'
        raise SettingError("AUTH_TOKEN_SCOPES", "holds something else", fix)
    return names
