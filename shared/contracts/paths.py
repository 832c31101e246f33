"""Parses request paths of the public API in one way for all services.

The gateway asks the policy about a request's path, and a service routes by it. Both use
`checked_path`, so that both always read the same path.
"""

import re
from urllib.parse import unquote

from shared.contracts.errors import NotFound

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ENCODED_SLASH = re.compile(r"%(?:2f|5c)", re.IGNORECASE)
_PARAMETER = re.compile(r"{(\w+)(:path)?}")


def checked_path(raw: str) -> str:
    """The decoded path of a request, if it can be read in one way only.

    `raw` is the path as the client wrote it, percent-encoded, without a query.

    Raises:
        NotFound: if it has control characters, dot segments, empty segments, `;`
            parameters, backslashes or encoded slashes.
    """
    if _ENCODED_SLASH.search(raw) or "\\" in raw:
        raise NotFound("path: must have no backslash and no encoded slash")
    if ";" in raw:
        raise NotFound("path: must have no parameters after ';' (write %3B)")
    path = unquote(raw)
    if _CONTROLS.search(path):
        raise NotFound("path: must have no control characters")
    if not path.startswith("/"):
        raise NotFound("path: must begin with a slash")
    segments = path[1:].split("/")
    if any(segment in {".", ".."} for segment in segments):
        raise NotFound("path: must have no '.' or '..' segment")
    # Clients may write one slash at the end.
    if "" in segments[:-1]:
        raise NotFound("path: must have no empty segment")
    return path


def path_pattern(template: str) -> str:
    """A route's path (`/entities/by-uid/{uid}`) as a regular expression.

    It matches what the services' router matches: a parameter is one non-empty segment,
    a parameter of type `path` is any text.
    """
    pattern, position = "", 0
    for match in _PARAMETER.finditer(template):
        pattern += re.escape(template[position : match.start()])
        pattern += ".*" if match[2] else "[^/]+"
        position = match.end()
    return pattern + re.escape(template[position:])
