"""Folders that docs of hidden entities are built from are hidden, wherever they lie."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.catalog.handlers.docs_folders import docs_folders
from services.catalog.model import RepositoryPath
from shared.contracts.annotations import MANAGED_BY_LOCATION
from shared.kit.http.service_tokens import Principal
from tests.builders import component
from tests.catalog.readmodels import stored
from tests.catalog.running import Host, Running, pointing, run, running
from tests.catalog.test_closed_sources import reads, vera
from tests.catalog.test_refused_sources import refused
from tests.catalog.test_repository_names import FILE, push
from tests.catalog.test_source_rights import MARK, entity, readable

REFERENCE = "backstage.io/techdocs-ref"
SOURCE = "backstage.io/source-location"
ROOT = "https://{host}/mixed"
TREE = f"{ROOT}/tree/main"


@pytest.fixture
async def catalog(database: Any, data: Path, host: Host) -> AsyncIterator[Running]:
    async with running(database, data, host.discovering()) as started:
        yield started


async def mixed(
    catalog: Running, host: Host, annotations: dict[str, str], **public: str
) -> None:
    """A repository with something for everybody at the top, and a hidden entity."""
    hidden, web = refused("hidden"), entity("web")
    for document, more in ((hidden, annotations), (web, public)):
        marks = {key: text.format(host=host.name) for key, text in more.items()}
        document["metadata"].setdefault("annotations", {}).update(marks)
    files = {
        FILE: [web, pointing("all", "./s/c.yaml")],
        "s/c.yaml": hidden,
        "docs/index.md": "# For everybody",
        "docs/secret/index.md": MARK,
        "shared/x": "x",
    }
    host.commit("mixed", files)
    await push(catalog, host, "mixed", *files)
    assert "component:hidden" in await catalog.refs()


async def opened(catalog: Running, host: Host, *paths: str) -> list[str]:
    root = TREE.format(host=host.name)
    return [path for path in paths if await readable(catalog, f"{root}/{path}")]


@pytest.mark.parametrize(
    "annotations",
    [
        pytest.param({REFERENCE: "dir:../docs/secret"}, id="below"),
        pytest.param({REFERENCE: f"url:{TREE}/docs/secret"}, id="an address"),
        pytest.param({REFERENCE: f"url:{ROOT}/tree/HEAD/docs/secret/"}, id="HEAD"),
        pytest.param(
            {REFERENCE: "dir:.", SOURCE: f"url:{TREE}/docs/secret/"}, id="the author's"
        ),
        pytest.param(
            {REFERENCE: "dir:./secret", SOURCE: f"url:{ROOT}/blob/main/docs"},
            id="below the author's",
        ),
    ],
)
async def test_a_docs_folder_is_hidden_with_the_folders_above_it(
    catalog: Running, host: Host, annotations: dict[str, str]
) -> None:
    """However annotations name it; what lies beside it stays readable."""
    await mixed(catalog, host, annotations)
    hidden = ("", "docs", "docs/secret", "docs/secret/index.md")
    readable_paths = ["docs/index.md", "shared", "shared/x", FILE]
    assert await opened(catalog, host, *hidden, *readable_paths) == readable_paths
    docs = f"{TREE.format(host=host.name)}/docs"
    body = {"entityRef": "component:default/web", "locations": [f"url:{docs}"]}
    service = Principal("service:techdocs", "service")
    answer = await catalog.ask("POST", "/sources/open", body, service)
    assert answer.json()["items"][0]["readable"] is False
    for path in ("docs", "docs/secret/index.md"):
        assert await reads(catalog, f"{TREE.format(host=host.name)}/{path}", vera())


@pytest.mark.parametrize(
    "annotations",
    [
        pytest.param({REFERENCE: "dir:.."}, id="the folder of something visible"),
        pytest.param({REFERENCE: "dir:."}, id="its own folder"),
        pytest.param({REFERENCE: "url:https://{host}/other/tree/main/docs"}, id="far"),
        pytest.param(
            {REFERENCE: "dir:docs", SOURCE: "url:https://{host}/other/tree/main/"},
            id="the author's, elsewhere",
        ),
        pytest.param({REFERENCE: "nothing"}, id="no reference"),
        pytest.param({REFERENCE: "dir:.", SOURCE: "nothing"}, id="no source"),
    ],
)
async def test_docs_of_elsewhere_hide_nothing(
    catalog: Running, host: Host, annotations: dict[str, str]
) -> None:
    """And neither does a folder that is that of something for everybody."""
    await mixed(catalog, host, annotations)
    readable_paths = ["docs", "docs/secret", "docs/index.md", "shared", FILE]
    assert await opened(catalog, host, "", "s/x", *readable_paths) == readable_paths


async def test_a_docs_folder_of_something_visible_stays_readable(
    catalog: Running, host: Host
) -> None:
    """By whatever annotation each of the two names it."""
    secret = {REFERENCE: "dir:../docs/secret"}
    public = {REFERENCE: "dir:.", SOURCE: f"url:{TREE}/docs/secret"}
    await mixed(catalog, host, secret, **public)
    readable_paths = ["docs", "docs/secret", "docs/secret/index.md"]
    assert await opened(catalog, host, *readable_paths) == readable_paths


async def test_docs_of_another_branch_are_others(catalog: Running, host: Host) -> None:
    """A version's own docs stay readable there, and nowhere else."""
    await mixed(catalog, host, {REFERENCE: "dir:../docs/secret"})
    bare = host.bare / "mixed.git"
    run("git", "branch", "v1", "main", cwd=bare)
    released = entity("released")
    released["metadata"]["annotations"] = {REFERENCE: "dir:docs/secret"}
    host.commit("mixed", {FILE: released, "s/c.yaml": None})
    run("git", "branch", "-f", "v1", "main", cwd=bare)
    run("git", "branch", "-f", "main", "main~1", cwd=bare)
    root = ROOT.format(host=host.name)
    answer = await catalog.register(f"{root}/blob/v1/{FILE}")
    assert answer.status_code == 201, answer.text
    assert "component:released" in await catalog.refs()
    for branch, is_open in (("v1", True), ("main", False), ("HEAD", False)):
        url = f"{root}/tree/{branch}/docs/secret/index.md"
        assert await readable(catalog, url) == is_open, branch


@pytest.mark.parametrize(
    ("location", "reference", "folder"),
    [
        ("url:https://git.example/shop/a.yaml", "dir:docs", ("", "a-folder/docs")),
        ("file:/data/a-folder/a.yaml", "dir:docs", ("", "data/a-folder/docs")),
        ("url:https://web.example/a-folder/a.yaml", "dir:../docs", None),
    ],
    ids=["a repository", "this machine", "a web server"],
)
def test_the_folder_that_docs_are_built_from(
    location: str, reference: str, folder: tuple[str, str] | None
) -> None:
    """By the rule of who builds them: nothing is built from web servers."""

    def locate(text: str) -> RepositoryPath:
        target = text.partition(":")[2]
        repository = "shop" if "git.example" in target else ""
        path = "a-folder/a.yaml" if repository else target.strip("/")
        return RepositoryPath("h", repository, "", path)

    document = component("web")
    annotations = {MANAGED_BY_LOCATION: location, REFERENCE: reference}
    document["metadata"] = {**document["metadata"], "annotations": annotations}
    entity = replace(stored(document), location=location)
    folders = set() if folder is None else {folder}
    assert docs_folders(locate(location), entity, locate) == folders
