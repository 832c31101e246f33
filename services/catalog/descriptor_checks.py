"""The catalog's checks of descriptors on this machine, for `callboard validate`.

Web addresses are not read, since that needs a portal's integrations: a placeholder with
an address counts as valid, and a Location's target at an address is not followed.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.catalog.descriptor import envelope
from services.catalog.descriptor.kinds import read_kinds
from services.catalog.handlers.including import include
from services.catalog.ingest import placeholders
from services.catalog.ingest.candidates import check_document
from services.catalog.ingest.location_targets import targets_of
from services.catalog.ingest.refusals import Refusal, paths_of
from services.catalog.model import LocationRef, RepositoryPath
from services.catalog.ports import FetchedFile, HiddenPaths
from services.catalog.readers.files import FileReader
from shared.contracts.entity import Entity
from shared.contracts.errors import CallboardError, Forbidden, Invalid

__all__ = [
    "CheckedDocument",
    "DescriptorChecks",
    "LocalReading",
    "Refusal",
    "paths_of",
    "read_kinds",
]

#: The assumed content of a placeholder with a web address.
REMOTE_CONTENT: dict[str, Any] = {
    "$text": "elsewhere",
    "$json": {},
    "$yaml": {},
    "$openapi": "elsewhere",
    "$asyncapi": "elsewhere",
}


@dataclass(slots=True)
class CheckedDocument:
    """A document with its ref, if it has one, and its `entity` or the `error` in it.

    `targets` are the files on this machine that a Location refers to.
    """

    ref: str | None = None
    entity: Entity | None = None
    error: CallboardError | None = None
    targets: list[Path] = field(default_factory=list)


class DescriptorChecks:
    """Checks documents; `path` is a file or folder of the repository to read from.

    `kinds` are files or folders of own kinds (`catalog.kinds`).

    Raises:
        Invalid: naming the file of a kind, the field, and the rule it breaks.
    """

    def __init__(self, path: Path, kinds: Iterable[Path] = ()) -> None:
        self._reading = LocalReading(path)
        self._kinds = read_kinds(kinds)

    async def check(self, file: Path, document: Any) -> CheckedDocument:
        """Apply the catalog's rules to a document of a file."""
        result = CheckedDocument()
        location = LocationRef("file", os.path.realpath(file))
        try:
            result.ref = str(envelope.identify(document))
            contents = await self._read_placeholders(location, document)
            entity, _ = await asyncio.to_thread(
                check_document, document, contents, self._kinds
            )
            if entity.kind == "Location":
                async for target in self._targets(location, entity):
                    result.targets.append(target)
        except CallboardError as error:
            result.error = error
        else:
            result.entity = entity
        return result

    async def _read_placeholders(
        self, location: LocationRef, document: Any
    ) -> dict[placeholders.Placeholder, Any]:
        references = list(placeholders.find(document))
        local = [reference for reference in references if "://" not in reference[1]]
        remote = {
            reference: REMOTE_CONTENT[reference[0]]
            for reference in references
            if reference not in local
        }
        # `include` needs only the three methods of `LocalReading`.
        included = await include(local, location, self._reading)  # type: ignore[arg-type]
        return {**included.contents, **remote}

    async def _targets(
        self, location: LocationRef, entity: Entity
    ) -> AsyncIterator[Path]:
        """The local files that a Location refers to.

        Raises:
            Invalid: if a target that is not optional has no file.
        """
        kind, targets, optional = targets_of(entity)
        if kind not in {None, "file"}:
            return
        for target in targets:
            if "://" in target:
                continue
            pattern = self._reading.included(location, target)
            matches = await self._reading.matching(pattern)
            files = [Path(match.target) for match in matches]
            existing = [file for file in files if file.is_file()]
            if (not files or len(existing) < len(files)) and not optional:
                raise Invalid(f"spec.targets: there is no file {target}")
            for file in existing:
                yield file


class LocalReading:
    """Reads files that a descriptor refers to, from its repository or its folder."""

    def __init__(self, path: Path) -> None:
        folder = Path(os.path.realpath(path if path.is_dir() else path.parent))
        parents = (folder, *folder.parents)
        repository = next(
            (parent for parent in parents if (parent / ".git").exists()), folder
        )
        self._files = FileReader([repository])

    async def read(
        self,
        location: LocationRef,
        etag: str | None = None,
        *,
        hidden_paths: HiddenPaths | None = None,  # noqa: ARG002
    ) -> FetchedFile:
        """A file's content; on this machine, links hide nothing from who checks it."""
        return await self._files.read(location, etag)

    async def matching(self, location: LocationRef) -> list[LocationRef]:
        """The files that match a pattern."""
        return await self._files.matching(location)

    def included(self, base: LocationRef, target: str) -> LocationRef:
        """The file that a target in the file at `base` refers to."""
        if "://" in target:
            raise Forbidden(f"{target} can only be read by a portal")
        return self._files.resolve(base, target)

    def place(self, location: LocationRef) -> RepositoryPath | None:  # noqa: ARG002
        """Always None: positions in Git matter to a portal only."""
        return None
