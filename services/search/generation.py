"""A generation of an index of one's own, and the ledger that says what is news.

Changes are applied one batch at a time; each batch is one commit.
"""

import asyncio
from collections.abc import Hashable, Iterable, Mapping, Sequence

from services.search.documents import (
    entity_record,
    facts_of,
    gone_record,
    section_of,
    section_records,
    site_record,
)
from services.search.ledger import Ledger
from services.search.model import (
    Change,
    EntityGone,
    EntityPut,
    Facts,
    Holdings,
    IndexRecord,
    PageSection,
    SiteGone,
    SitePut,
    group_of,
)
from services.search.ports import RecordIndex, Sums

Groups = dict[str, Sequence[IndexRecord]]


class LocalGeneration:
    """An index with its ledger. `complete` once it has agreed with its owners."""

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
    ) -> "LocalGeneration":
        """The generation in an opened index."""
        ledger = Ledger.of(await index.holdings())
        return cls(name, index, ledger, complete=complete)

    async def apply(self, changes: Sequence[Change]) -> int:
        async with self._lock:
            news = self._news(changes)
            if not news:
                return 0
            await self._index.replace(await self._groups(news))
            self._commits += 1
            for change in news:
                self._note(change)
            return len(news)

    async def forget_tombs(self, before: float) -> int:
        async with self._lock:
            refs = self.ledger.old_tombs(before)
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
        """An answer is good until the next commit."""
        return self.name, self._commits

    async def sums(self) -> Sums:
        return _sums(self.ledger)

    async def counted(self) -> Sums:
        return _sums(Ledger.of(await self._index.holdings()))

    async def holdings(self) -> Holdings:
        ledger = self.ledger
        return Holdings(dict(ledger.entities), dict(ledger.gone), dict(ledger.sites))

    async def sites_of(self, refs: Sequence[str]) -> Mapping[str, str]:
        held = self.ledger.sites
        return {ref: held[ref] for ref in refs if ref in held}

    async def close(self) -> None:
        """Close its index."""
        await self._index.close()

    def _news(self, changes: Sequence[Change]) -> list[Change]:
        """The last change of each thing, unless the index has it or a newer one."""
        last: dict[tuple[bool, str], Change] = {}
        for change in changes:
            place = (isinstance(change, EntityPut | EntityGone), change.ref)
            before = last.get(place)
            if self._is_news(change) and _follows(change, before):
                last[place] = change
        return list(last.values())

    def _is_news(self, change: Change) -> bool:
        ledger = self.ledger
        match change:
            case SitePut(ref, site, _):
                return ledger.sites.get(ref) != site
            case SiteGone(ref, replaces):
                held = ledger.sites.get(ref)
                return held is not None and replaces in (None, held)
            case EntityPut() | EntityGone():
                known = ledger.version_of(change.ref)
                if change.replaces is not None and change.replaces == known:
                    return True
                return change.version.is_newer_than(known)

    async def _groups(self, news: Sequence[Change]) -> Groups:
        """The records that change, pages together with the entity they belong to."""
        entities = [c for c in news if isinstance(c, EntityPut | EntityGone)]
        sites = {c.ref: c for c in news if isinstance(c, SitePut | SiteGone)}
        # A hundred entities take ten milliseconds, in which nobody would be answered.
        records = await asyncio.to_thread(lambda: [_record(c) for c in entities])
        groups: Groups = {group_of("entity", each.ref): [each] for each in records}
        facts = {each.ref: facts_of(each.kept) for each in records}
        groups.update(await self._pages(facts, sites))
        return groups

    async def _pages(
        self, facts: dict[str, Facts | None], sites: dict[str, SitePut | SiteGone]
    ) -> Groups:
        sections = await self._old_sections(
            ref for ref in facts if ref in self.ledger.sites and ref not in sites
        )
        groups: Groups = {}
        for ref, site in sites.items():
            found = site if isinstance(site, SitePut) else None
            sections[ref] = found.sections if found else ()
            groups[group_of("site", ref)] = (
                [site_record(ref, found.site)] if found else []
            )
        known = await self._known_facts(ref for ref in sites if ref not in facts)
        facts = {**known, **facts}
        for ref, of_site in sections.items():
            records = list(section_records(ref, of_site, facts.get(ref)))
            groups[group_of("section", ref)] = records
        return groups

    async def _old_sections(
        self, refs: Iterable[str]
    ) -> dict[str, tuple[PageSection, ...]]:
        groups = {group_of("section", ref): ref for ref in refs}
        if not groups:
            return {}
        kept = await self._index.stored_values(list(groups))
        return {
            groups[group]: tuple(section_of(document) for document, _ in found)
            for group, found in kept.items()
        }

    async def _known_facts(self, refs: Iterable[str]) -> dict[str, Facts | None]:
        groups = {group_of("entity", ref): ref for ref in refs}
        if not groups:
            return {}
        kept = await self._index.stored_values(list(groups))
        return {
            groups[group]: facts_of(found[0][1]) if found else None
            for group, found in kept.items()
        }

    def _note(self, change: Change) -> None:
        match change:
            case EntityPut(ref, version):
                self.ledger.set_entity(ref, version)
            case EntityGone(ref, version):
                self.ledger.set_entity(ref, version, gone=True)
            case SitePut(ref, site, _):
                self.ledger.set_site(ref, site)
            case SiteGone(ref):
                self.ledger.set_site(ref, None)


def _sums(ledger: Ledger) -> Sums:
    return {"entities": ledger.entity_sum, "sites": ledger.site_sum}


def _record(change: EntityPut | EntityGone) -> IndexRecord:
    if isinstance(change, EntityPut):
        return entity_record(change)
    return gone_record(change.ref, change.version)


def _follows(change: Change, before: Change | None) -> bool:
    """Within a batch: sites in the order told, entities by their versions."""
    if isinstance(change, EntityPut | EntityGone) and isinstance(
        before, EntityPut | EntityGone
    ):
        return change.version.is_newer_than(before.version)
    return True
