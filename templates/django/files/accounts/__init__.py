"""Accounts with e-mail and password, sessions, verification and reset by mail, below `/auth/`."""
