"""How routes of your own are guarded. Change or delete this file."""

[% if module.tokens -%]
from typing import Annotated

from fastapi import APIRouter, Security

from app.auth import ApiUser, CurrentUser, FreshApiUser, FreshUser, api_user
[%- else -%]
from fastapi import APIRouter

from app.auth import CurrentUser, FreshUser
[%- endif %]

router = APIRouter()


@router.get("/auth/example")
async def example(user: CurrentUser) -> dict[str, str]:
    """For whoever is signed in."""
    return {"user_id": user.id}


@router.get("/auth/example/fresh")
async def fresh(user: FreshUser) -> dict[str, str]:
    """For whoever [% if module.oidc %]signed in[% else %]entered the password[% endif %] a short while ago."""
    return {"user_id": user.id}
[%- if module.tokens %]


@router.get("/auth/example/api")
async def api(
    user: Annotated[ApiUser, Security(api_user, scopes=["read"])],
) -> dict[str, str]:
    """For a program with an access token that has the scope `read`."""
    return {"user_id": user.id}


@router.get("/auth/example/api/fresh")
async def api_fresh(user: FreshApiUser) -> dict[str, str]:
    """For a program whose user signed in a short while ago."""
    return {"user_id": user.id}
[%- endif %]
