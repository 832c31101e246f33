"""The browser's files: read and compressed at the first request, addressed by content.

All of them stand under one digest, so that modules import each other by relative path
and everything may be cached for ever. Third-party files lie in `assets/vendor/`, put
there at set-up; the portal works without them.
"""

import base64
import gzip
import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

FOLDER = Path(__file__).parent / "assets"
FOREVER = "public, max-age=31536000, immutable"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".woff2": "font/woff2",
    ".png": "image/png",
}


@dataclass(frozen=True)
class Asset:
    """One file as it is sent; `integrity` is for `<script integrity>` (SRI)."""

    path: Path
    media_type: str
    integrity: str

    @cached_property
    def body(self) -> bytes:
        """The file itself."""
        return self.path.read_bytes()

    @cached_property
    def gzipped(self) -> bytes:
        """The file compressed, at the first request: modules have megabytes."""
        return gzip.compress(self.body, 9, mtime=0)


class Assets:
    """The files of the assets folder by their path in it."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files: dict[str, Asset] = {}
        digest = hashlib.sha256()
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix in MEDIA_TYPES:
                name, body = path.relative_to(folder).as_posix(), path.read_bytes()
                self._files[name] = _asset(path, body)
                digest.update(name.encode() + body)
        self.digest = digest.hexdigest()[:12]

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def get(self, name: str) -> Asset | None:
        """The file at that path, if there is one."""
        return self._files.get(name)

    def url(self, name: str) -> str:
        """The address of the file; an unknown name is a mistake in a template."""
        if name not in self._files:
            raise KeyError(name)
        return f"/assets/{self.digest}/{name}"

    def integrity(self, name: str) -> str:
        """The file's digest in the form that browsers check."""
        return self._files[name].integrity


def _asset(path: Path, body: bytes) -> Asset:
    digest = base64.b64encode(hashlib.sha384(body).digest()).decode()
    return Asset(path, MEDIA_TYPES[path.suffix], f"sha384-{digest}")
