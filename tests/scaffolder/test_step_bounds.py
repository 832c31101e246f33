"""What one step may ask for: lists of its input are bounded together, not item by item.

Each test asks for more than a step may, and the step is refused before it is done.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.scaffolder.actions import fs_delete, fs_readdir, registry
from services.scaffolder.runs import context, run_log
from services.scaffolder.workspace import folder
from services.scaffolder.workspace.folder import Workspace, copy_tree
from services.scaffolder.workspace.skeleton import SkeletonRules
from shared.contracts.errors import Invalid, TooLarge
from shared.guards import globs
from shared.guards.globs import LIST_LIMIT, GlobList
from tests.builders import component, template
from tests.scaffolder.calls import create, log, messages, say, step, wait_for_status
from tests.scaffolder.workbench import Bench

#: An expression that takes more work than a rendering may.
WALK = Workspace.walk
LONG = "${{ each.key ~ range(999999999) }}"
#: 128 patterns of stars each, which match nothing and take long to find that out.
BRACES = "".join("{a*,b*}" for _ in range(7))


def lists(schema: Any) -> Any:
    """The schemas of all lists in a schema, by the name of their member."""
    for name, part in (schema.get("properties") or {}).items():
        if part.get("type") == "array":
            yield name, part
        yield from lists(part)


def test_lists_of_names_and_refs_are_bounded_by_the_schema() -> None:
    """A list that stands in no schema is checked where it is read."""
    unbounded = {
        (action.id, name)
        for action in registry.load().all()
        for name, part in lists(action.input)
        if "maxItems" not in part
    }
    assert {name for _, name in unbounded} <= {
        "copyWithoutTemplating",
        "copyWithoutRender",
    }


async def test_a_folder_cannot_be_listed_again_and_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entries of all paths count together."""
    monkeypatch.setattr(fs_readdir, "MOST_ENTRIES", 5)
    for name in "abc":
        bench.write(name)
    assert len((await bench.run("fs:readdir", paths=["."]))["files"]) == 3
    with pytest.raises(TooLarge, match="paths: over the limit of 5"):
        await bench.run("fs:readdir", paths=[".", "."])


def test_a_list_has_a_limit_of_patterns() -> None:
    """Before any of them is parsed."""
    with pytest.raises(Invalid, match=f"copied: at most {LIST_LIMIT} patterns"):
        GlobList(["*"] * (LIST_LIMIT + 1), label="copied")
    with pytest.raises(Invalid, match="copied: means over 2000 patterns"):
        GlobList([BRACES] * 20, label="copied")


