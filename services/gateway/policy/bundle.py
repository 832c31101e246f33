"""The bundle of the policy's files for OPA servers, rebuilt when the files change.

The format is OPA's: a compressed tar archive with a `.manifest` that names the revision
and the packages (`roots`) that the bundle replaces. It contains no tests.
"""

import gzip
import hashlib
import io
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path

import orjson

from shared.contracts.errors import Unavailable

MANIFEST = ".manifest"
PACKAGE = re.compile(rb"^package\s+(\w+)", re.MULTILINE)
#: Attempts to read files that change while they are read.
TRIES = 5

_Stamps = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Bundle:
    """An archive; its bytes and revision depend only on the files."""

    revision: str
    body: bytes


class PolicyFolder:
    """The bundle of a folder's Rego files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cache: tuple[_Stamps, Bundle] | None = None

    def bundle(self) -> Bundle:
        """The bundle of the current files. It reads files: not for the event loop.

        Raises:
            Unavailable: if there are no files; OPA servers then keep their bundle.
        """
        for _ in range(TRIES):
            stamps = self._stamps()
            if self._cache is not None and self._cache[0] == stamps:
                return self._cache[1]
            files = {name: (self._folder / name).read_bytes() for name, _, _ in stamps}
            if stamps == self._stamps():
                bundle = bundle_of(files)
                self._cache = (stamps, bundle)
                return bundle
        raise Unavailable("The policy's files are being changed")

    def _stamps(self) -> _Stamps:
        stamps = []
        for file in sorted(self._folder.rglob("*.rego")):
            if not file.name.endswith("_test.rego"):
                stat = file.stat()
                name = file.relative_to(self._folder).as_posix()
                stamps.append((name, stat.st_mtime_ns, stat.st_size))
        if not stamps:
            raise Unavailable("There are no policy files to serve")
        return tuple(stamps)


def bundle_of(files: dict[str, bytes]) -> Bundle:
    """The bundle of files by their paths below its root."""
    digest = hashlib.sha256()
    for name, body in sorted(files.items()):
        digest.update(f"{name}\0{len(body)}\0".encode() + body)
    revision = digest.hexdigest()[:16]
    roots = {
        package[1].decode()
        for body in files.values()
        if (package := PACKAGE.search(body))
    }
    manifest = orjson.dumps(
        {"revision": revision, "roots": sorted(roots), "rego_version": 1}
    )
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, body in {MANIFEST: manifest, **files}.items():
            entry = tarfile.TarInfo(f"/{name}")
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
    return Bundle(revision, gzip.compress(packed.getvalue(), mtime=0))
