"""What is wrong with a source shows on what it brought, for as long as it is wrong."""

import re
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalog.handlers.scanning import scan
from services.catalog.ingest import problems
from services.catalog.worker import report
from shared.contracts.errors import Invalid, Unavailable
from shared.guards.yaml_lines import locate
from shared.guards.yaml_text import dump_yaml, load_documents
from tests import builders
from tests.catalog.running import Host, Running, generated, pointing, running

FILE = "catalog-info.yaml"
RESTRICTED = {"annotations": {"callboard.dev/visibility": "restricted"}}


@pytest.fixture
async def catalog(database: Any, data: Path, host: Host) -> AsyncIterator[Running]:
    async with running(database, data, host.config()) as started:
        yield started


async def push(catalog: Running, host: Host, *documents: Any) -> None:
    """Push a descriptor and have it read."""
    host.commit("shop", {FILE: list(documents)})
    await catalog.register(host.url("shop"), "?onConflict=refresh")


async def errors_of(catalog: Running, name: str) -> list[dict[str, Any]]:
    entity = await catalog.entity(name)
    assert entity is not None, f"{name} is gone"
    items: list[dict[str, Any]] = entity.get("status", {}).get("items", [])
    assert {item["level"] for item in items} <= {"error"}
    return items


WEB, API = "component:default/web", "api:default/orders"


async def test_a_parse_error_is_shown_on_all_entities_of_the_file(
    catalog: Running, host: Host
) -> None:
    """With line and column and what to do; after a repair the errors go."""
    good = [builders.component("web"), builders.api("orders")]
    await push(catalog, host, *good)
    await push(catalog, host, "kind: Component\nmetadata:\n  name: [web\nspec: {}\n")
    for name in (WEB, API):
        [item] = await errors_of(catalog, name)
        assert item["type"] == "backstage.io/catalog-processing"
        assert "YAML error" in item["message"]
        assert "the bracket opened at line 3, column 9 is not" in item["message"]
        assert "Correct the file there" in item["message"]
        assert item["error"]["line"] == 4
        assert item["error"]["column"] >= 1
    listed = await catalog.ask("GET", "/entities?filter=status.items.level=error")
    names = {entity["metadata"]["name"] for entity in listed.json()}
    assert names == {"web", "orders", generated(host.url("shop"), "url")}
    await push(catalog, host, *good)
    assert await errors_of(catalog, WEB) == await errors_of(catalog, API) == []
    listed = await catalog.ask("GET", "/entities?filter=status.items.level=error")
    assert listed.json() == []


async def test_a_file_over_the_limit_tells_what_to_do(
    catalog: Running, host: Host
) -> None:
    """It is there and can be read: that is not what is wrong."""
    await push(catalog, host, builders.component("web"))
    await push(catalog, host, "#" * 10_500_000)
    [item] = await errors_of(catalog, WEB)
    assert item["message"].endswith("Correct it there, or unregister the location")


@pytest.mark.parametrize(
    "broken",
    ["a: [", "- a list\n", "just a text\n", "apiVersion: x\nkind: Component\n"],
)
async def test_a_repeated_failure_makes_no_new_revision(
    catalog: Running, host: Host, broken: str
) -> None:
    """Neither of the entity nor of its location, however often it is read."""
    await push(catalog, host, builders.component("web"))
    location = f"location:default/{generated(host.url('shop'), 'url')}"
    await push(catalog, host, broken)
    assert len(await errors_of(catalog, WEB)) == 1
    before = [len(await catalog.history(ref)) for ref in (WEB, location)]
    for _ in range(3):
        await catalog.register(host.url("shop"), "?onConflict=refresh")
        await catalog.ask("POST", "/refresh", {"entityRef": WEB})
    after = [len(await catalog.history(ref)) for ref in (WEB, location)]
    assert after == before == [2, 2]


async def test_an_invalid_document_affects_its_own_entity_only(
    catalog: Running, host: Host
) -> None:
    """It keeps its last valid state; other entities of the file still change."""
    await push(catalog, host, builders.component("web"), builders.api("orders"))
    title = {"title": "Orders"}
    text = dump_yaml(builders.component("web", owner=5))
    await push(catalog, host, text, builders.api("orders", title))
    [item] = await errors_of(catalog, WEB)
    assert "spec.owner" in item["message"]
    line = text[: text.index("owner:")].count("\n") + 1
    assert item["error"]["line"] == line
    assert item["message"].endswith(f"(line {line} of catalog-info.yaml)")
    entity = await catalog.entity(API)
    assert entity is not None
    assert entity["metadata"]["title"] == "Orders"
    assert await errors_of(catalog, API) == []


