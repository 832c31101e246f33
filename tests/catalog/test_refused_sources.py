"""A source whose descriptor brings no entity is not one that nothing comes from."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.catalog.ingest.restriction import (
    asks_to_be_restricted,
    may_ask_to_be_restricted,
)
from shared.kit.http.service_tokens import Grant, Principal
from tests.catalog.running import Host, Running, pointing, running
from tests.catalog.test_repository_names import FILE, push
from tests.catalog.test_source_rights import (
    BO,
    MARK,
    analysed,
    dry,
    entity,
    readable,
    somebody,
)

VISIBILITY = "callboard.dev/visibility"
ANNA = replace(somebody(), subject="user:default/anna")


@pytest.fixture
async def catalog(database: Any, data: Path, host: Host) -> AsyncIterator[Running]:
    """A name that somebody has, and a skeleton without a descriptor."""
    host.commit("squatter", {FILE: entity("goal")})
    async with running(database, data, host.discovering()) as started:
        host.commit("skeleton", {"docs/x": "x"})
        yield started


def refused(name: str, **annotations: Any) -> dict[str, Any]:
    document = entity(name, restricted=True)
    document["metadata"]["annotations"] |= annotations
    return document


async def pushed(catalog: Running, host: Host, name: str, *documents: Any) -> None:
    """A repository with a file of secrets, and with a descriptor of these documents."""
    host.commit(name, {FILE: [*documents], "docs/secret.md": MARK})
    await push(catalog, host, name, FILE)


async def is_closed(catalog: Running, host: Host, name: str, who: Any = BO) -> bool:
    """Whether neither its files, nor an analysis, nor docs from elsewhere show it."""
    service = Principal("service:techdocs", "service")
    url = f"https://{host.name}/{name}/tree/main/docs"
    body = {"entityRef": "component:default/goal", "locations": [f"url:{url}"]}
    docs = await catalog.ask("POST", "/sources/open", body, service)
    place = {"location": {"type": "url", "target": f"https://{host.name}/{name}"}}
    analysis = await catalog.ask("POST", "/analyze-location", place, who)
    answers = {
        await readable(catalog, url, who),
        await readable(catalog, host.url(name), who),
        docs.json()["items"][0]["readable"],
        analysis.status_code == 200,
    }
    assert len(answers) == 1, (answers, analysis.text)
    return answers == {False}


@pytest.mark.parametrize(
    "descriptor",
    [
        pytest.param(refused("goal"), id="its name is taken"),
        pytest.param(refused("no name"), id="its name breaks a rule"),
        pytest.param(yaml.safe_dump(refused("a")) + "x: [\n", id="a syntax error"),
        pytest.param(entity("also no name"), id="a public one, until it is mended"),
        pytest.param("kind: [\n", id="a public syntax error"),
        *(
            pytest.param(refused(f"v{n}", **{VISIBILITY: value}), id=f"visibility {n}")
            for n, value in enumerate((" restricted ", "restricted\t", True, "secret"))
        ),
    ],
)
async def test_a_refused_descriptor_closes_its_repository(
    catalog: Running, host: Host, descriptor: Any
) -> None:
    """Until it can be read; for those who may see everything it is open."""
    await pushed(catalog, host, "hush", descriptor)
    assert await is_closed(catalog, host, "hush")
    answer = await dry(catalog, host.url("hush"))
    assert answer.status_code == 400
    assert "its descriptor cannot be read yet" in answer.text
    nowhere = await dry(catalog, host.url("nowhere"))
    assert nowhere.text.replace("nowhere", "hush") == answer.text
    operator = Principal(
        "user:default/olga", "user", permission="callboard.source.read"
    )
    secret = host.url("hush", "docs/secret.md")
    body = {"locations": [f"url:{secret}"]}
    answer = await catalog.ask("POST", "/sources/readable", body, operator)
    assert answer.json()["items"][0]["readable"]
    await pushed(catalog, host, "hush", entity("mended"))
    assert await readable(catalog, secret)


async def test_a_repository_without_a_descriptor_stays_open(
    catalog: Running, host: Host
) -> None:
    """Also if somebody's own Location names a file of it that is no descriptor."""
    target = f"https://{host.name}/skeleton/blob/main/docs/x"
    await pushed(catalog, host, "own", pointing("own", target))
    assert await readable(catalog, f"https://{host.name}/skeleton/tree/main/docs")


