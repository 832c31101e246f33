"""Which files of an entity's own source are hidden from some of its readers."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from shared.kit.http.service_tokens import Principal
from tests.catalog.running import Host, Running, pointing, run, running
from tests.catalog.test_refused_sources import refused
from tests.catalog.test_repository_names import FILE, push
from tests.catalog.test_source_rights import BO, entity, write

TECHDOCS = Principal("service:techdocs", "service")


@pytest.fixture
async def catalog(database: Any, data: Path, host: Host) -> AsyncIterator[Running]:
    async with running(database, data, host.discovering()) as started:
        yield started


async def hidden(
    catalog: Running, name: str, locations: Sequence[str]
) -> tuple[bool, list[str]]:
    """Whether there is anything hidden at all, and the hidden ones of some files."""
    body = {"entityRef": f"component:default/{name}", "locations": locations}
    answer = await catalog.ask("POST", "/sources/hidden", body, TECHDOCS)
    assert answer.status_code == 200, answer.text
    items = answer.json()["items"]
    pairs = zip(locations, items, strict=True)
    return bool(answer.json()["state"]), [place for place, item in pairs if item]


async def test_files_of_something_hidden_are_hidden(
    catalog: Running, host: Host
) -> None:
    """Its descriptor and what lies around it; what belongs to nothing is not."""
    secret = refused("secret")
    files = {
        FILE: pointing("all", "./web/c.yaml", "./web/docs/s/c.yaml", "./x/c.yaml"),
        "web/c.yaml": [entity("web"), refused("beside")],
        "web/docs/s/c.yaml": secret,
        "x/c.yaml": [refused("x"), entity("y")],
    }
    host.commit("mixed", files)
    await push(catalog, host, "mixed", *files)
    assert "component:secret" in await catalog.refs()
    root = f"url:https://{host.name}/mixed/blob/main"
    open_files = ["web/docs/index.md", "web/x", "docs/index.md", "x/docs/index.md"]
    hidden_files = ["web/docs/s/c.yaml", "web/docs/s/plan.md", "web/docs/s/a/b"]
    both = [f"{root}/{path}" for path in (*open_files, *hidden_files)]
    expected = [f"{root}/{path}" for path in hidden_files]
    assert await hidden(catalog, "web", both) == (True, expected)
    # Who sees the restricted one sees its files, as of the same owner.
    assert await hidden(catalog, "secret", both) == (False, [])
    assert await hidden(catalog, "nobody", both) == (True, expected)


async def test_nothing_is_hidden_where_all_is_open(
    catalog: Running, host: Host
) -> None:
    """One location tells whether a source has anything hidden at all."""
    host.commit("open", {FILE: entity("web")})
    await push(catalog, host, "open", FILE)
    place = f"url:https://{host.name}/open/blob/main/docs/index.md"
    assert await hidden(catalog, "web", [place]) == (False, [])


async def test_a_restricted_entity_without_an_owner_has_its_own_files(
    catalog: Running, host: Host
) -> None:
    """Who sees everything reads its docs."""
    document = refused("lonely")
    document["kind"] = "Template"
    document["apiVersion"] = "scaffolder.backstage.io/v1beta3"
    document["spec"] = {"type": "service", "parameters": [], "steps": []}
    host.commit("lonely", {FILE: document})
    await push(catalog, host, "lonely", FILE)
    assert "template:lonely" in await catalog.refs()
    body = {
        "entityRef": "template:default/lonely",
        "locations": [f"url:https://{host.name}/lonely/blob/main/docs/index.md"],
    }
    answer = await catalog.ask("POST", "/sources/hidden", body, TECHDOCS)
    assert answer.json()["items"] == [False]


async def test_on_this_machine_the_nearest_descriptor_decides(
    database: Any, data: Path
) -> None:
    """One restricted file hides its folder."""
    write(data, "files/web/a.yaml", entity("web"))
    write(data, "files/web/docs/s/b.yaml", entity("secret", restricted=True))
    async with running(database, data) as catalog:
        for name in ("web/a", "web/docs/s/b"):
            await catalog.register(data / "files" / f"{name}.yaml")
        places = [
            f"file:{data}/files/web/docs/{name}"
            for name in ("index.md", "s/b.yaml", "s/plan.md")
        ]
        assert await hidden(catalog, "web", places) == (True, places[1:])


async def test_only_services_ask_and_a_question_has_a_bound(catalog: Running) -> None:
    """A question names at most 2,000 files, and each by an address."""
    body = {"entityRef": "component:web", "locations": ["url:https://x/y"]}
    answer = await catalog.ask("POST", "/sources/hidden", body, BO)
    assert answer.status_code == 403
    body["locations"] *= 2_001
    answer = await catalog.ask("POST", "/sources/hidden", body, TECHDOCS)
    assert answer.status_code == 400
    body["locations"] = [f"url:https://x/{'y' * 9_000}"]
    answer = await catalog.ask("POST", "/sources/hidden", body, TECHDOCS)
    assert "at most 8192 characters" in answer.json()["error"]["message"]


@pytest.mark.parametrize("restarts", [False, True])
async def test_files_of_a_branch_with_a_slash(
    database: Any, data: Path, host: Host, *, restarts: bool
) -> None:
    """Also as long as the host was not asked which branches there are."""
    files = {
        FILE: [entity("web"), pointing("all", "./docs/s/c.yaml")],
        "docs/s/c.yaml": refused("secret"),
    }
    host.commit("sliced", files)
    bare = host.bare / "sliced.git"
    run("git", "branch", "release/v3", "main", cwd=bare)
    root = f"url:https://{host.name}/sliced/blob"
    names = ["docs/s/c.yaml", "docs/s/plan.md", "docs/index.md"]
    places = [f"{root}/release%2Fv3/{name}" for name in names]
    expected = (True, places[:2])
    async with running(database, data, host.config()) as catalog:
        await catalog.register(f"{root.removeprefix('url:')}/release/v3/{FILE}")
        assert "component:secret" in await catalog.refs()
        if not restarts:
            assert await hidden(catalog, "web", places) == expected
    if restarts:
        async with running(database, data, host.config()) as catalog:
            assert await hidden(catalog, "web", places) == expected


@pytest.mark.parametrize("registered", ["HEAD", "main"])
async def test_docs_of_another_branch_are_the_entitys_own(
    database: Any, data: Path, host: Host, registered: str
) -> None:
    """One from which nothing comes is judged as the default one, which may be any."""
    host.commit(
        "mixed",
        {
            FILE: [entity("web"), refused("beside"), pointing("all", "./s/c.yaml")],
            "s/c.yaml": refused("secret"),
        },
    )
    root = f"url:https://{host.name}/mixed/blob"
    async with running(database, data, host.config()) as catalog:
        await catalog.register(f"{root.removeprefix('url:')}/{registered}/{FILE}")
        assert "component:secret" in await catalog.refs()
        for branch in ("main", "HEAD", "docs-site"):
            places = [f"{root}/{branch}/{n}" for n in ("docs/x.md", "s/x.md")]
            assert await hidden(catalog, "web", places) == (True, places[1:]), branch


async def test_a_file_that_is_closed_for_what_is_gone_is_its_owners(
    catalog: Running, host: Host
) -> None:
    """Docs of the same owner's restricted entity have it; those for all have not."""
    files = {
        FILE: [entity("web"), refused("keeper"), pointing("all", "./s/c.yaml")],
        "s/c.yaml": refused("secret"),
    }
    host.commit("mixed", files)
    await push(catalog, host, "mixed", *files)
    host.commit("mixed", {"s/c.yaml": "# nothing"})
    await push(catalog, host, "mixed", "s/c.yaml")
    assert "component:secret" not in await catalog.refs()
    place = f"url:https://{host.name}/mixed/blob/main/s/plan.md"
    assert await hidden(catalog, "web", [place]) == (True, [place])
    assert (await hidden(catalog, "keeper", [place]))[1] == []


