"""The catalog, read through the gateway with the policy of a run's initiator."""

from collections.abc import Collection, Sequence
from typing import Any
from urllib.parse import quote

from services.scaffolder.model import Initiator
from shared.contracts.entity import Entity
from shared.contracts.errors import NotFound, Unavailable
from shared.contracts.ref import parse_ref
from shared.kit.http.clients import ANSWER_BYTES, ServiceCalls

ROOT = "/api/catalog"
#: The size of all entities that one step reads, in bytes: a run stores them.
ENTITIES_BYTES = 8 * 1024 * 1024
#: So many locations the catalog takes in one question.
MOST_LOCATIONS = 100


class HttpTemplateCatalog:
    """The catalog over HTTP."""

    def __init__(self, calls: ServiceCalls) -> None:
        self._calls = calls

    async def entity(self, ref: str, initiator: Initiator) -> Entity | None:
        name = parse_ref(ref)
        parts = (
            quote(part.lower(), safe="")
            for part in (name.kind, name.namespace, name.name)
        )
        path = "/entities/by-name/" + "/".join(parts)
        try:
            return Entity(await self._ask(initiator, "GET", path))
        except NotFound:
            return None

    async def entities(
        self, refs: Sequence[str], initiator: Initiator
    ) -> Sequence[Entity | None]:
        if not initiator.is_user:
            return [await self.entity(ref, initiator) for ref in refs]
        body = {"entityRefs": list(refs)}
        path = "/entities/by-refs"
        answer = await self._ask(initiator, "POST", path, body, most=ENTITIES_BYTES)
        return [None if item is None else Entity(item) for item in answer["items"]]

    async def register(
        self, url: str, initiator: Initiator, *, dry_run: bool = False
    ) -> Sequence[Entity]:
        path = "/locations" + ("?dryRun=true" if dry_run else "")
        body = {"type": "url", "target": url}
        answer = await self._ask(initiator, "POST", path, body, for_a_program=True)
        return [Entity(item) for item in answer.get("entities") or ()]

    async def unreadable(
        self, locations: Sequence[str], initiator: Initiator
    ) -> Collection[str]:
        if not initiator.is_user:
            return ()
        unreadable: set[str] = set()
        for start in range(0, len(locations), MOST_LOCATIONS):
            body = {"locations": list(locations[start : start + MOST_LOCATIONS])}
            answer = await self._ask(initiator, "POST", "/sources/readable", body)
            unreadable.update(
                location
                for location, item in zip(
                    body["locations"], answer["items"], strict=True
                )
                if item["readable"] is not True
            )
        return unreadable

    async def _ask(
        self,
        initiator: Initiator,
        method: str,
        path: str,
        json: Any = None,
        *,
        for_a_program: bool = False,
        most: int = ANSWER_BYTES,
    ) -> Any:
        try:
            if not initiator.is_user and not for_a_program:
                return await self._calls.get_json("catalog", path)
            answer = await self._calls.as_user(
                initiator.ref, method, ROOT + path, json=json, most=most
            )
        except Unavailable as error:
            raise Unavailable(f"The catalog is unavailable: {error.message}") from error
        return answer.body
