"""The live stream over HTTP, from Kafka to a browser."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from shared.contracts.catalog import Cause, EntityUpdated
from shared.contracts.envelope import Envelope
from shared.kit.events.bus import KafkaBus
from tests.builders import component, group, user
from tests.waiting import until

RESTRICTED = {"annotations": {"callboard.dev/visibility": "restricted"}}


def updated(ref: str, entity: Any) -> EntityUpdated:
    return EntityUpdated(
        entity_ref=ref,
        revision=2,
        entity=entity,
        actor="user:default/ann",
        cause=Cause(kind="push"),
    )


@asynccontextmanager
async def opened(ask, path: str, headers: dict[str, str]) -> AsyncIterator[Any]:
    """A stream of server-sent events: blocks of `field: value`."""
    async with ask.stream("GET", path, headers=headers, timeout=15) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield blocks(answer)


async def blocks(answer: Any) -> AsyncIterator[dict[str, str]]:
    block: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            block[name] = value
        elif block:
            yield block
            block = {}


async def test_events_of_the_log_reach_a_browser(ask, sign_in, kafka) -> None:
    """From Kafka to the reader, filtered, resumable by `Last-Event-ID`."""
    ref = "component:default/live"
    path = f"/api/events/stream?topic=entity-changed&entity={ref}"
    headers = await sign_in("ann")
    async with KafkaBus(kafka) as bus:

        async def say(name: str, entity: Any) -> None:
            payload = updated(name, entity)
            envelope = Envelope.of(payload, source="/catalog", subject=name)
            await bus.publish("entity-changed", name, envelope.to_bytes())

        async with opened(ask, path, headers) as stream:
            hello = await anext(stream)
            assert set(hello) == {"retry", "id"}
            await say(ref, component("live", RESTRICTED))
            await say("component:default/other", component("other"))
            await say(ref, component("live"))
            block = await anext(stream)
            assert block["event"] == "entity-changed"
            event = json.loads(block["data"])
            assert event["data"]["entity"]["metadata"] == component("live")["metadata"]
        await say(ref, component("live", type="library"))
        again = {**headers, "last-event-id": block["id"]}
        async with opened(ask, path, again) as stream:
            await anext(stream)
            event = json.loads((await anext(stream))["data"])
            assert event["data"]["entity"]["spec"]["type"] == "library"
        async with opened(ask, path, {**headers, "last-event-id": "x-1"}) as stream:
            await anext(stream)
            assert (await anext(stream))["event"] == "reset"


async def test_an_open_stream_follows_changes_of_groups(
    ask, stand_in, sign_in, kafka
) -> None:
    """A new member sees from the next event on what the group may see."""
    stand_in.put(user("eve", memberOf=["stage"]))
    headers = await sign_in("eve")
    secret = component("opera", RESTRICTED, owner="box-office")
    entity = {
        **secret,
        "relations": [{"type": "ownedBy", "targetRef": "group:default/box-office"}],
    }
    async with (
        KafkaBus(kafka) as bus,
        opened(
            ask, "/api/events/stream?entity=component:default/opera", headers
        ) as stream,
    ):
        await anext(stream)

        async def say(payload: EntityUpdated) -> None:
            ref = payload.entity_ref
            envelope = Envelope.of(payload, source="/catalog", subject=ref)
            await bus.publish("entity-changed", ref, envelope.to_bytes())

        await say(updated("component:default/opera", entity))
        await say(updated("component:default/opera", component("opera")))
        event = json.loads((await anext(stream))["data"])
        assert "annotations" not in event["data"]["entity"]["metadata"]
        stand_in.put(user("eve", memberOf=["box-office"]))
        await say(updated("user:default/eve", user("eve")))

        async def member() -> bool:
            answer = await ask.get("/api/auth/v1/userinfo", headers=headers)
            return "group:default/box-office" in answer.json()["claims"]["ent"]

        await until(member, "the gateway to know of the new member")
        await say(updated("component:default/opera", {**entity, "note": "seen"}))
        event = json.loads((await anext(stream))["data"])
        assert event["data"]["entity"].get("note") == "seen"


async def test_an_open_stream_follows_a_changed_parent_group(
    ask, stand_in, sign_in, kafka
) -> None:
    """The gateway consumes the group's change and reads its new parents."""
    stand_in.put(user("joy", memberOf=["choir"]), group("choir"))
    headers = await sign_in("joy")
    stand_in.put(
        group("choir", parent="opera-house"), group("opera-house", children=["choir"])
    )
    async with KafkaBus(kafka) as bus:
        payload = updated("group:default/choir", group("choir"))
        envelope = Envelope.of(payload, source="/catalog", subject=payload.entity_ref)
        await bus.publish("entity-changed", payload.entity_ref, envelope.to_bytes())

        async def owns_what_is_above() -> bool:
            answer = await ask.get("/api/auth/v1/userinfo", headers=headers)
            return "group:default/opera-house" in answer.json()["claims"]["ent"]

        await until(owns_what_is_above, "the gateway to know of the parent group")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/events/stream?topic=nope", 400),
        ("/api/events/stream?entity=nokind", 400),
    ],
)
async def test_invalid_stream_filters_are_refused_by_name(
    ask, robot, path, status
) -> None:
    """Rather than a stream that stays silent."""
    assert (await ask.get(path, headers=robot)).status_code == status


async def test_the_stream_requires_credentials(ask) -> None:
    """401 without credentials."""
    assert (await ask.get("/api/events/stream")).status_code == 401
