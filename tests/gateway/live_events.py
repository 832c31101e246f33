"""Readers and events of the live stream, for its tests."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from services.gateway.model import Decision, Identity, LiveEvent
from tests.builders import component

ANN = Identity("user:default/ann", "user", ("user:default/ann",))
BOB = Identity("user:default/bob", "user", ("user:default/bob",))
ROBOT = Identity("service:robot", "service")
HIDDEN = {
    "not": {
        "rule": "HAS_ANNOTATION",
        "params": {"annotation": "callboard.dev/visibility", "value": "restricted"},
    }
}
RESTRICTED = {"annotations": {"callboard.dev/visibility": "restricted"}}


class ReadPolicy:
    """People read all but restricted entities, and their own runs."""

    async def decision(self, *_: Any) -> Decision:
        return Decision("conditional", HIDDEN)


class NoGroups:
    """Everybody is alone."""

    def __init__(self) -> None:
        self.forgotten: list[str] = []

    async def ownership(self, user_ref: str) -> tuple[str, ...]:
        return (user_ref,)

    def forget(self, entity_ref: str) -> None:
        self.forgotten.append(entity_ref)

    def forget_all(self) -> None:
        self.forgotten.append("*")


def changed(ref: str, entity: Any = None, *targets: str) -> LiveEvent:
    document = json.dumps({"data": {"entity": entity or component()}}).encode()
    return LiveEvent(
        "",
        "entity-changed",
        "callboard.entity.updated.v1",
        ref,
        document,
        frozenset((ref, *targets)),
    )


async def taken(stream: AsyncIterator[Any], count: int) -> list[Any]:
    async with asyncio.timeout(5):
        return [await anext(stream) for _ in range(count)]