async def test_the_state_changes_with_what_is_hidden_alone(
    database: Any, data: Path, host: Host
) -> None:
    """The same after a start, and when something comes beside that hides nothing."""
    host.commit("mixed", {"a/c.yaml": entity("web"), "s/c.yaml": refused("secret")})
    root = f"url:https://{host.name}/mixed/blob/main"

    async def state(catalog: Running) -> str:
        body = {"entityRef": "component:default/web", "locations": [f"{root}/a/"]}
        answer = await catalog.ask("POST", "/sources/hidden", body, TECHDOCS)
        result: str = answer.json()["state"]
        return result

    async def commit(catalog: Running, name: str, document: Any) -> str:
        host.commit("mixed", {name: document})
        target = f"{root.removeprefix('url:')}/{name}"
        await catalog.register(target, "?onConflict=refresh")
        return await state(catalog)

    async with running(database, data, host.config()) as catalog:
        states = [
            await commit(catalog, "a/c.yaml", entity("web")),
            await commit(catalog, "s/c.yaml", refused("secret")),
        ]
        assert states[0] == ""
        assert states[1]
        assert await commit(catalog, "b/c.yaml", entity("beside")) == states[1]
    async with running(database, data, host.config()) as catalog:
        assert await state(catalog) == states[1]
        inside = await commit(catalog, "s/open/c.yaml", entity("inside"))
        assert inside not in states
        other = await commit(catalog, "a/s/c.yaml", refused("other"))
        assert other not in (*states, inside)
