"""Long API definitions: stored once, whole for readers, a reference elsewhere."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.catalog.descriptor.definitions import (
    DEFINITION_LIMIT,
    INLINE_LIMIT,
    Reference,
    hash_of,
    reference_in,
    separate_definition,
)
from services.catalog.store.definitions import UNUSED_AFTER, MongoDefinitionStore
from services.catalog.store.entities import MongoEntityStore
from shared.contracts.entity import Entity
from tests import builders
from tests.catalog.running import Running, running, write

API = "/entities/by-name/api/default/orders"
LATER = datetime.now(UTC) + UNUSED_AFTER + timedelta(hours=1)


def definition(size: int, mark: str = "a") -> str:
    """An OpenAPI document of about `size` bytes with umlauts and one odd line."""
    line = '  x-"line": grün — „Saal"\n'
    head = f"openapi: 3.1.0\ninfo: {{title: {mark}, version: '1'}}\n"
    return head + line * (size // len(line.encode())) + f"# {mark}\n"


def api_file(data: Path, text: str, name: str = "orders", **metadata: Any) -> Path:
    """A descriptor beside the file that its definition is in."""
    (data / f"{name}.openapi.yaml").write_text(text)
    named = {"$text": f"./{name}.openapi.yaml"}
    return write(data, f"{name}.yaml", builders.api(name, metadata, definition=named))


async def texts_in(database: Any) -> list[str]:
    return [one["text"] async for one in database["definitions"].find({})]


async def test_responses_have_the_whole_definition(database: Any, data: Path) -> None:
    """By name, uid, refs and query, in lists and selections of fields."""
    text = definition(1_300_000)
    write(data, "small.yaml", builders.api("small"))
    async with running(database, data) as catalog:
        assert (await catalog.register(api_file(data, text))).status_code == 201
        await catalog.register(data / "small.yaml")
        one = (await catalog.ask("GET", API)).json()
        assert one["spec"]["definition"] == text
        assert one["relations"]
        uid = one["metadata"]["uid"]
        refs = {
            "entityRefs": [f"api:default/{name}" for name in ("orders", "no", "small")]
        }
        by_refs = (await catalog.ask("POST", "/entities/by-refs", refs)).json()["items"]
        assert by_refs[0] == one
        assert by_refs[1] is None
        assert by_refs[2]["spec"]["definition"] == "openapi: 3.1.0"
        assert (await catalog.ask("GET", f"/entities/by-uid/{uid}")).json() == one
        query = "/entities/by-query?filter=kind=api&orderField=metadata.name,asc"
        assert (await catalog.ask("GET", query)).json()["items"][0] == one
        body = {"query": {"kind": "API"}}
        listed = await catalog.ask("POST", "/entities/by-query", body)
        assert one in listed.json()["items"]
        assert one in (await catalog.ask("GET", "/entities?filter=kind=api")).json()
        cut = f"{query}&fields=spec.definition"
        [first, _] = (await catalog.ask("GET", cut)).json()["items"]
        assert first == {"spec": {"definition": text}}
        [bare, _] = (await catalog.ask("GET", f"{query}&fields=kind")).json()["items"]
        assert bare == {"kind": "API"}
        path = f"{API}/ancestry"
        assert (await catalog.ask("GET", path)).json()["items"][0]["entity"] == one


async def test_a_definition_is_stored_once(database: Any, data: Path) -> None:
    """Three revisions of two entities share one stored text."""
    text = definition(1_200_000)
    file = api_file(data, text)
    async with running(database, data) as catalog:
        await catalog.register(file)
        await catalog.register(api_file(data, text, "twin"))
        api_file(data, text, description="new")
        await catalog.ask("POST", "/refresh", {"entityRef": "api:orders"})
        events = await catalog.published()
        assert len(await catalog.history("api:default/orders")) == 2
        assert await texts_in(database) == [text]
        for name in ("entities", "revisions"):
            async for document in database[name].find({}):
                assert len(json.dumps(document)) < 5_000
        of_api = [e for e in events if str(e.subject).startswith("api:")]
        assert len(of_api) == 3
        for event in of_api:
            value = event.data["entity"]["spec"]["definition"]
            assert reference_in(value) == Reference(hash_of(text), len(text.encode()))


async def test_reading_an_unchanged_definition_changes_nothing(
    database: Any, data: Path
) -> None:
    """The same text makes no revision, also after an error was shown."""
    text = definition(40_000)
    file = api_file(data, text)
    async with running(database, data) as catalog:
        await catalog.register(file)
        file.write_text(f"# a comment\n{file.read_text()}")
        await catalog.ask("POST", "/refresh", {"entityRef": "api:orders"})
        assert len(await catalog.history("api:default/orders")) == 1


async def test_a_filter_by_definition_finds_the_api(database: Any, data: Path) -> None:
    """A filter can ask whether the field exists; the reference is not indexed."""
    async with running(database, data) as catalog:
        await catalog.register(api_file(data, definition(40_000)))
        for query, count in (
            ("spec.definition", 1),
            ("spec.definition.bytes", 0),
            ("spec.definition.$definition", 0),
        ):
            path = f"/entities/by-query?filter={query}&limit=0"
            assert (await catalog.ask("GET", path)).json()["totalItems"] == count


async def test_the_history_shows_the_lines_that_changed(
    database: Any, data: Path
) -> None:
    """Of a long text the lines around the change, not the text."""
    text = definition(900_000)
    middle = text.splitlines()
    middle.insert(len(middle) // 2, "  /orders: {}")
    async with running(database, data) as catalog:
        await catalog.register(api_file(data, text))
        api_file(data, "\n".join(middle) + "\n")
        await catalog.ask("POST", "/refresh", {"entityRef": "api:orders"})
        newest, _ = await catalog.history("api:default/orders")
    assert newest["changed"] == ["spec.definition"]
    [item] = newest["diff"]
    assert item["path"] == "spec.definition"
    assert "  /orders: {}" in item["after"].splitlines()
    assert "/orders" not in item["before"]
    assert len(item["after"]) < 1_000


async def test_a_definition_over_the_limit_is_refused(
    database: Any, data: Path
) -> None:
    """The error names entity, field and rule, when read and when validated."""
    too_long = definition(DEFINITION_LIMIT + 100_000)
    size = len(too_long.encode())
    file = api_file(data, too_long)
    notes = builders.component("notes", {"description": "x" * 950_000})
    big = write(data, "notes.yaml", notes)
    rule = f"spec.definition: {size:,} bytes, at most 5,000,000 are kept"
    async with running(database, data) as catalog:
        for target, ref, expected in (
            (file, "api:default/orders", rule),
            (big, "component:default/notes", "metadata.description: 950,002 bytes"),
        ):
            answer = await catalog.register(target, "?dryRun=true")
            assert answer.status_code == 400
            message = answer.json()["error"]["message"]
            assert f"{ref}: {expected}" in message
        body = {"entity": notes, "location": "url:https://git.example/a.yaml"}
        checked = await catalog.ask("POST", "/validate-entity", body)
        assert "metadata.description: 950,002 bytes" in checked.text


async def test_a_dry_run_shows_the_definition_and_stores_nothing(
    database: Any, data: Path
) -> None:
    """A dry run of a registration leaves no definition behind."""
    text = definition(100_000)
    async with running(database, data) as catalog:
        answer = await catalog.register(api_file(data, text), "?dryRun=true")
        assert text in [e["spec"].get("definition") for e in answer.json()["entities"]]
        assert await texts_in(database) == []


async def test_an_entity_never_refers_to_a_missing_definition(
    database: Any, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a stop between text and entity, the next reading stores both."""
    text = definition(60_000)
    file = api_file(data, text)
    real = MongoEntityStore.write

    class Ended(Exception):
        pass

    async def end(*_: Any) -> Any:
        raise Ended

    async with running(database, data) as catalog:
        monkeypatch.setattr(MongoEntityStore, "write", end)
        with pytest.raises(Ended):
            await catalog.register(file)
        assert await texts_in(database) == [text]
        monkeypatch.setattr(MongoEntityStore, "write", real)
        await catalog.register(file, "?onConflict=refresh")
        entity = await catalog.entity("api:default/orders")
    assert entity is not None
    assert entity["spec"]["definition"] == text


