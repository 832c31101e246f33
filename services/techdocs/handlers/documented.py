"""Stores which entities are documented: by events, and all of them after a gap."""

from collections.abc import Sequence

from services.techdocs.annotations import (
    alias_of,
    is_documented,
    own_source,
)
from services.techdocs.model import (
    CHANGED,
    CHECK,
    CatalogRevision,
    DocsFolder,
    Documented,
    stored_entity,
    touches,
)
from services.techdocs.ports import DocsCatalog, DocsSources, Records
from shared.contracts.annotations import (
    MANAGED_BY_LOCATION,
    PUBLIC,
    SOURCE_LOCATION,
    TECHDOCS_REF,
    VISIBILITY,
)
from shared.contracts.catalog import EntityChange
from shared.contracts.docs_sources import DocsSource, source_of
from shared.contracts.entity import Entity
from shared.contracts.errors import Invalid
from shared.contracts.gateway import RepositoryPushed

BATCH = 500
#: What says of a restricted entity which files are its own, and who may read them.
OWN_FILES = (MANAGED_BY_LOCATION, SOURCE_LOCATION, TECHDOCS_REF, "spec.owner")


async def entities_changed(
    changes: Sequence[EntityChange], records: Records, sources: DocsSources
) -> int:
    """Store changed entities; how many of them have a check of their source due."""
    revisions = [
        CatalogRevision(
            change.entity_ref,
            change.revision,
            None if change.entity is None else Entity(change.entity),
        )
        for change in changes
    ]
    return await store_revisions(revisions, records, sources)


async def store_revisions(
    revisions: Sequence[CatalogRevision], records: Records, sources: DocsSources
) -> int:
    """Store revisions of entities; how many have a check of their source due."""
    # A batch keeps the order of each entity's revisions: the last one counts, and that
    # there was one without docs before it, whose name is another entity's now.
    latest = {revision.ref: revision for revision in revisions}
    ends = {
        revision.ref: revision.revision
        for revision in revisions
        if revision.entity is None or not is_documented(revision.entity)
    }
    stored = await records.documented_among(list(latest))
    due: list[str] = []
    for ref, revision in latest.items():
        former, entity = stored.get(ref), revision.entity
        if former is not None and ref in ends and former.revision <= ends[ref]:
            await records.forget(ref, ends[ref])
            former = None
        if entity is None or not is_documented(entity):
            continue
        if former is not None and former.revision >= revision.revision:
            continue
        if former is not None and _has_other_readers(former.entity, entity, sources):
            await records.forget(ref, former.revision)
            former = None
        record = documented(ref, revision.revision, entity)
        if former is not None and former.current is not None and record.alias:
            # Nothing would build the site again that it had of its own.
            await records.forget(ref, former.revision)
            former = None
        if await records.remember(record) and _needs_check(former, record):
            # The queue takes turns by repository, also before the first build.
            await records.located(ref, _place(record.source, sources))
            due.append(ref)
    if due:
        await records.ask(due, CHANGED)
    return len(due)


def _has_other_readers(former: Entity, entity: Entity, sources: DocsSources) -> bool:
    """Whether a site that was built before may show more than its new readers may see.

    It goes then, and comes with the next build that succeeds: the name is another
    entity's now, or what was restricted is not, or for others, as its owners are.
    """
    owners, former_owners = entity.targets("ownedBy"), former.targets("ownedBy")
    return (
        former.metadata.get("uid") != entity.metadata.get("uid")
        or _origin(former, sources) != _origin(entity, sources)
        or former.visibility not in ("", PUBLIC, entity.visibility)
        or (former.is_restricted and not set(owners) <= set(former_owners))
    )


def _origin(entity: Entity, sources: DocsSources) -> object:
    """The repository, or else the location, that an entity was read from."""
    repository = repository_of(entity, sources)
    return repository or entity.annotations.get(MANAGED_BY_LOCATION)


