"""A version of the embedded index with its ledger, which detects outdated changes.

Changes are applied one batch at a time; each batch is one commit.
"""

import asyncio
from collections.abc import Hashable, Iterable, Mapping, Sequence

from services.search.documents import (
    entity_record,
    facts_of,
    section_of,
    section_records,
    site_record,
    tombstone_record,
)
from services.search.ledger import Ledger
from services.search.model import (
    Change,
    EntityRemoval,
    EntityUpsert,
    Facts,
    IndexedVersions,
    IndexRecord,
    PageSection,
    SiteRemoval,
    SiteUpsert,
    group_of,
)
from services.search.ports import Checksums, RecordIndex

Groups = dict[str, Sequence[IndexRecord]]


class LocalIndexVersion:
    """An index with its ledger; `complete` once it has agreed with its sources."""

    def __init__(
        self, name: str, index: RecordIndex, ledger: Ledger, *, complete: bool
    ) -> None:
        self.name = name
        self._index = index
        self.ledger = ledger
        self.complete = complete
        self._commits = 0
        self._lock = asyncio.Lock()

    @classmethod
    async def of(
        cls, name: str, index: RecordIndex, *, complete: bool
    ) -> "LocalIndexVersion":
        """Make the version of an opened index."""
        ledger = Ledger.of(await index.indexed_versions())
        return cls(name, index, ledger, complete=complete)

    async def apply(self, changes: Sequence[Change]) -> int:
        async with self._lock:
            new_changes = self._new_changes(changes)
            if not new_changes:
                return 0
            await self._index.replace(await self._groups(new_changes))
            self._commits += 1
            for change in new_changes:
                self._record_change(change)
            return len(new_changes)

    async def forget_tombstones(self, before: float) -> int:
        async with self._lock:
            refs = self.ledger.old_tombstones(before)
            if refs:
                await self._index.replace({group_of("entity", ref): () for ref in refs})
            for ref in refs:
                self.ledger.forget(ref)
            return len(refs)

    @property
    def index(self) -> RecordIndex:
        return self._index

    @property
    def edition(self) -> Hashable:
        """Changes with every commit, after which cached answers are outdated."""
        return self.name, self._commits

    async def checksums(self) -> Checksums:
        return _sums(self.ledger)

    async def recomputed_checksums(self) -> Checksums:
        return _sums(Ledger.of(await self._index.indexed_versions()))

    async def indexed_versions(self) -> IndexedVersions:
        ledger = self.ledger
        return IndexedVersions(
            dict(ledger.entities), dict(ledger.tombstones), dict(ledger.sites)
        )

    async def sites_of(self, refs: Sequence[str]) -> Mapping[str, str]:
        sites = self.ledger.sites
        return {ref: sites[ref] for ref in refs if ref in sites}

    async def close(self) -> None:
        """Close its index."""
        await self._index.close()

    def _new_changes(self, changes: Sequence[Change]) -> list[Change]:
        """The last change of each entity and site that is newer than the index."""
        latest: dict[tuple[bool, str], Change] = {}
        for change in changes:
            key = (isinstance(change, EntityUpsert | EntityRemoval), change.ref)
            previous = latest.get(key)
            if self._is_new(change) and _supersedes(change, previous):
                latest[key] = change
        return list(latest.values())

    def _is_new(self, change: Change) -> bool:
        ledger = self.ledger
        match change:
            case SiteUpsert(ref, site, _):
                return ledger.sites.get(ref) != site
            case SiteRemoval(ref, replaces):
                current_site = ledger.sites.get(ref)
                return current_site is not None and replaces in (None, current_site)
            case EntityUpsert() | EntityRemoval():
                indexed = ledger.version_of(change.ref)
                if change.replaces is not None and change.replaces == indexed:
                    return True
                return change.version.is_newer_than(indexed)

    async def _groups(self, changes: Sequence[Change]) -> Groups:
        """The records to replace; a site's sections change with their entity."""
        entities = [
            change
            for change in changes
            if isinstance(change, EntityUpsert | EntityRemoval)
        ]
        sites = {
            change.ref: change
            for change in changes
            if isinstance(change, SiteUpsert | SiteRemoval)
        }
        # In a thread, because a hundred entities take ten milliseconds.
        records = await asyncio.to_thread(
            lambda: [_record(change) for change in entities]
        )
        groups: Groups = {
            group_of("entity", record.ref): [record] for record in records
        }
        facts = {record.ref: facts_of(record.stored_values) for record in records}
        groups.update(await self._pages(facts, sites))
        return groups

    async def _pages(
        self, facts: dict[str, Facts | None], sites: dict[str, SiteUpsert | SiteRemoval]
    ) -> Groups:
        sections = await self._stored_sections(
            ref for ref in facts if ref in self.ledger.sites and ref not in sites
        )
        groups: Groups = {}
        for ref, site in sites.items():
            upsert = site if isinstance(site, SiteUpsert) else None
            sections[ref] = upsert.sections if upsert else ()
            groups[group_of("site", ref)] = (
                [site_record(ref, upsert.site)] if upsert else []
            )
        stored_facts = await self._stored_facts(
            ref for ref in sites if ref not in facts
        )
        facts = {**stored_facts, **facts}
        for ref, site_sections in sections.items():
            records = list(section_records(ref, site_sections, facts.get(ref)))
            groups[group_of("section", ref)] = records
        return groups

    async def _stored_sections(
        self, refs: Iterable[str]
    ) -> dict[str, tuple[PageSection, ...]]:
        groups = {group_of("section", ref): ref for ref in refs}
        if not groups:
            return {}
        stored = await self._index.stored_values(list(groups))
        return {
            groups[group]: tuple(section_of(document) for document, _ in documents)
            for group, documents in stored.items()
        }

    async def _stored_facts(self, refs: Iterable[str]) -> dict[str, Facts | None]:
        groups = {group_of("entity", ref): ref for ref in refs}
        if not groups:
            return {}
        stored = await self._index.stored_values(list(groups))
        return {
            groups[group]: facts_of(documents[0][1]) if documents else None
            for group, documents in stored.items()
        }

    def _record_change(self, change: Change) -> None:
        match change:
            case EntityUpsert(ref, version):
                self.ledger.set_entity(ref, version)
            case EntityRemoval(ref, version):
                self.ledger.set_entity(ref, version, is_deleted=True)
            case SiteUpsert(ref, site, _):
                self.ledger.set_site(ref, site)
            case SiteRemoval(ref):
                self.ledger.set_site(ref, None)


def _sums(ledger: Ledger) -> Checksums:
    return {"entities": ledger.entity_checksum, "sites": ledger.site_checksum}


def _record(change: EntityUpsert | EntityRemoval) -> IndexRecord:
    if isinstance(change, EntityUpsert):
        return entity_record(change)
    return tombstone_record(change.ref, change.version)


def _supersedes(change: Change, previous: Change | None) -> bool:
    """Whether a change replaces an earlier one of its batch.

    Sites are taken in their order, entities by their versions.
    """
    if isinstance(change, EntityUpsert | EntityRemoval) and isinstance(
        previous, EntityUpsert | EntityRemoval
    ):
        return change.version.is_newer_than(previous.version)
    return True
