"""`python -m accounts.bearer`: prints a fresh `AUTH_TOKEN_KEY`. No setting is needed for it."""

from .keys import fresh_key

if __name__ == "__main__":
    print(f"AUTH_TOKEN_KEY={fresh_key()}")