def documented(ref: str, revision: int, entity: Entity) -> Documented:
    """The record of an entity; a wrong annotation becomes the record's error."""
    try:
        alias = alias_of(entity)
        source = None if alias else source_of(entity)
        error = None
    except Invalid as problem:
        alias, source, error = None, None, problem.message
    return Documented(
        ref, revision, stored_entity(entity), source=source, alias=alias, error=error
    )


def _place(source: DocsSource | None, sources: DocsSources) -> DocsFolder | None:
    """Where a source is; None if no integration knows its host."""
    try:
        return sources.locate(source) if source else None
    except Invalid:
        return None


def _needs_check(former: Documented | None, record: Documented) -> bool:
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
    """Make a build due of docs whose readers these changes may have changed; how many.

    The visibility of a repository's own entities decides who may read it (ADR 18).
    Other entities may have their docs in that repository, and links of docs may lead
    to folders of other entities.
    """
    due: set[str] = set()
    affected = filter(_may_change_readers, changes)
    entities = [Entity(change.entity or change.previous or {}) for change in affected]
    for key in {repository_of(entity, sources) for entity in entities}:
        if key is None:
            due.update(await records.on_this_machine())
        else:
            located = await records.of_repository(key)
            due.update(record.ref for record, _, _ in located)
            due.update(await records.built_from(key))
    if due:
        await records.ask(sorted(due), CHANGED, rights_changed=True)
    return len(due)


def _may_change_readers(change: EntityChange) -> bool:
    """Whether a change may change who may read the repository of its entity."""
    entity = Entity(change.entity or change.previous or {})
    is_marked = VISIBILITY in entity.annotations
    # A name that comes again goes on with its revisions.
    came_or_went = change.entity is None or not change.changed
    named = any(VISIBILITY in path for path in change.changed)
    moved = any(field in path for path in change.changed for field in OWN_FILES)
    return named or (is_marked and (came_or_went or moved))


def repository_of(entity: Entity, sources: DocsSources) -> str | None:
    """The repository that an entity was read from, `host/repository`."""
    place = _place(own_source(entity), sources)
    return place.repository_key if place else None


async def repository_pushed(push: RepositoryPushed, records: Records) -> int:
    """Make a build due of the docs that a push may have changed; how many."""
    branch = push.ref.removeprefix("refs/heads/")
    located = await records.of_repository(f"{push.host}/{push.repository}")
    due = [
        record.ref
        for record, ref, folder in located
        if ref in ("", branch) and touches(record, folder, push.changed_paths)
    ]
    if due:
        await records.ask(due, CHANGED)
    return len(due)


class Resync:
    """Compares the table with the catalog: the event log drops old events."""

    def __init__(
        self, catalog: DocsCatalog, records: Records, sources: DocsSources
    ) -> None:
        self._catalog = catalog
        self._records = records
        self._sources = sources
        self._checksum: str | None = None

    async def run(self) -> int:
        """Repair the table if the catalog has changed since the last run.

        Returns how many entities have a check of their source due.
        """
        checksum = await self._catalog.checksum()
        if checksum == self._checksum:
            return 0
        before = {r.ref: r.revision async for r in self._records.each()}
        refs: set[str] = set()
        due = 0
        batch: list[CatalogRevision] = []
        async for revision in self._catalog.snapshot():
            refs.add(revision.ref)
            batch.append(revision)
            if len(batch) == BATCH:
                due += await store_revisions(batch, self._records, self._sources)
                batch.clear()
        due += await store_revisions(batch, self._records, self._sources)
        for ref, former in before.items():
            if ref not in refs:
                await self._records.forget(ref, former)
        self._checksum = checksum
        return due

    async def check_sources(self) -> int:
        """Make a check of every source due: pushes may have been missed; how many."""
        refs = [r.ref async for r in self._records.each() if r.source or r.error]
        for start in range(0, len(refs), BATCH):
            await self._records.ask(refs[start : start + BATCH], CHECK)
        return len(refs)
