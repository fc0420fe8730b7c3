"""How routes of your own are guarded. Change or delete this file."""

from fastapi import APIRouter

from app.auth import CurrentUser, FreshUser

router = APIRouter()


@router.get("/auth/example")
async def example(user: CurrentUser) -> dict[str, str]:
    """For whoever is signed in."""
    return {"user_id": user.id}


@router.get("/auth/example/fresh")
async def fresh(user: FreshUser) -> dict[str, str]:
    """For whoever entered the password a short while ago."""
    return {"user_id": user.id}