async def test_definitions_survive_a_restart(database: Any, data: Path) -> None:
    """The next process reads what was stored."""
    text = definition(60_000)
    async with running(database, data) as catalog:
        await catalog.register(api_file(data, text))
    async with running(database, data) as again:
        assert await _text(again) == text


async def _text(catalog: Running) -> str:
    answer = await catalog.ask("GET", API)
    return str(answer.json()["spec"]["definition"])


async def test_only_unused_definitions_are_removed(database: Any, data: Path) -> None:
    """A text that a revision refers to stays, also after its entity is deleted."""
    used, unused = definition(60_000, "used"), definition(60_000, "unused")
    file = api_file(data, used)
    store = MongoDefinitionStore(database)
    async with running(database, data) as catalog:
        await catalog.register(file)
        await catalog.work.relay.drain()
        await store.put(hash_of(unused), unused)
        assert await store.unused() == []
        assert await store.unused(now=LATER) == [hash_of(unused)]
        file.write_text("")
        await catalog.register(file, "?onConflict=refresh")
        assert await catalog.entity("api:default/orders") is None
        both = [hash_of(used), hash_of(unused)]
        await store.remove(both, now=LATER)
        assert await texts_in(database) == [used]


async def test_a_definition_stored_again_is_not_removed(database: Any) -> None:
    """A removal that was decided before skips the text."""
    store = MongoDefinitionStore(database)
    text = definition(60_000)
    await store.put(hash_of(text), text)
    old = (datetime.now(UTC) - UNUSED_AFTER * 2).isoformat(timespec="microseconds")
    await database["definitions"].update_one({}, {"$set": {"touched": old}})
    doomed = await store.unused()
    assert doomed == [hash_of(text)]
    await store.put(hash_of(text), text)
    await store.remove(doomed)
    assert await texts_in(database) == [text]


