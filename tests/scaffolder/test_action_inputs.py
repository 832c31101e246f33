"""Actions: what each does with its optional input, and in a second attempt."""

from pathlib import Path
from typing import Any

import pytest

from services.scaffolder.actions import registry
from services.scaffolder.actions.action import DRAFT
from services.scaffolder.actions.template_rendering import rules_of
from services.scaffolder.dialect.failure import TemplateRenderError
from services.scaffolder.templates.schema_checks import check_input
from shared.contracts.errors import Conflict, Forbidden, Invalid, NotFound
from tests.builders import component
from tests.rawtrees import FILE, RawRepository
from tests.scaffolder.workbench import HOST, Bench
from tests.shared.githost import git

ACTIONS = {action.id: action for action in registry.load().all()}
INPUTS: dict[str, dict[str, Any]] = {
    "catalog:fetch": {"entityRef": "a:b/c"},
    "catalog:register": {"catalogInfoUrl": "https://h/x"},
    "catalog:write": {"entity": {}},
    "debug:log": {},
    "debug:wait": {"seconds": 1},
    "fetch:plain": {"url": "./x"},
    "fetch:plain:file": {"url": "./x", "targetPath": "x"},
    "fetch:template": {"url": "./x"},
    "fetch:template:file": {"url": "./x", "targetPath": "x"},
    "fs:delete": {"files": ["a"]},
    "fs:readdir": {"paths": ["."]},
    "fs:rename": {"files": [{"from": "a", "to": "b"}]},
    "publish:git": {"repoUrl": "h?repo=r"},
    "workspace:template": {"sourcePath": "a", "targetPath": "b"},
    "workspace:template:file": {"sourcePath": "a", "targetPath": "b"},
}


@pytest.mark.parametrize("action_id", sorted(ACTIONS))
def test_an_action_refuses_unknown_input(action_id: str) -> None:
    """A member that is not in the schema is a typing mistake, which is named."""
    action = ACTIONS[action_id]
    check_input(action_id, action.input, INPUTS[action_id])
    with pytest.raises(Invalid, match=r"typo|is not any of"):
        check_input(action_id, action.input, {**INPUTS[action_id], "typo": 1})


@pytest.mark.parametrize("action_id", sorted(ACTIONS))
def test_every_action_is_documented(action_id: str) -> None:
    """`/v2/actions` lists schema, description and an example that names it."""
    document = ACTIONS[action_id].document()
    assert document["schema"]["input"]["$schema"] == DRAFT
    assert document["description"].endswith(".")
    assert document["examples"]
    for example in document["examples"]:
        assert f"action: {action_id}" in example["example"]


def test_an_unknown_action_names_the_known_ones() -> None:
    """A typing mistake is seen at once."""
    with pytest.raises(NotFound, match=r"'fetch:plan' is not registered.*fetch:plain"):
        registry.load().get("fetch:plan")


async def test_a_missing_entity_may_be_optional(bench: Bench) -> None:
    """Then its output is null; and without a ref there is no output at all."""
    outputs = await bench.run("catalog:fetch", entityRef="component:a/b", optional=True)
    assert outputs == {"entity": None}
    assert await bench.run("catalog:fetch", optional=True) == {}


async def test_defaults_complete_the_refs(bench: Bench) -> None:
    """Kind and namespace, for one ref and for several."""
    bench.catalog.add(component("web", {"namespace": "shop"}))
    defaults = {"defaultKind": "component", "defaultNamespace": "shop"}
    output = await bench.run("catalog:fetch", entityRef="web", **defaults)
    list_output = await bench.run(
        "catalog:fetch", entityRefs=["web", "web"], **defaults
    )
    assert output["entity"]["metadata"]["namespace"] == "shop"
    assert list_output["entities"] == [output["entity"]] * 2


async def test_a_registration_may_be_optional(bench: Bench) -> None:
    """Its failure is logged, and the run goes on with the URL."""
    bench.catalog.away = True
    url = "https://h/catalog-info.yaml"
    outputs = await bench.run("catalog:register", catalogInfoUrl=url, optional=True)
    assert outputs == {"catalogInfoUrl": url}
    assert "could not be registered: The catalog does not answer" in bench.lines[-1]


async def test_the_entity_output_prefers_a_component(bench: Bench) -> None:
    """It comes before other kinds; a location is never the output."""
    url = "https://h/x"
    api, location = component("a"), component("b")
    api["kind"], location["kind"] = "API", "Location"
    for entities, expected in (
        ([location, api, component("web")], "component:default/web"),
        ([location, api], "api:default/a"),
        ([location], None),
        ([], None),
    ):
        bench.catalog.locations[url] = entities
        outputs = await bench.run("catalog:register", catalogInfoUrl=url)
        assert outputs.get("entityRef") == expected


async def test_a_descriptor_without_a_template_is_written_as_it_is(
    bench: Bench,
) -> None:
    """At the path that is given; annotations of the author stay."""
    entity = component("web", {"annotations": {"a": "b"}})
    await bench.run("catalog:write", entity=entity, filePath="deep/x.yaml")
    written = (bench.workspace.root / "deep/x.yaml").read_text()
    assert "a: b" in written
    assert "backstage.io/source-template: template:default/t" in written
    with pytest.raises(Forbidden):
        await bench.run("catalog:write", entity=entity, filePath="../x.yaml")


