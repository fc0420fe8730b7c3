"""Ways back that a request names."""

import re

# Longer ones are forgotten; the user ends at home.
MAX_PATH = 2_048

PLAIN = re.compile(r"[\x21-\x5b\x5d-\x7e]+")
HIDDEN = ("%0", "%1", "%2f", "%5c", "%7f")


def is_local_path(text: str) -> bool:
    """True for a path of this origin in every reading of it (ASVS 3.7.2). Browsers drop tabs and
    line ends, take `\\` for `/` and resolve dots; servers behind proxies decode once more. So the
    path is plain: printable ASCII, no empty or dotted segment, nothing encoded that would make
    one."""
    if len(text) > MAX_PATH or not PLAIN.fullmatch(text):
        return False
    path = re.split("[?#]", text, maxsplit=1)[0].lower().replace("%2e", ".")
    if not path.startswith("/") or any(hidden in path for hidden in HIDDEN):
        return False
    # The last segment may be empty: `/` and `/a/`.
    segments = path[1:].removesuffix("/").split("/")
    return path == "/" or not any(segment in ("", ".", "..") for segment in segments)
