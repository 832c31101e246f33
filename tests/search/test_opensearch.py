"""What the index on a server adds: several processes at once, any of which may die."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from opensearchpy import AsyncOpenSearch

from services.search import resync
from services.search.conditions import criteria_condition
from services.search.model import (
    EntityRemoval,
    EntityUpsert,
    PageSection,
    SiteUpsert,
    Version,
)
from services.search.opensearch.alias import ServerAlias
from services.search.opensearch.bulk import Write, bulk
from services.search.opensearch.client import MissingIndex, OpenSearchClient
from services.search.opensearch.schema import SCHEMA
from services.search.query import SearchRequest
from services.search.resync import PARTS, RebuildProgress, Rebuilt, rebuild
from shared.contracts.errors import Conflict, Invalid, Unavailable
from shared.kit.config.servers import Server
from tests.builders import component
from tests.search.conftest import LEASE_SECONDS, TAGS, fresh_name
from tests.search.fakes import MemoryOwners, entity_put, search_request, titles
from tests.search.test_index import PUBLIC_OR_OWNED
from tests.waiting import until

DOCS = {"backstage.io/techdocs-ref": "dir:."}
SECRET = {**DOCS, "callboard.dev/visibility": "restricted"}
REF = "component:default/web"
STRANGER = criteria_condition({"anyOf": [PUBLIC_OR_OWNED["anyOf"][0]]})
Replicas = Callable[..., ServerAlias]


@pytest.fixture
async def replicas(opensearch: Server) -> AsyncIterator[Replicas]:
    """Makes processes' aliases of one index."""
    name = fresh_name()
    aliases: list[ServerAlias] = []

    def another(client: OpenSearchClient | None = None) -> ServerAlias:
        alias = ServerAlias(
            client or OpenSearchClient(opensearch),
            name,
            TAGS,
            lease_seconds=LEASE_SECONDS,
        )
        aliases.append(alias)
        return alias

    yield another
    for alias in aliases:
        await alias.close()


def web(revision: int, annotations: Mapping[str, str] = DOCS) -> EntityUpsert:
    metadata = {"annotations": dict(annotations), "description": f"r{revision}"}
    return entity_put(component("web", metadata), revision)


def site(name: str, pages: int) -> SiteUpsert:
    sections = [PageSection(f"{n}/", f"Page {n}", f"{name} xylo") for n in range(pages)]
    return SiteUpsert(REF, name, tuple(sections))


async def catch_up(alias: ServerAlias, owners: MemoryOwners) -> int:
    return sum([await resync.catch_up(alias, owners, part) for part in PARTS])


async def total(alias: ServerAlias, term: str, **parameters: Any) -> int:
    return (await alias.answering.index.find(search_request(term, **parameters))).total


async def indices(alias: ServerAlias) -> list[str]:
    return [
        index.name.split(f"-v{SCHEMA}-")[1][:6] for index in await alias._list_indices()
    ]


async def test_concurrent_processes_create_one_index(replicas: Replicas) -> None:
    """Processes that start together on an empty server create one index."""
    aliases = [replicas() for _ in range(4)]
    await asyncio.gather(*(alias.open() for alias in aliases))
    assert await indices(aliases[0]) == ["000000"]
    await asyncio.gather(*(a.apply([web(n + 1)]) for n, a in enumerate(aliases)))
    assert (await aliases[0].live.checksums())["entities"].count == 1


async def test_the_newest_state_wins_across_processes(replicas: Replicas) -> None:
    """Every order of events on several processes ends in the newest states."""
    chance = random.Random(5)
    aliases = [replicas() for _ in range(3)]
    await aliases[0].open()
    newest = {number: chance.randint(3, 9) for number in range(12)}
    changes: list[EntityUpsert | EntityRemoval] = []
    for number, last in newest.items():
        name = f"c{number}"
        for revision in range(1, last + 1):
            entity = component(name, {"description": f"r{revision}"})
            changes.append(entity_put(entity, revision, at=float(revision)))
        if number % 4 == 0:
            version = Version("u1", last + 1, 99.0)
            changes.append(EntityRemoval(f"component:default/{name}", version))
    chance.shuffle(changes)

    async def one(alias: ServerAlias, part: list[EntityUpsert | EntityRemoval]) -> None:
        for start in range(0, len(part), 5):
            await alias.apply(part[start : start + 5])

    await asyncio.gather(*(one(a, changes[n::3]) for n, a in enumerate(aliases)))
    versions = await aliases[0].live.indexed_versions()
    alive = {number: last for number, last in newest.items() if number % 4}
    assert {ref: version.revision for ref, version in versions.entities.items()} == {
        f"component:default/c{number}": last for number, last in alive.items()
    }
    assert len(versions.tombstones) == 3
    await aliases[0].completed()
    for number, last in alive.items():
        found_titles = await titles(aliases[0].live.index, f"c{number} r{last}")
        assert found_titles == [f"c{number}"]


