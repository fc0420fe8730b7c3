"""Cross-site requests are told apart by what browsers say about them (ASVS 3.5.1, Fetch Metadata,
RFC 6454): no token, no state, nothing to add to a form."""

from starlette.datastructures import Headers

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def refusal(
    method: str, headers: Headers, origin: str, carries_cookie: bool
) -> str | None:
    """Why an unsafe request does not count as one of this site; `None` if it does. A client that is
    not a browser sends none of the headers; it is accepted as long as it carries no cookie."""
    if method in SAFE:
        return None
    claims = [headers.getlist(name) for name in ("origin", "sec-fetch-site", "referer")]
    if any(len(claim) > 1 for claim in claims):
        return "repeated_header"
    claimed, site, referer = (claim[0] if claim else None for claim in claims)
    if claimed is not None and claimed != origin:
        return "foreign_origin"
    if site is not None and site != "same-origin":
        return "cross_site"
    if referer is not None and not is_within(referer, origin):
        return "foreign_referer"
    if carries_cookie and claimed is None and site is None:
        return "origin_unknown"
    return None


def is_within(referer: str, origin: str) -> bool:
    return referer.startswith(origin) and referer[len(origin) :][:1] in (
        "",
        "/",
        "?",
        "#",
    )
