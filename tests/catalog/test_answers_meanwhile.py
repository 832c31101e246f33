"""Answers that are made while others ask and change: turns, and nothing stale."""

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from services.catalog.query.facets import FacetCounts
from services.catalog.query.rendering import ENTITIES_AT_ONCE
from shared.contracts.headers import REVISION
from shared.contracts.permissions import ENTITY_READ
from shared.kit.http.service_tokens import Principal
from tests import builders
from tests.catalog.readmodels import stored
from tests.catalog.running import running, write
from tests.catalog.test_long_definitions import api_file, definition
from tests.conftest import HIDDEN

LIST = "/entities/by-query?filter=metadata.tags=mine"


async def test_a_response_older_than_a_change_is_not_cached(
    database: Any, data: Path
) -> None:
    """A definition changes while it is read: the next response has the change."""
    file = api_file(data, definition(40_000), tags=["mine"])
    other = write(data, "web.yaml", builders.component("web", {"tags": ["mine"]}))
    async with running(database, data) as catalog:
        await catalog.register(file)
        definitions = catalog.app.state.definitions
        texts = definitions.texts

        async def overtaken(names: Any) -> Any:
            definitions.texts = texts
            await catalog.register(other)
            # Somebody else's question: what is remembered is of this revision now.
            await catalog.ask("GET", "/entities/by-query?filter=kind=user")
            return await texts(names)

        definitions.texts = overtaken
        first = await catalog.ask("GET", LIST)
        second = await catalog.ask("GET", LIST)
        revisions = [answer.headers[REVISION] for answer in (first, second)]
    names = [
        [item["metadata"]["name"] for item in answer.json()["items"]]
        for answer in (first, second)
    ]
    assert [sorted(names_of_answer) for names_of_answer in names] == [
        ["orders"],
        ["orders", "web"],
    ]
    assert revisions == sorted(set(revisions))


async def test_other_requests_run_between_facets(
    database: Any, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request for a hundred facets lets others run and includes later changes."""
    file = write(data, "all.yaml", *(builders.component(f"c{n}") for n in range(20)))
    more = write(data, "more.yaml", builders.component("more"))
    facets = "&".join(f"facet=metadata.labels.x{n}" for n in range(99))
    path = f"/entity-facets?facet=metadata.name&{facets}"
    count, turns, moments = FacetCounts.of, 0, []

    def noted(*arguments: Any) -> Any:
        moments.append(turns)
        return count(*arguments)

    monkeypatch.setattr(FacetCounts, "of", noted)
    async with running(database, data) as catalog:
        await catalog.register(file)
        asking = asyncio.ensure_future(catalog.ask("GET", path))
        while not asking.done():
            turns += 1
            await asyncio.sleep(0)
        assert len(set(moments)) == 100
        before = (await asking).json()["facets"]
        await catalog.register(more)
        after = (await catalog.ask("GET", path)).json()["facets"]
    assert len(before) == 100
    counts = [
        len(facets_of_answer["metadata.name"]) for facets_of_answer in (before, after)
    ]
    # Each registration has a Location entity of its own.
    assert counts == [21, 23]


async def test_a_restricted_entity_added_while_streaming_is_not_named(
    database: Any, data: Path
) -> None:
    """Later parts of a response do not name a restricted entity added meanwhile."""
    names = [f"c{number:04}" for number in range(2 * ENTITIES_AT_ONCE)]
    file = write(data, "all.yaml", *map(builders.component, names))
    secret = builders.component(
        "secret", {"annotations": {"callboard.dev/visibility": "restricted"}}
    )
    last = f"component:default/{names[-1]}"
    hidden = stored(secret, ("dependsOn", last), parents=["location:default/x"])
    reader = Principal(
        "user:default/bo",
        "user",
        permission=ENTITY_READ,
        decision="conditional",
        conditions={"not": HIDDEN},
    )
    parts: list[bytes] = []
    async with running(database, data) as catalog:
        await catalog.register(file)

        async def send(message: Any) -> None:
            parts.append(message.get("body", b""))
            if len(parts) == 2:
                catalog.work.catalog.state.put_many([hidden])

        headers = catalog.headers(reader).items()
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/entities",
            "query_string": b"filter=kind=component&order=asc:metadata.name",
            "headers": [(name.lower().encode(), v.encode()) for name, v in headers],
        }
        # A client that says nothing more, and does not go away either.
        await catalog.app(scope, asyncio.Event().wait, send)
        assert catalog.work.catalog.state.get(hidden.ref) is not None
    body = b"".join(parts)
    assert len(orjson.loads(body)) == len(names)
    assert b"secret" not in body