@pytest.mark.parametrize(
    ("owner", "ref"),
    [
        ("harbour", "group:default/harbour"),
        ("user:pier/Ann", "user:pier/ann"),
        (5, None),
        ("a:b:c/", None),
        ("x" * 300, None),
    ],
)
async def test_the_error_of_a_refused_document_has_its_owner(
    catalog: Running, host: Host, owner: Any, ref: str | None
) -> None:
    """Its location is found by the owner, also where it was never valid."""
    broken = builders.component("web", {"tags": "none"}, owner=owner)
    await push(catalog, host, broken)
    await catalog.register(host.url("shop"), "?onConflict=refresh")
    location = f"location:default/{generated(host.url('shop'), 'url')}"
    [item] = await errors_of(catalog, location)
    assert item["error"].get("owner") == ref
    query = f"/entities?filter=status.items.error.owner={ref or 'group:default/-'}"
    listed = (await catalog.ask("GET", query)).json()
    assert [entity["metadata"]["name"] for entity in listed] == (
        [generated(host.url("shop"), "url")] if ref else []
    )


@pytest.mark.parametrize(
    "broken",
    [
        {"apiVersion": "backstage.io/v1alpha1", "kind": "Component", "metadata": {}},
        {**builders.component("web"), "kind": "Componnt"},
        ["no", "object"],
    ],
)
async def test_a_document_without_a_name_deletes_nothing(
    catalog: Running, host: Host, broken: Any
) -> None:
    """The missing entity may be that document: it stays and has the error."""
    orders = builders.api("orders")
    await push(catalog, host, orders, builders.component("web"))
    await push(catalog, host, orders, dump_yaml(broken))
    [item] = await errors_of(catalog, WEB)
    assert re.search(r"line \d+ of catalog-info\.yaml\)$", item["message"])
    assert await errors_of(catalog, API) == []
    await push(catalog, host, orders)
    assert await catalog.entity(WEB) is None


async def test_a_placeholder_error_is_shown_on_its_entity_only(
    catalog: Running, host: Host
) -> None:
    """The other entities of the file have no error."""
    await push(catalog, host, builders.component("web"), builders.api("orders"))
    text = {"description": {"$text": "./gone.md"}}
    await push(catalog, host, builders.component("web", text), builders.api("orders"))
    [item] = await errors_of(catalog, WEB)
    assert "$text ./gone.md" in item["message"]
    assert await errors_of(catalog, API) == []


async def test_a_missing_repository_is_reported_with_its_time(
    catalog: Running, host: Host
) -> None:
    """Nothing is deleted or reported twice, and the error goes on its return."""
    await push(catalog, host, builders.component("web"))
    bare, away = host.bare / "shop.git", host.bare / "elsewhere"
    shutil.move(bare, away)
    work = catalog.work
    for _ in range(3):
        await scan(work.catalog, work.desired, 2, report)
    [item] = await errors_of(catalog, WEB)
    assert "(since 2" in item["message"]
    assert "unregister the location" in item["message"]
    assert item["error"]["since"]
    assert str(host.bare) not in item["message"]
    assert len(await catalog.history(WEB)) == 2
    shutil.move(away, bare)
    await scan(work.catalog, work.desired, 2, report)
    assert await errors_of(catalog, WEB) == []


async def test_half_a_surrogate_pair_is_an_error_of_the_whole_file(
    catalog: Running, host: Host
) -> None:
    """Like all faults of its YAML: nothing of the file changes until it is repaired."""
    web, api = builders.component("web"), builders.api("orders")
    await push(catalog, host, web, api)
    half = 'kind: API\nmetadata:\n  name: orders\n  title: "\\ud83d"\n'
    await push(catalog, host, builders.component("web", {"title": "New"}), half)
    for name in (WEB, API):
        [item] = await errors_of(catalog, name)
        assert "stand in pairs, one of this pair is missing" in item["message"]
        entity = await catalog.entity(name)
        assert entity
        assert "title" not in entity["metadata"]
    await push(catalog, host, builders.component("web", {"title": "New"}), api)
    assert await errors_of(catalog, WEB) == await errors_of(catalog, API) == []


async def test_a_location_in_a_broken_file_has_the_error_once(
    catalog: Running, host: Host
) -> None:
    """Its own targets are read, and their errors are listed beside it."""
    host.commit("shop", {"web.yaml": builders.component("web")})
    await push(catalog, host, pointing("more", "./web.yaml", "./gone.yaml"))
    assert len(await errors_of(catalog, "location:default/more")) == 1
    await push(catalog, host, "a: [")
    before = len(await catalog.history("location:default/more"))
    for _ in range(2):
        work = catalog.work
        await scan(work.catalog, work.desired, 2, report)
        items = await errors_of(catalog, "location:default/more")
        assert ["YAML error" in item["message"] for item in items] == [True, False]
    assert len(await catalog.history("location:default/more")) == before
    assert await errors_of(catalog, WEB) == []


