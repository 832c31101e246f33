"""Parts of a page that ask for entities at the same time ask together."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from services.portal.entity_loader import EntityLoader
from services.portal.visit import gather
from shared.contracts.entity import Entity
from shared.contracts.errors import Unavailable

Body = dict[str, list[str]]


def loader() -> tuple[EntityLoader, list[Body]]:
    """One whose API has every entity but `component:default/none`, and its requests."""
    bodies: list[Body] = []

    async def ask(body: Body) -> Any:
        bodies.append(body)
        await asyncio.sleep(0)
        refs = body["entityRefs"]
        return {"items": [None if ref.endswith("none") else {"r": ref} for ref in refs]}

    return EntityLoader(ask), bodies


async def nested(load: Callable[[], Awaitable[Any]]) -> Any:
    """As a part of a page that asks in a task of its own."""
    (result,) = await gather(_one(load))
    return result


async def _one(load: Callable[[], Awaitable[Any]]) -> Any:
    return await load()


async def test_simultaneous_loads_share_one_request() -> None:
    """Each caller gets its entities; fields and refs are requested once."""
    entities, bodies = loader()
    first, second, third = await gather(
        entities.load(["component:default/a", "component:default/b"], ["kind"]),
        nested(lambda: entities.load(["component:default/b"], ["kind", "status"])),
        entities.load(["component:default/none"], ["spec.type"]),
    )
    assert [*first] == ["component:default/a", "component:default/b"]
    assert [*second] == ["component:default/b"]
    assert third == {}
    (body,) = bodies
    assert sorted(body["entityRefs"]) == [
        f"component:default/{n}" for n in ("a", "b", "none")
    ]
    assert sorted(body["fields"]) == ["kind", "spec.type", "status"]


async def test_a_later_load_makes_its_own_request() -> None:
    """A request that was sent takes no more refs."""
    entities, bodies = loader()
    for name in ("a", "b"):
        assert await entities.load([f"component:default/{name}"], ["kind"])
    assert [body["entityRefs"] for body in bodies] == [
        ["component:default/a"],
        ["component:default/b"],
    ]


async def test_an_error_reaches_all_waiting_callers() -> None:
    """The next load makes another request."""
    answers: list[Any] = [Unavailable("away"), {"items": [{"r": "a"}]}]

    async def ask(_: Body) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    entities = EntityLoader(ask)
    results = await asyncio.gather(
        *(entities.load(["component:default/a"], ["kind"]) for _ in range(2)),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [Unavailable, Unavailable]
    assert await entities.load(["component:default/a"], ["kind"])


async def test_a_cancelled_load_does_not_cancel_the_others() -> None:
    """A failed part of the page cancels the parts beside it, not the request."""
    entities, bodies = loader()
    waiting = [
        asyncio.create_task(entities.load(["component:default/a"], ["kind"]))
        for _ in range(2)
    ]
    while not bodies:
        await asyncio.sleep(0)
    waiting[0].cancel()
    assert await waiting[1] == {
        "component:default/a": Entity({"r": "component:default/a"})
    }
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
