"""Reads snapshots and checksums of catalog and techdocs over HTTP."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from services.search.model import (
    Checksum,
    EntityUpsert,
    PageSection,
    SiteUpsert,
    Version,
)
from shared.contracts.entity import Entity
from shared.contracts.errors import NotFound, Unavailable
from shared.kit.http.clients import ServiceCalls


class SnapshotOwners:
    """Implements `Owners` by HTTP requests to catalog and techdocs."""

    def __init__(self, calls: ServiceCalls) -> None:
        self._calls = calls

    async def entity_checksum(self) -> Checksum:
        return await self._sum("catalog")

    async def operations(self, specs: Sequence[Mapping[str, object]]) -> Sequence[str]:
        body = {"definitions": list(specs)}
        response = await self._calls.post_json("catalog", "/snapshot/operations", body)
        items = response.get("items") if isinstance(response, Mapping) else None
        if not isinstance(items, list) or len(items) != len(specs):
            raise Unavailable("The catalog answered no operations")
        return [str(item) for item in items]

    async def site_checksum(self) -> Checksum:
        return await self._sum("techdocs")

    async def entities(self) -> AsyncIterator[EntityUpsert]:
        async for line in self._calls.lines("catalog", "/snapshot"):
            entity = Entity(line["entity"])
            version = Version(entity.uid, int(line["revision"]))
            yield EntityUpsert(str(line["ref"]), version, entity)

    async def sites(self, ref: str | None = None) -> AsyncIterator[SiteUpsert]:
        query = f"?{urlencode({'ref': ref})}" if ref is not None else ""
        try:
            async for line in self._calls.lines("techdocs", f"/snapshot{query}"):
                yield _site(line)
        except NotFound:
            # The one requested site does not exist.
            if ref is None:
                raise

    async def _sum(self, service: str) -> Checksum:
        response = await self._calls.get_json(service, "/snapshot/checksum")
        try:
            return Checksum(int(response["count"]), str(response["checksum"]))
        except (KeyError, TypeError, ValueError) as error:
            raise Unavailable(f"The {service} answered no checksum") from error


def _site(line: Mapping[str, Any]) -> SiteUpsert:
    sections = tuple(
        PageSection(str(item["path"]), str(item["title"]), str(item["text"]))
        for item in line["sections"]
    )
    return SiteUpsert(str(line["ref"]).lower(), str(line["site"]), sections)