async def test_errors_do_not_reveal_restricted_entities(
    catalog: Running, host: Host
) -> None:
    """Others of the file and its location see the place; owners see the cause."""
    secret = builders.component("secret", RESTRICTED)
    await push(catalog, host, builders.component("web"), secret)
    broken = builders.component("secret", {**RESTRICTED, "wormhole": {1: 2}}, owner=5)
    await push(catalog, host, builders.component("web"), broken)
    [item] = await errors_of(catalog, "component:default/secret")
    assert "spec.owner" in item["message"]
    assert await errors_of(catalog, WEB) == []
    [problem] = await catalog.problems(generated(host.url("shop"), "url"))
    assert "secret" not in problem
    assert "spec.owner" not in problem
    await push(catalog, host, "wormhole: 1\nwormhole: 2\n")
    [item] = await errors_of(catalog, "component:default/secret")
    assert "wormhole" in item["message"]
    [item] = await errors_of(catalog, WEB)
    assert "wormhole" not in str(item)
    assert "at line 2, column 1" in item["message"]
    [problem] = await catalog.problems(generated(host.url("shop"), "url"))
    assert "wormhole" not in problem


def test_a_short_failure_is_not_shown_on_the_entities() -> None:
    """A host that does not answer affects its entities after one hour."""
    now = datetime(2026, 11, 28, 12, tzinfo=UTC)
    first = problems.failure_item(Unavailable("does not answer"), (), now)
    later = now + problems.UNAVAILABLE_GRACE
    again = problems.failure_item(Unavailable("does not answer"), [first], later)
    assert again == first
    assert not problems.is_lasting(first, later - timedelta(seconds=1))
    assert problems.is_lasting(first, later)
    assert problems.is_lasting(problems.failure_item(Invalid("x"), (), now), now)


@given(st.lists(st.one_of(st.none(), st.integers(), st.lists(st.text(max_size=3)))))
def test_every_document_has_a_line_number(values: list[Any]) -> None:
    """Each document that is not empty has the line where it begins."""
    text = "".join(f"---\n# note\n{dump_yaml(value)}" for value in values)
    documents = load_documents(text)
    located = locate(text, dict.fromkeys(range(len(documents)), ()))
    lines = [document_lines.start for document_lines in located.values()]
    assert len(lines) == len(documents)
    assert lines == sorted(set(lines))
    for line in lines:
        assert not text.splitlines()[line - 1].startswith(("---", "#"))


async def test_the_number_of_reported_errors_is_limited(
    catalog: Running, host: Host
) -> None:
    """In the status of the location and of its entities; long errors are cut."""
    await push(catalog, host, builders.component("web"), builders.api("orders"))
    count, api = 3000, builders.api("orders")
    nameless = dump_yaml({"apiVersion": "v1", "kind": "Component", "metadata": {}})
    long = builders.component("x" * 50_000)
    await push(catalog, host, api, *[nameless] * count, long)
    assert len(await errors_of(catalog, WEB)) == problems.ENTITY_ITEMS
    items = await catalog.problems(generated(host.url("shop"), "url"))
    assert len(items) == problems.FILE_ITEMS + 1
    assert f"and {count + 1 - problems.FILE_ITEMS:,} more errors" in items[-1]
    await push(catalog, host, api, long)
    [item] = await errors_of(catalog, WEB)
    assert len(item["message"]) < 2500


def test_a_different_failure_keeps_the_time_of_the_first() -> None:
    """The host is away since the first failure, whatever it answers later."""
    now = datetime(2026, 11, 28, 12, tzinfo=UTC)
    first = problems.failure_item(Unavailable("took over 60 s"), (), now)
    later = now + timedelta(hours=2)
    assert problems.failure_item(Unavailable("answered 502"), [first], later) == first
    other = problems.failure_item(Invalid("There is none"), [first], later)
    assert other["error"]["since"] == later.isoformat()


@pytest.mark.parametrize(
    "content", ["a: [", builders.component("web", {"tags": ["A"]})]
)
async def test_an_error_says_where_its_own_file_is_edited(
    catalog: Running, host: Host, content: Any
) -> None:
    """Of a Location with several files, each error leads to the file that has it."""
    host.commit("shop", {"parts/web.yaml": content})
    host.commit("shop", {"catalog-info.yaml": pointing("more", "./parts/web.yaml")})
    await catalog.register(host.url("shop"))
    location = await catalog.entity("location:default/more")
    assert location is not None
    [item] = location["status"]["items"]
    own_url = location["metadata"]["annotations"]["backstage.io/edit-url"]
    assert own_url.endswith("/catalog-info.yaml")
    url = item["error"]["editUrl"]
    assert url == own_url.replace("catalog-info.yaml", "parts/web.yaml")
