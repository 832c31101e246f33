"""Twins of search's ports: owners in memory, and what tests say to an index."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from services.search.ledger import digest
from services.search.model import (
    Checksum,
    EntityUpsert,
    HitPage,
    PageSection,
    SiteUpsert,
    Version,
)
from services.search.ports import SearchIndex
from services.search.query import SearchRequest, parse_question
from shared.contracts.entity import Entity
from shared.contracts.errors import Unavailable
from shared.contracts.ref import ref_of

EntityJson = Mapping[str, Any]


class MemoryOwners:
    """Catalog and techdocs as two dictionaries."""

    def __init__(self) -> None:
        self.upserts: dict[str, EntityUpsert] = {}
        self.published: dict[str, SiteUpsert] = {}
        self.away = False
        self.walked = 0

    def put(
        self, entity: EntityJson, revision: int = 1, uid: str = "u1"
    ) -> EntityUpsert:
        change = entity_put(entity, revision, uid)
        self.upserts[change.ref] = change
        return change

    def publish(self, ref: str, site: str, *sections: PageSection) -> SiteUpsert:
        self.published[ref] = SiteUpsert(ref, site, sections)
        return self.published[ref]

    async def entity_checksum(self) -> Checksum:
        self._answers()
        parts = {ref: put.version.revision for ref, put in self.upserts.items()}
        return sum_of(parts)

    async def operations(self, specs: Sequence[Mapping[str, object]]) -> Sequence[str]:
        self._answers()
        return [str(spec["definition"]) for spec in specs]

    async def site_checksum(self) -> Checksum:
        self._answers()
        return sum_of({ref: put.site for ref, put in self.published.items()})

    async def entities(self) -> AsyncIterator[EntityUpsert]:
        self._answers()
        self.walked += 1
        for put in list(self.upserts.values()):
            yield put

    async def sites(self, ref: str | None = None) -> AsyncIterator[SiteUpsert]:
        self._answers()
        for put in list(self.published.values()):
            if ref in (None, put.ref):
                yield put

    def _answers(self) -> None:
        if self.away:
            raise Unavailable("The catalog does not answer")


def sum_of(parts: Mapping[str, int | str]) -> Checksum:
    value = 0
    for ref, version in parts.items():
        value ^= digest(ref, version)
    return Checksum(len(parts), f"{value:016x}")


def entity_put(
    entity: EntityJson, revision: int = 1, uid: str = "u1", at: float = 1.0
) -> EntityUpsert:
    return EntityUpsert(str(ref_of(entity)), Version(uid, revision, at), Entity(entity))


def search_request(term: str = "", **parameters: Any) -> SearchRequest:
    """A question as it comes over HTTP, `readable` aside."""
    readable = parameters.pop("readable", None)
    pairs = [("term", term)]
    for name, value in parameters.items():
        values = value if isinstance(value, list) else [value]
        pairs += [(name, str(item)) for item in values]
    return parse_question(pairs, readable=readable)


async def titles(index: SearchIndex, term: str = "", **parameters: Any) -> list[str]:
    page = await index.find(search_request(term, **parameters))
    return names(page)


def names(page: HitPage) -> list[str]:
    return [str(hit.document["title"]) for hit in page.hits]
