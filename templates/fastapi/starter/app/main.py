"""The application."""

from fastapi import FastAPI

# No pages that describe the routes to everybody.
app = FastAPI(openapi_url=None)


@app.get("/")
async def home() -> dict[str, str]:
    return {"status": "ok"}
