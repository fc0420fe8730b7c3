"""Tokens for programs: a signed access token for minutes, and a refresh token that is replaced at
every use.

A sign-in of a program is a family: one row, which all its tokens refer to and which each use of one
reads. What ends the family ends them at once (ASVS 7.4.1).
"""
