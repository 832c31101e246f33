"""Docs leave out what of their own repository not all their readers may read."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from services.techdocs.ports import HiddenFiles
from shared.contracts.annotations import (
    MANAGED_BY_LOCATION,
    SOURCE_LOCATION,
    VISIBILITY,
)
from tests.builders import component
from tests.techdocs.installation import HOST, SITE, Running
from tests.waiting import until

MARK = "fifteen-nights-only"
REFERENCE = "backstage.io/techdocs-ref"
BLOB = f"url:https://{HOST}/box/blob/main"
PLAN = {"secret/catalog-info.yaml": f"# {MARK}", "secret/plan.md": f"# {MARK}\n"}
DOCS = {f"docs/{path}": text for path, text in PLAN.items()}
NESTED = {**SITE, **DOCS}
ALONE = {"secret/mkdocs.yml": "site_name: S\n", "secret/docs/index.md": f"# {MARK}\n"}
SITES = "/sites/default/component/web"
#: Wherever a part of the site may come out.
ANSWERS = (
    *(
        f"/{kind}/default/component/web/{path}"
        for kind in ("pages", "static/docs", "assets")
        for path in (
            *("", "index.html", "secret/plan", "secret/plan/index.html"),
            *("secret/catalog-info.yaml", "l/plan/index.html", "l/catalog-info.yaml"),
            *("catalog-info.yaml", "plan/index.html", "f/index.html", "f.yaml"),
            *("_readme/secret/catalog-info.yaml", "_readme/secret/plan.md"),
        )
    ),
    SITES,
    "/metadata/techdocs/default/component/web",
    "/sync/default/component/web",
)


async def restrict(techdocs: Running, place: str, *changed: str, **marks: str) -> None:
    """Tell of another entity of the repository, new unless fields have changed."""
    managed = {MANAGED_BY_LOCATION: f"{BLOB}/{place}/catalog-info.yaml"}
    change = techdocs.catalog.put(component("plan"), **managed, **marks)
    change = change.model_copy(update={"changed": list(changed)})
    await techdocs.tell(change, change.entity_ref)


async def answers(techdocs: Running) -> str:
    service = {"subject": "service:search", "kind": "service"}
    texts = [(await techdocs.get(path)).text for path in ANSWERS[:-1]]
    return "\n".join([*texts, (await techdocs.get("/snapshot", **service)).text])


async def ended(techdocs: Running) -> str:
    """What the first build came to."""

    async def status() -> str | None:
        state = (await techdocs.state("web")).get("status")
        return state if state in ("built", "failed") else None

    result: str = await until(status, "the end of the build")
    return result


@pytest.mark.parametrize(
    ("files", "annotations", "status"),
    [
        pytest.param(NESTED, {}, "built", id="a folder below"),
        pytest.param(
            {**PLAN, "mkdocs.yml": "site_name: X\ndocs_dir: secret\n"},
            {},
            "failed",
            id="the folder itself",
        ),
        pytest.param(ALONE, {REFERENCE: "dir:../secret"}, "failed", id="beside"),
        pytest.param(ALONE, {REFERENCE: "dir:./secret/."}, "failed", id="below"),
        pytest.param(
            ALONE,
            {REFERENCE: f"url:https://{HOST}/box/tree/main/secret"},
            "failed",
            id="an address",
        ),
        pytest.param(
            ALONE,
            {SOURCE_LOCATION: f"url:https://{HOST}/box/tree/main/secret/"},
            "failed",
            id="the author's",
        ),
        pytest.param(
            {
                **PLAN,
                "docs/index.md": '# X\n\n--8<-- "secret/catalog-info.yaml"\n\n'
                '--8<-- "../secret/plan.md"\n',
                "mkdocs.yml": "site_name: X\nmarkdown_extensions: [pymdownx.snippets]\n"
                "plugins: [techdocs-core]\n",
            },
            {},
            "built",
            id="a snippet",
        ),
        pytest.param(
            {
                **PLAN,
                "README.md": "# X\n![p](secret/plan.md) ![c](secret/catalog-info.yaml)",
            },
            {},
            "built",
            id="a picture",
        ),
        pytest.param({"secret/README.md": f"# {MARK}"}, {REFERENCE: "dir:secret"},
            "failed", id="the README"),
        pytest.param(
            {
                **ALONE,
                "docs/index.md": "# X\n",
                "mkdocs.yml": "site_name: X\nplugins: [monorepo]\n"
                "nav: [{S: '!include ./secret/mkdocs.yml'}]\n",
            },
            {},
            "failed",
            id="an include",
        ),
    ],
)  # fmt: skip
async def test_hidden_files_of_an_own_repository_are_in_no_docs(
    techdocs: Running, files: Any, annotations: Any, status: str
) -> None:
    """However the docs lead there: as if the files were not there."""
    techdocs.host.commit("box", files)
    techdocs.catalog.hidden |= {f"{BLOB}/secret/", f"{BLOB}/docs/secret/"}
    await techdocs.document("web", **annotations)
    assert await ended(techdocs) == status
    assert MARK not in await answers(techdocs)


async def test_links_lead_to_no_hidden_file_if_a_page_has_a_snippet(
    techdocs: Running,
) -> None:
    """The whole folder is read for it, and links are links within it then."""
    files = {"docs/index.md": '# X\n--8<-- "x.md"\n', "x.md": "# x\n"}
    techdocs.host.commit("box", {**PLAN, **files, "mkdocs.yml": "site_name: X\n"})
    techdocs.host.link("box", "docs/l", "../secret")
    techdocs.host.link("box", "docs/f.yaml", "../secret/catalog-info.yaml")
    techdocs.catalog.hidden.add(f"{BLOB}/secret/")
    await techdocs.document("web")
    await techdocs.built("web")
    assert MARK not in await answers(techdocs)


async def test_pages_follow_what_is_hidden_and_opened(techdocs: Running) -> None:
    """Without a push: a restricted entity came, moved with its files, and is open."""
    techdocs.host.commit("box", NESTED)
    await techdocs.document("web")
    await techdocs.built("web")

    async def plan(place: str, *changed: str, **marks: str) -> None:
        await restrict(techdocs, place, *changed, **marks)

    def shows(path: str, *, is_shown: bool) -> Callable[[], Awaitable[bool]]:
        async def condition() -> bool:
            page = await techdocs.get(f"/pages/default/component/web/{path}")
            return (page.status_code == 200) is is_shown

        return condition

    hidden, restricted = techdocs.catalog.hidden, {VISIBILITY: "restricted"}
    hidden.add(f"{BLOB}/docs/secret/")
    await plan("docs/secret", **restricted)
    await until(shows("secret/plan", is_shown=False), "no page any more")
    await until(shows("", is_shown=True), "the rest of the site")
    hidden.clear()
    hidden.add(f"{BLOB}/docs/guide")
    await plan("docs", f"metadata.annotations.{MANAGED_BY_LOCATION}", **restricted)
    await until(shows("guide", is_shown=False), "no other page any more")
    await until(shows("secret/plan", is_shown=True), "the rest of the site")
    hidden.clear()
    await plan("docs", f"metadata.annotations.{VISIBILITY}")
    await until(shows("guide", is_shown=True), "the whole site")


async def test_what_is_hidden_during_a_build_is_not_published(
    techdocs: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A push is told to techdocs and to the catalog at once, which may be slower."""
    techdocs.host.commit("box", NESTED)
    answer = techdocs.catalog.hidden_files

    async def late(locations: Sequence[str], ref: str) -> HiddenFiles:
        result = await answer(locations, ref)
        techdocs.catalog.hidden.add(f"{BLOB}/docs/secret/")
        return result

    monkeypatch.setattr(techdocs.catalog, "hidden_files", late)
    ref = await techdocs.document("web")
    await techdocs.built("web")
    [event] = await until(lambda: techdocs.published(ref), "the event of the build")
    assert event.data["pages"] == 2
    assert MARK not in await answers(techdocs)