@pytest.mark.parametrize(
    "descriptor",
    [
        entity("${{ values.name }}"),
        "metadata:\n  name: ${{ values.name }}\n{% if x %}\nkind: API\n{% endif %}\n",
    ],
    ids=["a name", "a text"],
)
async def test_a_skeleton_with_a_descriptor_stays_open(
    catalog: Running, host: Host, descriptor: Any
) -> None:
    """The portal discovers it, and it is no entity before a template renders it."""
    await pushed(catalog, host, "skeleton", descriptor)
    url = f"https://{host.name}/skeleton/tree/main/docs"
    assert await readable(catalog, url)
    await pushed(catalog, host, "skeleton", refused("${{ values.name }}"))
    assert not await readable(catalog, url)


async def test_a_dry_run_names_no_hidden_document(catalog: Running, host: Host) -> None:
    """Of a file with others for everybody, whose hidden one was broken by its owner."""
    await pushed(catalog, host, "mixed", entity("open"), refused("veiled"))
    assert "component:veiled" in await catalog.refs()
    broken = refused("veiled")
    broken["spec"]["type"] = ["told-by-the-error"]
    await pushed(catalog, host, "mixed", entity("open"), broken)
    await pushed(catalog, host, "own", pointing("own", host.url("mixed")))
    for name in ("mixed", "own"):
        answer = await dry(catalog, host.url(name))
        assert answer.status_code == 400
        assert "an entity that not everybody may see is invalid" in answer.text
        assert not {"veiled", "told-by"} & set(answer.text.replace("'", " ").split())
        assert "veiled" not in answer.text


async def test_a_restricted_entity_that_takes_a_taken_name_stays_closed(
    catalog: Running, host: Host
) -> None:
    """So it does if its file cannot be parsed after that, and at the next start."""
    await pushed(catalog, host, "hush", refused("hush"))
    assert await is_closed(catalog, host, "hush")
    await pushed(catalog, host, "hush", refused("goal"))
    assert "component:hush" not in await catalog.refs()
    assert await is_closed(catalog, host, "hush")
    await pushed(catalog, host, "hush", "kind: [\n")
    assert await is_closed(catalog, host, "hush")


async def test_beside_visible_entities_a_refused_document_is_a_hidden_one(
    catalog: Running, host: Host
) -> None:
    """One that asks nothing leaves the rest of the repository as it is."""
    files: dict[str, Any] = {
        FILE: pointing("all", "./a/info.yaml", "./b/info.yaml"),
        "a/info.yaml": entity("a"),
        "a/x": "x",
        "b/info.yaml": entity("no name"),
        "b/x": "x",
    }
    host.commit("mixed", files)
    await push(catalog, host, "mixed")
    root = f"https://{host.name}/mixed/tree/main"
    assert await readable(catalog, f"{root}/b/x")
    for text in (refused("no name"), yaml.safe_dump(refused("b")) + "x: [\n"):
        host.commit("mixed", {"b/info.yaml": text})
        await push(catalog, host, "mixed")
        assert await readable(catalog, f"{root}/a/x")
        assert not await readable(catalog, f"{root}/b/info.yaml")
        assert not await readable(catalog, f"{root}/b/x")
    host.commit("mixed", {"b/info.yaml": entity("b")})
    await push(catalog, host, "mixed")
    assert await readable(catalog, f"{root}/b/x")


