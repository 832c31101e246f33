"""The catalog's checks of descriptors on this machine, for `callboard validate`.

Web addresses are not read, since that needs a portal's integrations: a placeholder with
an address counts as valid, and a Location's target at an address is not followed.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.catalog.descriptor import envelope
from services.catalog.descriptor.kinds import Kinds, limited, read_kinds
from services.catalog.descriptor.reference_warnings import reference_warnings
from services.catalog.handlers.including import include
from services.catalog.ingest import placeholders
from services.catalog.ingest.candidates import check_document
from services.catalog.ingest.location_targets import fields_of, targets_of
from services.catalog.ingest.problems import place_in, with_text_advice
from services.catalog.ingest.refusals import (
    BrokenFields,
    Refusal,
    paths_of,
)
from services.catalog.model import LocationRef
from services.catalog.readers.local import LocalReading, repository_of
from shared.contracts.entity import Entity
from shared.contracts.errors import CallboardError
from shared.guards.addresses import is_web_address

__all__ = [
    "CheckedDocument",
    "DescriptorChecks",
    "LocalReading",
    "Refusal",
    "paths_of",
    "place_in",
    "read_kinds",
    "with_text_advice",
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

    `warnings` are about what the catalog takes, but hardly means what its author wants:
    each is `field: rule`; a document with an error has them as well. `targets` are the
    files on this machine that a Location refers to.
    """

    ref: str | None = None
    entity: Entity | None = None
    error: CallboardError | None = None
    warnings: list[str] = field(default_factory=list)
    targets: list[Path] = field(default_factory=list)

    @property
    def warning(self) -> CallboardError | None:
        """All warnings as one, if there are any."""
        if not self.warnings:
            return None
        return BrokenFields("; ".join(self.warnings), self.warnings)


class DescriptorChecks:
    """Checks documents, each in the repository that its file lies in.

    `path` is the file or folder that is checked: what lies in no repository is read
    from there. `kinds` are files or folders of own kinds (`catalog.kinds`).

    Raises:
        Invalid: naming the file of a kind, the field, and the rule it breaks.
    """

    def __init__(self, path: Path, kinds: Iterable[Path] = ()) -> None:
        self._path = path
        #: By the repositories of files; None: of those in none.
        self._readings: dict[Path | None, LocalReading] = {}
        self._kinds = read_kinds(kinds)

    async def check(self, file: Path, document: Any) -> CheckedDocument:
        """Apply the catalog's rules to a document of a file."""
        result = CheckedDocument()
        reading = await asyncio.to_thread(self._reading_of, file)
        location = reading.location_of(file)
        try:
            result.ref = str(envelope.identify(document))
            contents = await _read_placeholders(reading, location, document)
            result.warnings += await asyncio.to_thread(
                _reference_warnings, document, contents, self._kinds
            )
            entity, _ = await asyncio.to_thread(
                check_document, document, contents, self._kinds
            )
            if entity.kind == "Location":
                await _follow(reading, location, entity, result.targets)
        except CallboardError as error:
            result.error = error
        else:
            result.entity = entity
        return result

    def _reading_of(self, file: Path) -> LocalReading:
        repository = repository_of(file)
        if repository not in self._readings:
            self._readings[repository] = LocalReading(repository or self._path)
        return self._readings[repository]


async def _read_placeholders(
    reading: LocalReading, location: LocationRef, document: Any
) -> dict[placeholders.Placeholder, Any]:
    references = list(placeholders.find(document))
    local = [item for item in references if not is_web_address(item[1])]
    remote = {
        reference: REMOTE_CONTENT[reference[0]]
        for reference in references
        if reference not in local
    }
    # `include` needs only these methods of `LocalReading`: read, included, place.
    included = await include(local, location, reading)  # type: ignore[arg-type]
    return {**included.contents, **remote}


async def _follow(
    reading: LocalReading, location: LocationRef, entity: Entity, files: list[Path]
) -> None:
    """Add the local files that the right targets of a Location refer to.

    Raises:
        BrokenFields: naming the fields of all others, if there are any.
    """
    kind, targets, is_optional = targets_of(entity)
    fields = fields_of(entity)
    problems: dict[str, None] = {}
    for target in targets:
        try:
            matches = await reading.files(location, target, kind)
        except CallboardError as error:
            problems[_target_problem(fields[target], error)] = None
            continue
        existing = [file for file in matches or () if file.is_file()]
        files += existing
        is_complete = matches is None or (matches and existing == matches)
        if not is_complete and not is_optional:
            problems[f"{fields[target]}: there is no file {target}"] = None
    if problems:
        named_problems = limited(list(problems))
        raise BrokenFields("; ".join(named_problems), named_problems)


def _reference_warnings(
    document: Any, contents: Mapping[placeholders.Placeholder, Any], kinds: Kinds
) -> list[str]:
    """Warnings about a document's refs, by their places in the file."""
    try:
        entity = envelope.complete(placeholders.fill(document, contents))
    except CallboardError:
        # The check of the document names it.
        return []
    kind = kinds.get(entity.kind)
    return [] if kind is None else reference_warnings(entity, kind)


def _target_problem(field: str, error: CallboardError) -> str:
    """Why a target cannot be read, as `field: rule`."""
    if error.message.startswith("spec."):
        return error.message
    return f"{field}: {error.message.removeprefix('target: ')}"
