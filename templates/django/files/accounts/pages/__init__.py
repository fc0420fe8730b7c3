"""Pages for people, without scripts, at the addresses of the JSON API.

A page shows a form and hands what was sent to the function that answers the API: what is allowed is
decided there, once. `accounts/templates/accounts/` has the templates; one of the same name in the
project takes the place of any of them.
"""