@pytest.mark.parametrize("size", [INLINE_LIMIT - 10, INLINE_LIMIT + 10, 4_999_000])
async def test_definitions_of_any_length_are_stored(database: Any, size: int) -> None:
    """From the shortest stored text to the longest."""
    text = "ä" * (size // 2)
    entity, apart = separate_definition(Entity(builders.api(definition=text)))
    store = MongoDefinitionStore(database)
    if size < INLINE_LIMIT:
        assert apart is None
        assert entity.spec["definition"] == text
        return
    reference = reference_in(entity.spec["definition"])
    assert apart == text
    assert reference is not None
    assert reference.bytes == len(text.encode())
    await store.put(reference.hash, text)
    assert await store.texts([reference.hash]) == {reference.hash: text}


async def test_a_descriptor_cannot_refer_to_a_stored_definition(
    database: Any, data: Path
) -> None:
    """A reference that an author wrote could name a hidden text, so it is refused."""
    secret = definition(60_000)
    remotes = [{"type": "sse", "url": "https://mcp.example"}]
    forged = Reference(hash_of(secret), 60_000).as_value()
    kinds = (
        builders.api("forged", definition=forged),
        builders.api("server", type="mcp-server", remotes=remotes, definition=forged),
    )
    async with running(database, data) as catalog:
        await catalog.register(api_file(data, secret))
        for number, entity in enumerate(kinds):
            file = write(data, f"forged-{number}.yaml", entity)
            answer = await catalog.register(file, "?dryRun=true")
            assert "spec.definition: must be a string" in answer.text
            assert "grün" not in answer.text
