"""Branches whose names have slashes: registered, discovered, pushed to."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from services.catalog.handlers.pushes import Push, apply_push
from tests import builders
from tests.catalog.running import Host, pointing, run, running

FILE = "catalog-info.yaml"
BRANCH = "release/v3"


def branched(data: Path, files: dict[str, Any]) -> Host:
    """A host with a repository that has the files on a branch alone."""
    host = Host(data)
    host.commit("web", {"readme.md": "# hi"})
    commit(host, files)
    return host


def commit(host: Host, files: dict[str, Any]) -> None:
    copy = host.copies / "web"
    run("git", "checkout", "-q", "-B", BRANCH, cwd=copy)
    host.commit("web", files)
    run("git", "push", "-q", "origin", f"HEAD:{BRANCH}", cwd=copy)


async def test_a_branch_with_a_slash_may_be_escaped_or_not(
    database: Any, data: Path
) -> None:
    """Targets and placeholders beside the file are on the same branch."""
    described = builders.component("web", {"description": {"$text": "./note.txt"}})
    files = {
        FILE: pointing("all", "./a/*.yaml"),
        "a/web.yaml": described,
        "a/note.txt": "on a branch",
    }
    host = branched(data, files)
    root = f"https://{host.name}/web/blob"
    async with running(database, data, host.config()) as catalog:
        for branch in (BRANCH, "release%2Fv3"):
            answer = await catalog.register(f"{root}/{branch}/{FILE}", "?dryRun=true")
            assert answer.status_code == 201, answer.text
        await catalog.register(f"{root}/{BRANCH}/{FILE}")
        entity = await catalog.entity("component:default/web")
        assert entity is not None
        assert entity["metadata"]["description"] == "on a branch"
        annotations = entity["metadata"]["annotations"]
        expected = f"{root}/release%2Fv3/a/web.yaml"
        assert annotations["backstage.io/view-url"] == expected


@pytest.mark.parametrize("spelling", [BRANCH, "release%2Fv3"])
async def test_a_file_there_is_registered_once(
    database: Any, data: Path, spelling: str
) -> None:
    """Also after a start, and before anything is read from the branch again."""
    host = branched(data, {FILE: builders.component("web")})
    urls = {
        f"https://{host.name}/web/blob/{branch}/{FILE}"
        for branch in (BRANCH, "release%2Fv3")
    }
    first = f"https://{host.name}/web/blob/{spelling}/{FILE}"
    async with running(database, data, host.config()) as catalog:
        assert (await catalog.register(first)).status_code == 201
    async with running(database, data, host.config()) as catalog:
        for url in urls:
            answer = await catalog.register(url)
            assert answer.status_code == 409, url
            assert "already exists" in answer.text


async def test_a_push_to_a_branch_with_a_slash_refreshes(
    database: Any, data: Path
) -> None:
    """The file's address is stored with its whole branch."""
    host = branched(data, {FILE: builders.component("web")})
    async with running(database, data, host.config()) as catalog:
        await catalog.register(f"https://{host.name}/web/blob/{BRANCH}/{FILE}")
        commit(host, {FILE: builders.component("web", owner="others")})
        push = Push(host.name, "web", BRANCH, frozenset([FILE]), "ann")
        await apply_push(catalog.work.catalog, [], push)
        entity = await catalog.entity("component:default/web")
        assert entity is not None
        assert entity["spec"]["owner"] == "others"


async def test_a_provider_reads_a_branch_with_a_slash(
    database: Any, data: Path
) -> None:
    """The provider reads back the addresses that it writes."""
    host = branched(data, {FILE: builders.component("web")})
    config = host.discovering().replace(
        f"host: {host.name}\n", f"host: {host.name}\n        branch: {BRANCH}\n", 1
    )
    async with running(database, data, config) as catalog:
        assert await catalog.refs() == {"component:web"}


async def test_a_location_that_is_no_file_address_is_refused(
    database: Any, data: Path
) -> None:
    """The error names the address and shows a valid form, not the allow list."""
    host = branched(data, {FILE: builders.component("web")})
    async with running(database, data, host.config()) as catalog:
        url = f"https://{host.name}/web/pulls/3"
        answer = await catalog.register(url, "?dryRun=true")
        assert answer.status_code == 400
        message = answer.json()["error"]["message"]
        assert url in message
        assert "/NAME/blob/BRANCH/PATH" in message


async def test_a_repository_or_folder_address_suggests_a_file_address(
    database: Any, data: Path
) -> None:
    """An address of a file in it, on the branch that the address means."""
    host = branched(data, {"docs/index.md": "# Web\n"})
    root = f"https://{host.name}/web"
    name, folder = quote(BRANCH, safe=""), quote(BRANCH, safe="/")
    expected = {
        root: ("a repository", f"{root}/blob/main/{FILE}"),
        f"{root}.git": ("a repository", f"{root}/blob/main/{FILE}"),
        f"{root}/tree/{folder}": ("a repository", f"{root}/blob/{name}/{FILE}"),
        f"{root}/tree/{folder}/docs/": ("a folder", f"{root}/blob/{name}/docs/{FILE}"),
    }
    async with running(database, data, host.config()) as catalog:
        for url, (noun, example) in expected.items():
            answer = await catalog.register(url, "?dryRun=true")
            assert answer.status_code == 400
            message = answer.json()["error"]["message"]
            assert message.startswith(f"NotFoundError: {url} is {noun}, not a file")
            assert message.endswith(f"such as {example}")
