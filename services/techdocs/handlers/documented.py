"""Keeps the table of documented entities: by events, and whole after a gap."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.techdocs.annotations import (
    alias_of,
    annotations,
    is_documented,
    own_source,
    source_of,
)
from services.techdocs.model import (
    CHANGED,
    CHECK,
    DocsFolder,
    DocsSource,
    Documented,
    docs_fields,
    touches,
)
from services.techdocs.ports import DocsCatalog, DocsSources, Records
from shared.contracts.annotations import VISIBILITY
from shared.contracts.catalog import EntityChange
from shared.contracts.errors import Invalid
from shared.contracts.gateway import RepositoryPushed

BATCH = 500
Revised = tuple[str, int, Mapping[str, Any] | None]


async def entities_changed(
    changes: Sequence[EntityChange], records: Records, sources: DocsSources
) -> int:
    """Keep what changed; the number of entities whose sources must be looked at."""
    return await revised(
        [(c.entity_ref, c.revision, c.entity) for c in changes], records, sources
    )


async def revised(
    entities: Sequence[Revised], records: Records, sources: DocsSources
) -> int:
    """The same for entities from wherever; None for one that was deleted."""
    # Within a batch the last word counts: batches keep an entity's order.
    latest = {ref: (revision, entity) for ref, revision, entity in entities}
    known = await records.documented_among(list(latest))
    asked: list[str] = []
    for ref, (revision, entity) in latest.items():
        former = known.get(ref)
        if entity is None or not is_documented(entity):
            if former is not None:
                await records.forget(ref, revision)
            continue
        if former is not None and former.revision >= revision:
            continue
        record = documented(ref, revision, entity)
        if await records.remember(record) and _must_look(former, record):
            # The queue takes turns by repository, also before the first build.
            await records.located(ref, _place(record.source, sources))
            asked.append(ref)
    if asked:
        await records.ask(asked, CHANGED)
    return len(asked)


def documented(ref: str, revision: int, entity: Mapping[str, Any]) -> Documented:
    """What is kept of an entity; a wrong annotation is kept as the reason."""
    try:
        alias = alias_of(entity)
        source = None if alias else source_of(entity)
        error = None
    except Invalid as problem:
        alias, source, error = None, None, problem.message
    return Documented(
        ref, revision, docs_fields(entity), source=source, alias=alias, error=error
    )


def _place(source: DocsSource | None, sources: DocsSources) -> DocsFolder | None:
    """Where a source is; None if no integration knows its host."""
    try:
        return sources.locate(source) if source else None
    except Invalid:
        return None


def _must_look(former: Documented | None, record: Documented) -> bool:
    if record.alias:
        return False
    return (
        former is None
        or former.source != record.source
        or former.error != record.error
        or former.title != record.title
    )


async def visibility_changed(
    changes: Sequence[EntityChange], records: Records, sources: DocsSources
) -> int:
    """Look at the docs that others have from where these entities come from.

    Of those whose visibility may have changed: it decides who may read their source.
    """
    asked: set[str] = set()
    for key in {_source_changed(change, sources) for change in changes} - {None}:
        for record, _, _ in await records.of_repository(str(key)):
            if repository_of(record.entity, sources) != key:
                asked.add(record.ref)
    if asked:
        await records.ask(sorted(asked), CHANGED)
    return len(asked)


def _source_changed(change: EntityChange, sources: DocsSources) -> str | None:
    """The repository whose readers a change may have changed."""
    entity = change.entity or change.previous or {}
    is_marked = VISIBILITY in annotations(entity)
    came_or_went = change.entity is None or change.revision == 1
    named = any(VISIBILITY in path for path in change.changed)
    if not named and not (is_marked and came_or_went):
        return None
    return repository_of(entity, sources)


def repository_of(entity: Mapping[str, Any], sources: DocsSources) -> str | None:
    """The repository that an entity was read from, `host/repository`."""
    place = _place(own_source(entity), sources)
    return place.repository_key if place else None


async def repository_pushed(push: RepositoryPushed, records: Records) -> int:
    """Look at the sources in this repository that the push may have changed."""
    branch = push.ref.removeprefix("refs/heads/")
    found = await records.of_repository(f"{push.host}/{push.repository}")
    asked = [
        record.ref
        for record, ref, folder in found
        if ref in ("", branch) and touches(record, folder, push.changed_paths)
    ]
    if asked:
        await records.ask(asked, CHANGED)
    return len(asked)


class Resync:
    """Compares the table with the catalog; the event log may have forgotten things."""

    def __init__(
        self, catalog: DocsCatalog, records: Records, sources: DocsSources
    ) -> None:
        self._catalog = catalog
        self._records = records
        self._sources = sources
        self._seen: str | None = None

    async def run(self) -> int:
        """Repair the table if the catalog is not what it was at the last run.

        Returns the number of entities whose sources must be looked at.
        """
        checksum = await self._catalog.checksum()
        if checksum == self._seen:
            return 0
        before = {r.ref: r.revision async for r in self._records.each()}
        seen: set[str] = set()
        asked = 0
        batch: list[Revised] = []
        async for item in self._catalog.snapshot():
            seen.add(item[0])
            batch.append(item)
            if len(batch) == BATCH:
                asked += await revised(batch, self._records, self._sources)
                batch.clear()
        asked += await revised(batch, self._records, self._sources)
        for ref, revision in before.items():
            if ref not in seen:
                await self._records.forget(ref, revision)
        self._seen = checksum
        return asked

    async def check_sources(self) -> int:
        """Look at every source once: pushes may have been missed; how many."""
        refs = [r.ref async for r in self._records.each() if r.source or r.error]
        for start in range(0, len(refs), BATCH):
            await self._records.ask(refs[start : start + BATCH], CHECK)
        return len(refs)
