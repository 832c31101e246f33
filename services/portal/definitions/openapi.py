"""OpenAPI 3 and Swagger 2: operations by tag, webhooks, and the schemas they use."""

from collections.abc import Iterator
from dataclasses import replace

from services.portal.definitions.documents import DefinitionDocument, load
from services.portal.definitions.model import (
    Definition,
    DefinitionEntry,
    Group,
    Unreadable,
    anchor,
    join_texts,
    objects,
    words,
)
from services.portal.definitions.operations import METHODS, Operations
from services.portal.definitions.properties import (
    external_docs,
    general_facts,
    security_group,
)
from services.portal.definitions.schemas import Schemas
from shared.contracts.entity import list_of, mapping_of

#: So many operations and schemas are read; the page says how many are left out.
MOST_OPERATIONS = 2_000
MOST_FACTS = 60
TAG_FIELDS = frozenset({"name", "summary", "description", "externalDocs"})
UNTAGGED = "Operations"


def read(text: str) -> Definition:
    """Raises Unreadable if the text is no OpenAPI document."""
    document = load(text)
    release = words(document.get("openapi") or document.get("swagger"))
    if not release:
        raise Unreadable("There is no `openapi` (or `swagger`) at its root.")
    return _Reader(document).definition(release)


class _Reader:
    def __init__(self, document: DefinitionDocument) -> None:
        self._document = document
        self._schemas = Schemas(document)
        self._operations = Operations(document, self._schemas)
        self._has_more = False

    def definition(self, release: str) -> Definition:
        unshown = self._document.unshown
        facts = list(unshown.first("facts", general_facts(self._document), MOST_FACTS))
        groups = [*self._tags(), *self._webhooks(), security_group(self._document)]
        groups.append(self._schemas.group(MOST_OPERATIONS))
        definition = self._document.definition(
            f"OpenAPI {release}", "openapi", facts, groups
        )
        count = len(self._schemas.named)
        if not self._has_more and count <= MOST_OPERATIONS:
            return definition
        total = max(self._count(), count)
        of = f" of {total:,}" if total > MOST_OPERATIONS else ""
        note = f"The first {MOST_OPERATIONS:,}{of} operations or schemas are listed."
        return replace(definition, notes=[*definition.notes, note])

    def _tags(self) -> Iterator[Group]:
        tags = [mapping_of(tag) for tag in list_of(self._document.get("tags"))]
        for tag in tags:
            self._document.unshown.check("tags", tag, TAG_FIELDS)
        about = {
            words(tag.get("name")): join_texts(
                words(tag.get("summary")),
                words(tag.get("description")),
                external_docs(tag),
            )
            for tag in tags
        }
        entries_by_tag: dict[str, list[DefinitionEntry]] = {
            name: [] for name in about if name
        }
        for name, entry in self._first_entries(self._of_paths()):
            entries_by_tag.setdefault(name, []).append(entry)
        for name, entries in entries_by_tag.items():
            if entries:
                title = name[:1].upper() + name[1:]
                yield Group(anchor("tag", name), title, about.get(name, ""), entries)

    def _of_paths(self) -> Iterator[tuple[str, DefinitionEntry]]:
        for path, item in objects(self._document.get("paths")):
            for operation, entry in self._operations.of_path(path, item):
                tags = [words(tag) for tag in list_of(operation.get("tags"))[:1]]
                yield next(filter(None, tags), UNTAGGED), entry

    def _webhooks(self) -> Iterator[Group]:
        """The requests that the API sends to its subscribers (OpenAPI 3.1)."""
        entries = (
            ("", entry)
            for name, item in objects(self._document.get("webhooks"))
            for _, entry in self._operations.of_path(name, item, kind="webhook")
        )
        webhooks = [entry for _, entry in self._first_entries(entries)]
        if webhooks:
            about = "Requests that this API sends to an address that its user names."
            yield Group("webhooks", "Webhooks", about, webhooks)

    def _count(self) -> int:
        """How many operations stand in the text itself."""
        paths = mapping_of(self._document.get("paths")).values()
        return sum(len(mapping_of(item).keys() & set(METHODS)) for item in paths)

    def _first_entries(
        self, entries: Iterator[tuple[str, DefinitionEntry]]
    ) -> Iterator[tuple[str, DefinitionEntry]]:
        """The first of these."""
        for count, item in enumerate(entries):
            if count == MOST_OPERATIONS:
                self._has_more = True
                return
            yield item