async def test_hidden_files_of_this_machine_are_in_no_docs(
    techdocs: Running, tmp_path: Path
) -> None:
    """Nor where a link or a picture leads to them."""
    files = {**NESTED, **PLAN, "mkdocs.yml": "site_name: X\n"}
    for name, text in files.items():
        path = tmp_path / "box" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    root = f"file:{tmp_path}/box"
    (tmp_path / "box/docs/l").symlink_to("../secret")
    (tmp_path / "box/docs/f.yaml").symlink_to("../secret/catalog-info.yaml")
    techdocs.catalog.hidden |= {f"{root}/secret/", f"{root}/docs/secret/"}
    managed = {MANAGED_BY_LOCATION: f"{root}/catalog-info.yaml"}
    await techdocs.document("web", **managed)
    await techdocs.built("web")
    assert MARK not in await answers(techdocs)
    assert (await techdocs.get("/pages/default/component/web/guide")).status_code == 200


async def test_a_reference_to_a_file_says_so(techdocs: Running) -> None:
    """Where something is hidden as well."""
    techdocs.host.commit("box", NESTED)
    techdocs.catalog.hidden.add(f"{BLOB}/docs/secret/")
    await techdocs.document("web", **{REFERENCE: "dir:./mkdocs.yml"})
    state = await techdocs.built("web", status="failed")
    assert "is a file" in state["error"]


@pytest.mark.parametrize(
    ("target", "error"),
    [("../secret", "leaves the folder of the descriptor"), ("secret", "no folder")],
)
async def test_a_docs_folder_of_this_machine_may_be_a_link(
    techdocs: Running, tmp_path: Path, target: str, error: str
) -> None:
    """To a folder of its descriptor's, of which it has what is not hidden."""
    for folder in ("secret/docs", "web/secret/docs", "web/open/docs"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "index.md").write_text(f"# {MARK}\n")
    (tmp_path / "web/l").symlink_to(target)
    (tmp_path / "web/o").symlink_to("open")
    root = f"file:{tmp_path}"
    techdocs.catalog.hidden |= {f"{root}/secret/", f"{root}/web/secret/"}
    managed = {MANAGED_BY_LOCATION: f"{root}/web/catalog-info.yaml"}
    await techdocs.document("web", **managed, **{REFERENCE: "dir:./l"})
    state = await techdocs.built("web", status="failed")
    assert error in state["error"]
    assert MARK not in await answers(techdocs)
    await techdocs.document("web", **managed, **{REFERENCE: "dir:./o"})
    await techdocs.built("web")