def test_the_matches_of_a_list_share_one_budget(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Many patterns for many files are refused once they take too long."""
    monkeypatch.setattr(globs, "LIST_STEPS", 2_000)
    rules = SkeletonRules(["*x", "*.y", "z/**"])
    assert not any(rules.is_copied(f"{number}/a") for number in range(50))
    with pytest.raises(Invalid, match="copyWithoutTemplating: too complex"):
        any(rules.is_copied(f"{number}/a") for number in range(5_000))


async def test_the_patterns_of_one_deletion_share_one_budget(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many are refused before any is parsed, some as soon as they take too long."""
    for number in range(10):
        bench.write(f"{number}")
    with pytest.raises(Invalid, match="files: at most"):
        await bench.run("fs:delete", files=["*x"] * (LIST_LIMIT + 1))
    patterns = [f"*x{number}" for number in range(20)]
    await bench.run("fs:delete", files=patterns)
    monkeypatch.setattr(fs_delete, "SELECT_STEPS", 100)
    with pytest.raises(Invalid, match="files: too complex"):
        await bench.run("fs:delete", files=patterns)
    assert len(bench.files) == 10


async def test_patterns_without_a_match_cost_one_line_and_one_walk(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line names the first of them and counts the rest."""
    walks: list[str] = []

    def walk(workspace: Workspace, start: str = "", *, recursive: bool = True) -> Any:
        walks.append(start)
        return WALK(workspace, start, recursive=recursive)

    monkeypatch.setattr(Workspace, "walk", walk)
    bench.write("a/b", "x")
    patterns = ["a", *(f"*x{number}" for number in range(50)), "a/*"]
    await bench.run("fs:delete", files=patterns)
    assert len(walks) == 1
    assert len(bench.lines) == 2
    assert bench.lines[0] == "File a deleted successfully"
    assert bench.lines[1].startswith("Nothing matches '*x0', '*x1', ")
    assert bench.lines[1].endswith(" and 41 more")


def writes(workspace: Workspace, source: Path) -> dict[str, Callable[[int], Any]]:
    """The ways by which files come into a workspace."""
    return {
        "write": lambda number: workspace.write(f"{number}", b"x" * 400),
        "copy": lambda number: copy_tree(source, workspace, f"{number}"),
    }


@pytest.mark.parametrize("way", ["write", "copy"])
def test_a_workspace_is_full_before_the_disk_is(tmp_path: Path, way: str) -> None:
    """Also for a process that resumes the run; files that are gone do not count."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_bytes(b"x" * 400)
    root = tmp_path / "w"
    workspace = Workspace(root, most_bytes=1_000)
    write = writes(workspace, source)[way]
    write(1)
    write(2)
    for resumed in (workspace, Workspace(root, most_bytes=1_000)):
        with pytest.raises(TooLarge, match="over the limit"):
            writes(resumed, source)[way](3)
    assert len(workspace.files()) == 2
    workspace.delete("1")
    write(3)


def test_a_workspace_has_a_limit_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Links count as well."""
    monkeypatch.setattr(folder, "FILES_LIMIT", 3)
    workspace = Workspace(tmp_path)
    workspace.write("a", b"")
    workspace.link("b", "a")
    workspace.write("c", b"")
    for write in (lambda: workspace.write("d", b""), lambda: workspace.link("d", "a")):
        with pytest.raises(TooLarge):
            write()


async def test_the_outputs_of_all_rounds_share_one_budget(
    start: Any, catalog: Any, principal_headers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run holds them all until it ends."""
    monkeypatch.setattr(context, "OUTPUT_CHARACTERS", 5_000)
    catalog.add(component("fat", spec={"definition": "x" * 1_000}))
    rounds = step("catalog:fetch", "fetch", entityRef="component:default/fat")
    catalog.add(template("few", steps=[{**rounds, "each": ["1", "2"]}]))
    catalog.add(template("many", steps=[{**rounds, "each": list("123456789")}]))
    ann = principal_headers()
    async with start() as client:
        few, many = [await create(client, ann, name) for name in ("few", "many")]
        await wait_for_status(client, ann, few, "completed")
        await wait_for_status(client, ann, many, "failed")
        log_texts = await messages(client, ann, many)
    refusal = (
        "PayloadTooLargeError: step 'fetch', iteration 5 of each: output: with all "
        "before it, the output limit of 5000 characters is exceeded"
    )
    assert log_texts[-2:] == [refusal, "Run completed with status: failed"]


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"each": ["a", LONG]}, "step 's': each[1]: "),
        ({"message": LONG}, "step 's': input.message: "),
        ({"each": ["a"], "message": LONG}, "step 's', iteration 1 of each: input.me"),
        ({"each": ["a"], "if": LONG}, "step 's', iteration 1 of each: if: "),
        ({"if": LONG}, "step 's': if: "),
    ],
)
async def test_a_limit_names_step_iteration_and_field(
    start: Any, catalog: Any, ann: Any, fields: Any, place: str
) -> None:
    """Whichever of a step's expressions takes too much."""
    catalog.add(
        template("t", steps=[say(**{"message": "m", "step_id": "s", **fields})])
    )
    async with start() as client:
        task_id = await create(client, ann, "t")
        await wait_for_status(client, ann, task_id, "failed")
        log_texts = await messages(client, ann, task_id)
    assert place in log_texts[-2]
    assert "the work limit of 1000000 units is exceeded" in log_texts[-2]


async def test_an_output_that_takes_too_much_fails_the_run(
    start: Any, catalog: Any, ann: Any
) -> None:
    """It names the field; no process begins the run again and again."""
    output = {"text": [{"title": "a", "content": LONG}]}
    catalog.add(template("t", steps=[say("m")], output=output))
    async with start() as client:
        task_id = await create(client, ann, "t")
        await wait_for_status(client, ann, task_id, "failed")
        line = (await log(client, ann, task_id))[-1]
    assert line["body"]["error"]["name"] == "TemplateLimitError"
    assert line["body"]["error"]["message"].startswith("output.text[0].content: ")


async def test_the_log_of_a_run_has_a_limit(
    start: Any, catalog: Any, principal_headers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines of steps are left out beyond it; the run goes on and tells of its end."""
    monkeypatch.setattr(run_log, "MOST_CHARACTERS", 3_000)
    rounds = {**say("${{ each.value }}"), "each": list(map(str, range(100)))}
    catalog.add(template("t", steps=[rounds, say("after")]))
    ann = principal_headers()
    async with start() as client:
        task_id = await create(client, ann, "t")
        await wait_for_status(client, ann, task_id, "completed")
        log_texts = await messages(client, ann, task_id)
    assert log_texts.count(run_log.LEFT_OUT) == 1
    assert len(log_texts) < 30
    assert "after" not in log_texts
    assert log_texts[-1] == "Run completed with status: completed"
