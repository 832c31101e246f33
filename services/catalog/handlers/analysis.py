"""What a location could bring that is not registered yet, and checks of one entity."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.catalog.descriptor.envelope import identify
from services.catalog.handlers.catalog import CatalogContext
from services.catalog.handlers.effort import Effort
from services.catalog.handlers.including import include
from services.catalog.handlers.source_rights import SourceReader
from services.catalog.ingest import placeholders
from services.catalog.ingest.candidates import (
    Candidate,
    Context,
    candidate,
    check_document,
)
from services.catalog.model import LocationRef, RepositoryPath
from services.catalog.ports import FetchedFile, HiddenPaths, SourceSnapshot
from shared.contracts.entity import Entity
from shared.contracts.errors import CallboardError, Invalid, NotFound
from shared.guards.yaml_text import load_documents

FILENAME = "catalog-info.yaml"
#: Files of one repository that are read for one question.
MOST_FILES = 1_000
_DESCRIPTOR = re.compile(r"[\w.-]{1,200}\.(?:ya?ml|json)", re.IGNORECASE)
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class RegistrableEntity:
    """An entity that a file describes and that may be registered from there."""

    file: LocationRef
    is_registered: bool
    entity: Entity


@dataclass(frozen=True, slots=True)
class RepositoryAnalysis:
    """The entities that descriptors describe; without any, a first one to complete."""

    existing: list[RegistrableEntity]
    generated: Entity | None


async def validate(
    catalog: CatalogContext, entity: Any, location: LocationRef, reader: SourceReader
) -> None:
    """Check an entity as if it stood in a file at `location`.

    Placeholders are read on behalf of the reader: an error may repeat some of it.

    Raises:
        CallboardError: naming the field and the rule.
    """
    identify(entity)
    reading = catalog.sources.reading()

    async def admit(included: LocationRef) -> HiddenPaths:
        await catalog.rights.require(included, reader, raw=True)
        return catalog.rights.hidden_paths(included, reader, raw=True)

    references = placeholders.find(entity)
    effort = catalog.effort(str(location))
    included = await include(
        references, location, reading, admit=admit, compute=effort.compute
    )
    kinds = catalog.rules.kinds
    await effort.compute(check_document, entity, included.contents, kinds)


async def analyse(
    catalog: CatalogContext,
    location: LocationRef,
    filename: str,
    reader: SourceReader,
    is_shown: Callable[[Entity], bool],
) -> RepositoryAnalysis:
    """The descriptors that a repository has, or a first one for it.

    The answer has only entities of kinds that may be registered, and only those that
    `is_shown` allows the caller: other YAML of that name is as good as absent.

    Raises:
        Invalid: if `filename` is no name of a descriptor, or one of very many files.
    """
    if not _DESCRIPTOR.fullmatch(filename):
        raise Invalid(
            "request/body/catalogFilename must be the name of a YAML or JSON file"
        )
    await catalog.rights.require_some(location, reader)
    reading = catalog.sources.reading()
    files = await reading.named(location, filename)
    if len(files) > MOST_FILES:
        raise Invalid(
            f"location: over {MOST_FILES:,} files are named {filename} there; register "
            f"a pattern that means them, such as **/{filename}"
        )
    effort = catalog.effort("location")
    existing: list[RegistrableEntity] = []
    for file in files:
        if not await catalog.rights.is_readable(file, reader, raw=False):
            continue
        hidden_paths = catalog.rights.hidden_paths(file, reader, raw=False)
        try:
            fetched = await reading.read(file, hidden_paths=hidden_paths)
        except NotFound:
            # A link that leads to nothing, or to what is hidden.
            continue
        entities = await _entities(catalog, fetched, file, filename, effort=effort)
        is_registered = _is_registered(catalog, reading, file)
        existing += [
            RegistrableEntity(file, is_registered, entity)
            for entity in entities
            if is_shown(entity)
        ]
    generated = None if existing else _generated(reading.place(location), location)
    return RepositoryAnalysis(existing, generated)


async def _entities(
    catalog: CatalogContext,
    fetched: FetchedFile,
    file: LocationRef,
    filename: str,
    *,
    effort: Effort,
) -> list[Entity]:
    """The entities in a file that may be registered from there."""
    try:
        documents = await effort.compute(load_documents, fetched.body)
    except CallboardError:
        effort.check()
        # What is wrong with a file that need not be a descriptor is nobody's business.
        if filename not in {FILENAME, FILENAME.replace(".yaml", ".yml")}:
            return []
        raise
    context = Context(file, file, file.entity_ref, catalog.rules)
    return [
        Entity(document)
        for document in documents
        if await effort.compute(_is_entity, document, context)
    ]


def _is_entity(document: Any, context: Context) -> bool:
    try:
        contents = dict.fromkeys(placeholders.find(document), "included")
    except (Invalid, RecursionError):
        return False
    return isinstance(candidate(document, context, contents), Candidate)


def _is_registered(
    catalog: CatalogContext, reading: SourceSnapshot, file: LocationRef
) -> bool:
    place = reading.place(file)
    return place is not None and any(
        state.location == str(file)
        for root in catalog.state.roots_of(place.key)
        for state in root.files.values()
    )


def _generated(place: RepositoryPath | None, location: LocationRef) -> Entity:
    """A component that its owner has to complete."""
    path = place.repository if place else location.target.rstrip("/")
    name = _NOT_IN_NAMES.sub("-", path.rpartition("/")[2]).strip("-")[:63]
    metadata: dict[str, Any] = {"name": name or "component"}
    if place is not None:
        metadata["annotations"] = {f"{place.host}/project-slug": place.repository}
    return Entity(
        {
            "apiVersion": "backstage.io/v1alpha1",
            "kind": "Component",
            "metadata": metadata,
            "spec": {"type": "other", "lifecycle": "unknown"},
        }
    )