async def test_the_log_lists_links_and_contents(bench: Bench) -> None:
    """Contents up to a size; a message alone lists nothing."""
    bench.write("a.txt", "hello")
    bench.write("big", "x" * 40_000)
    bench.workspace.link("l", "a.txt")
    await bench.run("debug:log", message="hi", listWorkspace="with-contents")
    hi, listing = bench.lines
    assert hi == "hi"
    assert listing.startswith("Workspace:\n  - a.txt\n\nhello\n\n  - big\n\nxxx")
    assert listing.endswith("  - l -> a.txt")
    assert len(listing) < 33_000


async def test_a_wait_continues_after_a_restart(bench: Bench) -> None:
    """From the stored moment: the time before it counts."""
    bench.checkpoints["until"] = 0
    await bench.run("debug:wait", minutes=10)
    assert bench.lines == ["Waiting for 0 seconds...", "Waited for 600 seconds."]


async def test_fetch_template_file_renders_one_file(bench: Bench, kit: str) -> None:
    """With its values; an existing file stays unless it is replaced."""
    inputs = {"url": "./skeleton/${{ values.n }}.txt", "targetPath": "out.txt"}
    await bench.run("fetch:template:file", kit, values={"n": "x"}, **inputs)
    assert bench.workspace.read("out.txt") == b"I am x"
    await bench.run("fetch:template:file", kit, values={"n": "y"}, **inputs)
    assert bench.workspace.read("out.txt") == b"I am x"
    assert bench.lines[-1] == "File out.txt is there already, it is kept"
    await bench.run(
        "fetch:template:file", kit, values={"n": "y"}, replace=True, **inputs
    )
    assert bench.workspace.read("out.txt") == b"I am y"


async def test_a_template_error_in_a_file_names_its_url(
    bench: Bench, repositories: Path
) -> None:
    """With line and column, and nothing is written."""
    raw = RawRepository(repositories / "bad.git")
    raw.commit(raw.tree([(FILE, b"a.txt", raw.blob("one\n{% if %}\n"))]))
    url = f"https://{HOST}/bad/blob/main/a.txt"
    place = r"line 2, column 7: .*\(in https://.*/bad/blob/main/a.txt\)"
    with pytest.raises(TemplateRenderError, match=place):
        await bench.run("fetch:template:file", url=url, targetPath="out.txt")
    assert bench.files == []


@pytest.mark.parametrize(
    ("extension", "expected"),
    [(True, ".njk"), ("tpl", ".tpl"), (".tpl", ".tpl"), ("", None)],
)
def test_the_template_extension_may_have_a_dot(
    extension: Any, expected: str | None
) -> None:
    """Nunjucks' own, or another one with or without its dot."""
    assert rules_of({"templateFileExtension": extension}).extension == expected


async def test_an_impossible_rename_is_an_error(bench: Bench) -> None:
    """Into itself, or below a file."""
    bench.write("a/b")
    bench.write("c")
    for target in ("a/d", "c/d"):
        with pytest.raises(Invalid, match=f"'a' cannot become '{target}'"):
            await bench.run("fs:rename", files=[{"from": "a", "to": target}])
    assert bench.files == ["a/b", "c"]


async def test_a_folder_of_the_workspace_is_published(
    bench: Bench, repositories: Path
) -> None:
    """On the branch and by the author that are given."""
    bench.write("site/index.html", "x")
    bench.write("other", "x")
    outputs = await bench.run(
        "publish:git",
        repoUrl=f"{HOST}?repo=site",
        sourcePath="site",
        defaultBranch="trunk",
        gitAuthorName="Bo",
        gitAuthorEmail="bo@example.test",
    )
    bare = repositories / "site.git"
    assert git("ls-tree", "-r", "--name-only", "trunk", cwd=bare) == "index.html"
    assert git("log", "--format=%an <%ae>", "trunk", cwd=bare) == "Bo <bo@example.test>"
    assert outputs["repoContentsUrl"].endswith("/site/tree/trunk")


async def test_a_missing_folder_is_not_published(bench: Bench) -> None:
    """No repository is made for it."""
    with pytest.raises(NotFound, match="sourcePath: no folder 'nosuch'"):
        await bench.run("publish:git", repoUrl=f"{HOST}?repo=x", sourcePath="nosuch")
    assert await bench.mirrors.repositories(HOST) == {}


async def test_a_repository_name_that_another_run_took_is_not_claimed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second attempt must not take the other run's repository for its own."""
    bench.write("a")
    repositories = bench.tools.repositories

    async def create(host: str, repository: str, branch: str) -> None:
        raise Conflict("There is a repository")

    monkeypatch.setattr(type(repositories), "create", staticmethod(create))
    with pytest.raises(Conflict):
        await bench.run("publish:git", repoUrl=f"{HOST}?repo=new")
    assert bench.checkpoints == {"claimed": None}
