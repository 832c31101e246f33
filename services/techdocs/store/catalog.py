"""The catalog as techdocs sees it: its snapshot, and one entity at a time."""

from collections.abc import AsyncIterator, Collection, Sequence
from itertools import compress
from typing import Any
from urllib.parse import quote

import orjson

from services.techdocs.model import CatalogRevision
from services.techdocs.ports import HiddenFiles
from shared.contracts.entity import Entity
from shared.contracts.errors import CallboardError, NotFound, Unavailable
from shared.contracts.ref import parse_ref
from shared.kit.http.clients import ServiceCalls
from shared.kit.http.service_tokens import Principal

#: So many locations the catalog takes in one question.
MOST_LOCATIONS = 100
#: And so many files.
MOST_FILES = 2_000


class HttpDocsCatalog:
    """The catalog over HTTP, read with techdocs' own identity.

    Except for `visible_entity`, the answers have not passed a reader's policy: whoever
    shows them to a reader checks it first.
    """

    def __init__(self, calls: ServiceCalls) -> None:
        self._calls = calls

    async def entity(self, ref: str) -> Entity | None:
        return await self._by_name(ref, None)

    async def visible_entity(self, ref: str, reader: Principal) -> Entity | None:
        return await self._by_name(ref, reader)

    async def _by_name(self, ref: str, reader: Principal | None) -> Entity | None:
        name = parse_ref(ref)
        parts = (
            quote(part, safe="") for part in (name.kind, name.namespace, name.name)
        )
        path = "/entities/by-name/" + "/".join(parts)
        try:
            return Entity(await self._calls.get_json("catalog", path, reader=reader))
        except NotFound:
            return None

    async def closed_locations(
        self, locations: Sequence[str], ref: str
    ) -> Collection[str]:
        closed: set[str] = set()
        for start in range(0, len(locations), MOST_LOCATIONS):
            part = list(locations[start : start + MOST_LOCATIONS])
            body = {"entityRef": ref, "locations": part}
            answer = await self._rights("/sources/open", body)
            closed.update(
                location
                for location, item in zip(part, answer["items"], strict=True)
                if item["readable"] is not True
            )
        return closed

    async def hidden_files(self, locations: Sequence[str], ref: str) -> HiddenFiles:
        hidden: set[str] = set()
        states: set[str] = set()
        for start in range(0, len(locations), MOST_FILES):
            part = list(locations[start : start + MOST_FILES])
            body = {"entityRef": ref, "locations": part}
            answer = await self._rights("/sources/hidden", body)
            if "state" not in answer:
                raise Unavailable("The catalog is of an earlier version")
            states.add(answer["state"])
            hidden.update(compress(part, answer["items"]))
        return HiddenFiles(frozenset(hidden), " ".join(sorted(states)))

    async def _rights(self, path: str, body: Any) -> Any:
        """What the catalog answers about files: no error of its is one of the files."""
        try:
            return await self._calls.post_json("catalog", path, body)
        except CallboardError as error:
            message = f"The catalog does not tell who may read these docs: {error}"
            raise Unavailable(message) from error

    async def checksum(self) -> str:
        answer = await self._calls.get_json("catalog", "/snapshot/checksum")
        return orjson.dumps(answer, option=orjson.OPT_SORT_KEYS).decode()

    async def snapshot(self) -> AsyncIterator[CatalogRevision]:
        async for line in self._calls.lines("catalog", "/snapshot"):
            entity = Entity(line["entity"])
            yield CatalogRevision(line["ref"], line["revision"], entity)
