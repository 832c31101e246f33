"""The browser's files: read once, compressed once, addressed by their content.

All of them stand under one digest, so that modules import each other by relative path
and everything may be cached for ever. Third-party files lie in `assets/vendor/`, put
there at set-up; the portal works without them.
"""

import base64
import gzip
import hashlib
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent; `integrity` is for `<script integrity>` (SRI)."""

    body: bytes
    packed: bytes
    media_type: str
    integrity: str


class Assets:
    """The files of the assets folder by their path in it."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files = {
            path.relative_to(folder).as_posix(): _asset(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.suffix in MEDIA_TYPES
        }
        digest = hashlib.sha256()
        for name, asset in self._files.items():
            digest.update(name.encode() + asset.body)
        self.digest = digest.hexdigest()[:12]

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def get(self, name: str) -> Asset | None:
        """The file at that path, if there is one."""
        return self._files.get(name)

    def url(self, name: str) -> str:
        """Where the file is served; an unknown name is a mistake in a template."""
        if name not in self._files:
            raise KeyError(name)
        return f"/assets/{self.digest}/{name}"

    def integrity(self, name: str) -> str:
        """The file's digest in the form that browsers check."""
        return self._files[name].integrity


def _asset(path: Path) -> Asset:
    body = path.read_bytes()
    digest = base64.b64encode(hashlib.sha384(body).digest()).decode()
    packed = gzip.compress(body, 9, mtime=0)
    return Asset(body, packed, MEDIA_TYPES[path.suffix], f"sha384-{digest}")
