"""The catalog as techdocs sees it: its snapshot, and one entity at a time."""

from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from shared.contracts.errors import NotFound
from shared.contracts.ref import parse_ref
from shared.kit.http.clients import ServiceCalls
from shared.kit.http.service_tokens import Principal


class HttpDocsCatalog:
    """The Catalog of an installation; what a reader may see is decided here, not there.

    It asks as a service, so the answer must pass the reader's policy before anybody is
    shown it; only `seen` has passed it.
    """

    def __init__(self, calls: ServiceCalls) -> None:
        self._calls = calls

    async def entity(self, ref: str) -> Mapping[str, Any] | None:
        return await self._by_name(ref, None)

    async def visible_entity(
        self, ref: str, reader: Principal
    ) -> Mapping[str, Any] | None:
        return await self._by_name(ref, reader)

    async def _by_name(
        self, ref: str, reader: Principal | None
    ) -> Mapping[str, Any] | None:
        name = parse_ref(ref)
        parts = (
            quote(part, safe="") for part in (name.kind, name.namespace, name.name)
        )
        path = "/entities/by-name/" + "/".join(parts)
        try:
            found: Mapping[str, Any] = await self._calls.get_json(
                "catalog", path, reader=reader
            )
        except NotFound:
            return None
        return found

    async def is_open(self, location: str, ref: str) -> bool:
        query = urlencode({"location": location, "entityRef": ref})
        found = await self._calls.get_json("catalog", f"/sources/open?{query}")
        return found["open"] is True

    async def checksum(self) -> str:
        found = await self._calls.get_json("catalog", "/snapshot/checksum")
        return orjson.dumps(found, option=orjson.OPT_SORT_KEYS).decode()

    async def snapshot(self) -> AsyncIterator[tuple[str, int, Mapping[str, Any]]]:
        async for line in self._calls.lines("catalog", "/snapshot"):
            yield line["ref"], line["revision"], line["entity"]
