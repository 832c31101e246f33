"""Files of sites as HTTP answers: foreign content on the portal's own origin."""

import mimetypes
from collections.abc import Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from shared.contracts.errors import Forbidden
from shared.contracts.headers import NOSNIFF

PLAIN = "text/plain; charset=utf-8"
#: As Backstage names them; where Python's own table differs from machine to machine.
TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".gz": "application/gzip",
    ".json": "application/json; charset=utf-8",
    ".map": "application/json; charset=utf-8",
    ".md": "text/markdown; charset=utf-8",
    ".txt": PLAIN,
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}
PICTURES: Mapping[str, str] = {
    ".avif": "image/avif",
    ".gif": "image/gif",
    ".ico": "image/x-icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}
#: What pages play; each is passive.
MEDIA: Mapping[str, str] = {
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".ogv": "video/ogg",
    ".vtt": "text/vtt; charset=utf-8",
    ".wav": "audio/wav",
    ".webm": "video/webm",
}
#: Parts of media types that a browser renders or runs.
ACTIVE = ("html", "xml", "script", "wasm")
#: The destinations (`Sec-Fetch-Dest`) of content that a browser runs.
RUNS = frozenset(
    {"script", "worker", "sharedworker", "serviceworker", "audioworklet"}
    | {"paintworklet", "embed", "object", "xslt"}
)
STRICT: Mapping[str, str] = {
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"
    ),
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    **NOSNIFF,
}


def static_type(path: Path) -> str:
    """The media type that Backstage's publisher gives.

    What a browser would render or run is plain text: clients fetch and clean it, and no
    foreign page or script runs on this origin.
    """
    suffix = path.suffix.lower()
    if any(word in suffix for word in ("htm", "xml", "svg")):
        return PLAIN
    listed = {**PICTURES, **TYPES}.get(suffix)
    media = listed or mimetypes.guess_type(path.name, strict=True)[0] or PLAIN
    return PLAIN if any(word in media for word in ACTIVE) else media


def static_answer(request: Request, site: str, path: Path) -> Response:
    """A file as Backstage's clients fetch it."""
    return _answer(request, site, path, static_type(path), {})


def asset_answer(request: Request, site: str, path: Path) -> Response:
    """A picture or a film to show, or another file to download: never a page."""
    media = {**PICTURES, **MEDIA}.get(path.suffix.lower())
    if media is not None:
        return _answer(request, site, path, media, {})
    headers = {"content-disposition": "attachment"}
    return _answer(request, site, path, "application/octet-stream", headers)


def _answer(
    request: Request, site: str, path: Path, media: str, more: Mapping[str, str]
) -> Response:
    if request.headers.get("sec-fetch-dest") in RUNS:
        # The media type forbids it already, but browsers differ in how they use it.
        raise Forbidden("Files of documentation are not run")
    stat = path.stat()
    etag = f'W/"{site[:16]}-{stat.st_size:x}"'
    headers = {
        **STRICT,
        **more,
        "etag": etag,
        # A reader's rights can change: each request is checked, no cache is shared.
        "cache-control": "private, max-age=0, must-revalidate",
    }
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    # Set as a header: Starlette would add a charset to the media type.
    headers["content-type"] = media
    return FileResponse(path, headers=headers, stat_result=stat)
