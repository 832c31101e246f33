"""Asks the catalog what a reader may see: once for all keys of an answer."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from shared.contracts.errors import Forbidden
from shared.contracts.permissions import SOURCE_EXPLORE, SOURCE_READ
from shared.kit.http.clients import ServiceCalls
from shared.kit.http.service_tokens import Principal

#: What the catalog takes at once.
MOST_LOCATIONS = 100


class ReaderRights(Protocol):
    """What of the catalog a reader may see, by the policy's decision about them."""

    async def entities(self, refs: Sequence[str], reader: Principal) -> set[str]:
        """The refs of entities that the reader may see."""
        ...

    async def repositories(self, names: Sequence[str], reader: Principal) -> set[str]:
        """The repositories (`host/path`) from which the reader sees something."""
        ...


class CatalogRights:
    """The rights as the catalog says them: its answers follow the decision."""

    def __init__(self, calls: ServiceCalls) -> None:
        self._calls = calls

    async def entities(self, refs: Sequence[str], reader: Principal) -> set[str]:
        """The refs of entities that the reader may see."""
        if not refs:
            return set()
        body = {"entityRefs": list(refs), "fields": ["kind"]}
        answer = await self._calls.post_json(
            "catalog", "/entities/by-refs", body, reader=replace(reader, also={})
        )
        pairs = zip(refs, answer["items"], strict=True)
        return {ref for ref, item in pairs if item is not None}

    async def repositories(self, names: Sequence[str], reader: Principal) -> set[str]:
        """The repositories (`host/path`) from which the reader sees something."""
        try:
            # Who may look at any repository that they name is told no names by that:
            # only of repositories from which they see something.
            also = {k: v for k, v in reader.also.items() if k != SOURCE_EXPLORE}
            source_reader = replace(reader.granted(SOURCE_READ), also=also)
        except Forbidden:
            return set()
        chunks = [
            names[at : at + MOST_LOCATIONS]
            for at in range(0, len(names), MOST_LOCATIONS)
        ]
        return set().union(
            *await asyncio.gather(*(self._readable(c, source_reader) for c in chunks))
        )

    async def _readable(self, names: Sequence[str], reader: Principal) -> set[str]:
        locations = {f"url:https://{name}": name for name in names}
        answer = await self._calls.post_json(
            "catalog", "/sources/readable", {"locations": [*locations]}, reader=reader
        )
        return {locations[i["location"]] for i in answer["items"] if i["readable"]}
