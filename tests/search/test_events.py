"""From the event log to the index, on a real broker."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer
from fastapi import FastAPI

from services.search.main import create_app
from services.search.model import PageSection
from shared.contracts.catalog import Cause, EntityCreated, EntityDeleted
from shared.contracts.envelope import Envelope, Payload
from shared.contracts.techdocs import SiteBuilt
from shared.contracts.topics import DOCS_BUILT, ENTITY_CHANGED, dead
from shared.kit.config.servers import Server
from shared.kit.events.bus import KafkaBus
from shared.kit.http.apps import run_checks
from tests.builders import component
from tests.conftest import SERVERS
from tests.search.conftest import fresh_name, settings_of
from tests.search.fakes import MemoryOwners, search_request
from tests.waiting import until

DOCS = {"annotations": {"backstage.io/techdocs-ref": "dir:."}, "uid": "u1"}
pytestmark = pytest.mark.asyncio(loop_scope="module")
CAUSE = Cause(kind="push")


def event_bytes(payload: Payload, ref: str) -> bytes:
    return Envelope.of(payload, source="/test", subject=ref).to_bytes()


def created(name: str, revision: int = 1, **metadata: Any) -> tuple[str, bytes]:
    entity = component(name, {"uid": "u1", **metadata})
    ref = f"component:default/{name}"
    payload = EntityCreated(
        entity_ref=ref,
        revision=revision,
        entity=entity,
        actor="user:default/a",
        cause=CAUSE,
    )
    return ref, event_bytes(payload, ref)


@pytest.fixture(scope="module")
def owners() -> MemoryOwners:
    return MemoryOwners()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bus(kafka: str) -> AsyncIterator[KafkaBus]:
    async with KafkaBus(kafka) as bus:
        yield bus


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def heard(
    kafka: str,
    tmp_path_factory: pytest.TempPathFactory,
    owners: MemoryOwners,
    request: pytest.FixtureRequest,
) -> AsyncIterator[FastAPI]:
    """The service with an event log, and looks too rare to help it.

    One for all tests here: a group takes seconds to be joined again.
    """
    folder = tmp_path_factory.mktemp("search")
    values: dict[str, object] = {"CALLBOARD_SEARCH_RESYNC_SECONDS": 3600}
    if SERVERS:
        server: Server = request.getfixturevalue("opensearch")
        values |= {"opensearch": server.address, "CALLBOARD_SEARCH_INDEX": fresh_name()}
    settings = settings_of(folder, kafka=kafka, **values)
    app = create_app(settings, owners=owners)

    async def answers() -> bool:
        return (await run_checks(app.state.checks))["index"] == "ok"

    async with app.router.lifespan_context(app):
        await until(answers, condition="the first look")

        async def joined() -> bool:
            states = await run_checks(app.state.checks)
            return states["events"] == "ok"

        await until(joined, "the group")
        yield app


async def total(app: FastAPI, term: str) -> int:
    return (await app.state.alias.answering.index.find(search_request(term))).total


async def test_an_entity_event_makes_the_entity_searchable(
    heard: FastAPI, bus: KafkaBus
) -> None:
    """A duplicate event changes nothing."""
    ref, value = created("first", description="warmup")
    await bus.publish(ENTITY_CHANGED, ref, value)
    await until(lambda: total(heard, "warmup"), "the group to be joined")
    ref, value = created("second", description="gazebo")
    await bus.publish_many([(ENTITY_CHANGED, ref, value)] * 3)
    await until(lambda: total(heard, "gazebo"), condition="the event")
    deletion = EntityDeleted(
        entity_ref=ref,
        revision=2,
        previous=component("second", {"uid": "u1"}),
        actor="user:default/a",
        cause=CAUSE,
    )
    await bus.publish(ENTITY_CHANGED, ref, event_bytes(deletion, ref))

    async def is_gone() -> bool:
        return await total(heard, "gazebo") == 0

    await until(is_gone, condition="the deletion")


async def test_a_built_site_is_fetched_and_indexed(
    heard: FastAPI, bus: KafkaBus, owners: MemoryOwners
) -> None:
    """If techdocs is unavailable, the site is fetched again later."""
    ref, value = created("docs", **{**DOCS, "description": "has docs"})
    owners.publish(ref, "s1", PageSection("", "Home", "marimba"))
    owners.away = True
    site = SiteBuilt(
        entity_ref=ref, title="Docs", site="s1", built_at="2026-01-01T00:00:00Z"
    )
    await bus.publish(DOCS_BUILT, ref, event_bytes(site, ref))
    await bus.publish(ENTITY_CHANGED, ref, value)
    await until(lambda: total(heard, "has docs"), "the entity")
    assert await total(heard, "marimba") == 0
    owners.away = False
    await until(lambda: total(heard, "marimba"), condition="the site")
    del owners.published[ref]
    none = site.model_copy(update={"site": None})
    await bus.publish(DOCS_BUILT, ref, event_bytes(none, ref))

    async def is_gone() -> bool:
        return await total(heard, "marimba") == 0

    await until(is_gone, condition="the end of the docs")


async def test_malformed_messages_go_to_the_dead_letters(
    heard: FastAPI, bus: KafkaBus, kafka: str
) -> None:
    """The messages after them are handled."""
    ref, value = created("healthy", description="survivor")
    wrong = orjson.loads(value)
    wrong["data"]["revision"] = "many"
    foreign = {**orjson.loads(value), "type": SiteBuilt.TYPE}
    messages = [b"\x00\xff", b"{}", orjson.dumps(wrong), orjson.dumps(foreign), value]
    consumer = AIOKafkaConsumer(
        dead(ENTITY_CHANGED), bootstrap_servers=kafka, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        for message in messages:
            await bus.publish(ENTITY_CHANGED, ref, message)
        await until(lambda: total(heard, "survivor"), "the healthy message")
        letters: list[dict[str, Any]] = []
        while len(letters) < 4:
            letters.append(orjson.loads((await consumer.getone()).value))
    finally:
        await consumer.stop()
    assert {letter["consumer"] for letter in letters} == {"search"}
    assert any("revision" in letter["error"]["message"] for letter in letters)