async def test_the_owner_of_a_restricted_entity_reads_its_broken_source(
    catalog: Running, host: Host
) -> None:
    """The second document of the file asks to be restricted and is refused."""
    await pushed(catalog, host, "hush", refused("hush"), refused("no name"))
    answer = await analysed(catalog, host, "hush")
    assert answer.status_code == 400
    vera = Principal(
        "user:default/vera",
        "user",
        permission="callboard.source.read",
        decision="conditional",
        conditions={
            "rule": "IS_ENTITY_OWNER",
            "resourceType": "catalog-entity",
            "params": {"claims": ["group:default/vault"]},
        },
        also={"callboard.source.explore": Grant("allow")},
    )
    body = {"locations": [f"url:{host.url('hush', 'docs/secret.md')}"]}
    answer = await catalog.ask("POST", "/sources/readable", body, vera)
    assert answer.json()["items"][0]["readable"]


async def test_a_registration_alone_closes_no_source(
    database: Any, data: Path, host: Host
) -> None:
    """Anybody may register any file of a skeleton; it is read again and recovers."""
    host.commit("new", {FILE: "kind: [\n", "docs/secret.md": MARK})
    async with running(database, data, host.config()) as catalog:
        target = {"type": "url", "target": host.url("new")}
        answer = await catalog.ask("POST", "/locations", target, ANNA)
        assert answer.status_code == 201, answer.text
        url = host.url("new", "docs/secret.md")
        assert await readable(catalog, url, ANNA)
        assert await readable(catalog, url, BO)
        host.commit("new", {FILE: entity("new")})
        [root] = catalog.work.catalog.state.roots.values()
        body = {"entityRef": root.location.entity_ref}
        assert (await catalog.ask("POST", "/refresh", body)).status_code == 200
        assert "component:new" in await catalog.refs()
        assert await readable(catalog, url, BO)


async def test_a_source_is_closed_until_it_was_read_whole(
    catalog: Running, host: Host
) -> None:
    """Its entities are not known before; its registration meanwhile is possible."""
    host.commit("late", {FILE: entity("late"), "docs/x": "x"})
    context = catalog.work.catalog
    await push(catalog, host, "late", FILE)
    [root] = [r for r in context.state.roots.values() if "/late/" in str(r.location)]
    context.state.put_root(replace(root, files={}, settled=False))
    context.state.drop("component:default/late")
    url = host.url("late", "docs/x")
    assert not await readable(catalog, url)
    context.state.put_root(replace(root, files={}))
    assert await readable(catalog, url)
    with context.rights.reading(root):
        assert not await readable(catalog, url)
    assert await readable(catalog, url)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("callboard.dev/visibility: restricted", True),
        ('"callboard.dev/visibility" : yes', True),
        ("Callboard.dev/Visibility: ' restricted'", True),
        ('{"callboard.dev\\/visibility": "restricted"', True),
        ("? callboard.dev/visibility\n: restricted", True),
        ("\0".join("callboard.dev/visibility: restricted"), True),
        ("callboard.dev/visibility: public", False),
        ("callboard.dev/visibility: 'public'", False),
        ("kind: [", False),
    ],
)
def test_a_broken_text_may_ask_to_be_restricted(text: str, expected: bool) -> None:
    """As far as it can be told without a parser."""
    assert may_ask_to_be_restricted(text.encode()) == expected


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"annotations": {VISIBILITY: "  Restricted "}}, True),
        ({"annotations": {VISIBILITY: {"$text": "./x"}}}, True),
        ({"annotations": {"Callboard.dev/Visibility": True}}, True),
        ({"labels": {VISIBILITY: "restricted"}}, True),
        ({"annotations": [f"{VISIBILITY}: restricted"]}, True),
        ([{"annotations": {VISIBILITY: "restricted"}}], True),
        ({"$yaml": "./metadata.yaml"}, True),
        ({"annotations": {"$yaml": "./annotations.yaml"}}, True),
        ({"annotations": {VISIBILITY: " Public"}}, False),
        ({"annotations": {VISIBILITY: ""}}, False),
        ({}, False),
    ],
)
def test_a_document_may_ask_to_be_restricted(metadata: Any, expected: bool) -> None:
    """Any value counts that is not known to be public."""
    assert asks_to_be_restricted({"metadata": metadata}) == expected
    assert asks_to_be_restricted({"metadata": metadata, "$yaml": "./all.yaml"})