async def test_pages_follow_their_entity_and_their_site(replicas: Replicas) -> None:
    """Pages have the last entity and the last site, whoever wrote them."""
    aliases = [replicas() for _ in range(3)]
    alias = aliases[0]
    await alias.open()
    await alias.apply([web(1), site("first", 5)])
    for round_ in range(6):
        annotations = SECRET if round_ % 2 else DOCS
        name, pages = f"site{round_}", 5 - round_ % 4
        await asyncio.gather(
            aliases[1].apply([web(round_ + 2, annotations)]),
            aliases[2].apply([site(name, pages)]),
        )
        await alias.completed()
        assert await total(alias, "xylo", types="techdocs") == pages
        assert await total(alias, name, types="techdocs") == pages
        count = await total(alias, name, types="techdocs", readable=STRANGER)
        assert count == (0 if round_ % 2 else pages)


class Dying(OpenSearchClient):
    """A process that is gone after so many requests: the rest of them never happen."""

    def __init__(self, server: Server, requests: int) -> None:
        super().__init__(server)
        self.left = requests

    @contextmanager
    def calls(self, seconds: float = 30.0) -> Iterator[AsyncOpenSearch]:
        if self.left == 0:
            raise Unavailable("died")
        self.left -= 1
        with super().calls(seconds) as server:
            yield server


#: What happens, and how many pages all and strangers find after it.
STORIES: Mapping[str, tuple[Callable[[MemoryOwners, str], Any], int, int]] = {
    "restricted": (
        lambda owners, name: owners.put(component(name, {"annotations": SECRET}), 2),
        3,
        0,
    ),
    "deleted": (
        lambda owners, name: EntityRemoval(
            owners.upserts.pop(f"component:default/{name}").ref, Version("u1", 2, 9.0)
        ),
        0,
        0,
    ),
    "published": (
        lambda owners, name: owners.publish(
            f"component:default/{name}", "second", PageSection("", "Home", "fresh")
        ),
        1,
        1,
    ),
}


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("again", ["event", "look"])
async def test_a_process_that_dies_during_a_write_is_repaired(
    replicas: Replicas, opensearch: Server, story: str, again: str
) -> None:
    """Wherever a process dies, another one's write or check repairs the index."""
    owners, healthy = MemoryOwners(), replicas()
    await healthy.open()
    happens, whole, open_ = STORIES[story]
    survived = False
    for requests in range(12):
        name = f"web{requests}"
        owners.put(component(name, {"annotations": DOCS}))
        owners.publish(f"component:default/{name}", "s1", *site("s1", 3).sections)
        await catch_up(healthy, owners)
        change = happens(owners, name)
        dying = replicas(client := Dying(opensearch, requests))
        try:
            await dying.apply([change])
            survived = True
        except Unavailable:
            client.left = -1
        if again == "event":
            await healthy.apply([change])
        await catch_up(healthy, owners)
        sums = await healthy.live.checksums()
        assert sums["entities"] == await owners.entity_checksum()
        assert sums["sites"] == await owners.site_checksum()
        parameters = {"types": "techdocs", "filters[name]": name}
        assert await total(healthy, "", **parameters) == whole, requests
        count = await total(healthy, "", readable=STRANGER, **parameters)
        assert count == open_, requests
        if survived:
            return
    pytest.fail("It never came to its end")


@pytest.fixture
async def owners() -> MemoryOwners:
    memory_owners = MemoryOwners()
    for number in range(20):
        memory_owners.put(component(f"c{number}"))
    memory_owners.put(component("web", {"annotations": DOCS}))
    memory_owners.publish(REF, "first", *site("first", 2).sections)
    return memory_owners


async def test_only_one_process_rebuilds_at_a_time(
    replicas: Replicas, owners: MemoryOwners
) -> None:
    """A second rebuild is refused at every process; all use the new index."""
    one, other = replicas(), replicas()
    await one.open()
    await catch_up(one, owners)
    steps = rebuild(one, owners)
    await anext(steps)
    with pytest.raises(Conflict):
        await anext(rebuild(other, owners))
    assert isinstance([step async for step in steps][-1], Rebuilt)
    assert await indices(other) == ["000001"]
    assert await total(other, "xylo") == 2


async def test_events_during_a_rebuild_reach_both_indexes(
    replicas: Replicas, owners: MemoryOwners
) -> None:
    """Events that another process consumes are in the new index as well."""
    one, other = replicas(), replicas()
    await one.open()
    await catch_up(one, owners)
    async for step in rebuild(one, owners):
        if isinstance(step, RebuildProgress) and step.step == "sites":
            # After the entities were walked: only the event can bring this one.
            put = owners.put(component("new", {"description": "meanwhile"}))
            await other.apply([put])
    assert await total(one, "meanwhile") == 1
    assert await resync.catch_up(one, owners, PARTS[0]) == 0


