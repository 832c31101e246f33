"""The policy's files as a bundle that OPA servers fetch, made anew when they change.

The format is OPA's: a compressed tar archive with a `.manifest` that names the revision
and the packages (`roots`) that the bundle replaces. Tests stay out of it.
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
#: How often files that change while they are read are read again.
TRIES = 5

_Stamps = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Bundle:
    """An archive; the same files make the same bytes and the same revision."""

    revision: str
    body: bytes


class PolicyFolder:
    """The bundle of a folder's Rego files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: tuple[_Stamps, Bundle] | None = None

    def bundle(self) -> Bundle:
        """The bundle of what the files say now. Reads files: not for the event loop.

        Raises:
            Unavailable: if there are none. A server keeps what it has: an emptied
                folder is no policy.
        """
        for _ in range(TRIES):
            stamps = self._stamps()
            if self._made is not None and self._made[0] == stamps:
                return self._made[1]
            files = {name: (self._folder / name).read_bytes() for name, _, _ in stamps}
            if stamps == self._stamps():
                made = bundle_of(files)
                self._made = (stamps, made)
                return made
        raise Unavailable("The policy's files are being changed")

    def _stamps(self) -> _Stamps:
        found = []
        for file in sorted(self._folder.rglob("*.rego")):
            if not file.name.endswith("_test.rego"):
                stat = file.stat()
                name = file.relative_to(self._folder).as_posix()
                found.append((name, stat.st_mtime_ns, stat.st_size))
        if not found:
            raise Unavailable("There are no policy files to hand out")
        return tuple(found)


def bundle_of(files: dict[str, bytes]) -> Bundle:
    """The bundle of files, given by path below its root."""
    digest = hashlib.sha256()
    for name, body in sorted(files.items()):
        digest.update(f"{name}\0{len(body)}\0".encode() + body)
    revision = digest.hexdigest()[:16]
    roots = {
        found[1].decode() for body in files.values() if (found := PACKAGE.search(body))
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