async def test_a_killed_rebuild_leaves_nothing(
    replicas: Replicas, owners: MemoryOwners
) -> None:
    """Its index is removed once the killed process no longer renews its lease."""
    one, other = replicas(), replicas()
    await one.open()
    await catch_up(one, owners)
    await anext(steps := rebuild(one, owners))
    assert one._rebuild is not None
    _, lease = one._rebuild
    assert await indices(other) == ["000000", "000001"]
    # As if killed: the lease is renewed no more, and nothing is tidied up.
    await lease.drop()

    async def collected() -> bool:
        await catch_up(other, owners)
        return await indices(other) == ["000000"]

    await until(collected, condition="the orphan to be removed")
    assert isinstance([s async for s in rebuild(other, owners)][-1], Rebuilt)
    # Woken up after all, the first one changes nothing.
    with pytest.raises((Conflict, MissingIndex)):
        [_ async for _ in steps]
    assert len(await indices(other)) == 1
    assert await total(other, "xylo") == 2


async def test_one_process_reconciles_for_all(
    replicas: Replicas, owners: MemoryOwners
) -> None:
    """While one process reconciles, the other processes leave it to that one."""
    one, other = replicas(), replicas()
    await one.open()
    async with one.turn() as is_own_turn:
        assert is_own_turn
        assert await resync.catch_up(other, owners, PARTS[0]) == 0
    assert await resync.catch_up(other, owners, PARTS[0]) == 21


async def test_a_removed_index_is_created_anew(
    replicas: Replicas, owners: MemoryOwners
) -> None:
    """A write never creates the index; catching up builds it anew."""
    alias = replicas()
    await alias.open()
    await catch_up(alias, owners)
    await alias._delete((await alias._list_indices())[0].name)
    with pytest.raises(Unavailable, match="being built"):
        await total(alias, "web")
    await alias.apply([web(2)])
    with pytest.raises(Unavailable, match="being built"):
        await total(alias, "web")
    assert await catch_up(alias, owners) > 20
    assert await total(alias, "xylo") == 2


async def test_documents_that_a_busy_server_rejects_are_resent(
    replicas: Replicas,
) -> None:
    """Documents that the server has no room for are sent again until they are in."""
    client = (alias := replicas())._client
    await alias.open()
    index = (await alias._list_indices())[0].name

    async def block(on: bool | None) -> None:
        body = {"index.blocks.read_only_allow_delete": on}
        with client.calls() as server:
            await server.indices.put_settings(index=index, body=body)

    # The server takes the block back itself when it looks at its disk, now and then.
    for _ in range(2):
        await block(True)
        applied = asyncio.create_task(alias.apply([web(1)]))
        done, _ = await asyncio.wait([applied], timeout=0.5)
        if not done:
            break
    assert not done
    await block(None)
    assert await applied == 1


async def test_a_refused_document_is_named(replicas: Replicas) -> None:
    """A document that the mapping does not allow is an error that names the field."""
    alias = replicas()
    await alias.open()
    writes = [Write("entity|x", {"role": "entity", "surprise": 1})]
    with pytest.raises(Invalid, match="surprise"):
        await bulk(alias._client, alias._live_alias, writes)
    with pytest.raises(MissingIndex):
        await bulk(alias._client, "nobody", writes)
    with alias._client.calls() as server:
        assert not await server.indices.exists(index="nobody")


async def test_the_last_permitted_page_is_answered(replicas: Replicas) -> None:
    """OpenSearch answers the deepest page that a request may ask for."""
    alias = replicas()
    await alias.open()
    await alias.apply([web(1)])
    await alias.completed()
    deepest = SearchRequest(page=1000, limit=100)
    assert (await alias.live.index.find(deepest)).total == 1


async def test_tls_and_credentials_are_used_and_checked(
    secured_opensearch: Server, owners: MemoryOwners
) -> None:
    """Over TLS with a password; an error names the setting that is wrong."""
    alias = ServerAlias(OpenSearchClient(secured_opensearch), fresh_name(), TAGS)
    await alias.open()
    await catch_up(alias, owners)
    assert await total(alias, "xylo") == 2
    await alias.close()
    for wrong, named in (
        (
            replace(secured_opensearch, password="wrong"),
            "CALLBOARD_OPENSEARCH_PASSWORD",
        ),
        (replace(secured_opensearch, ca=None, tls=True), "CALLBOARD_OPENSEARCH_CA"),
    ):
        client = OpenSearchClient(wrong)
        with pytest.raises(Unavailable, match=named) as caught:
            await client.has_alias("x")
        assert str(secured_opensearch.password) not in str(caught.value)
        await client.close()
