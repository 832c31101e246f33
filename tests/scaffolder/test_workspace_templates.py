"""The actions that render what is in the workspace already."""

from typing import Any

import pytest

from services.scaffolder.dialect.failure import TemplateRenderError
from shared.contracts.errors import CallboardError, Forbidden, Invalid, NotFound
from tests.builders import template
from tests.scaffolder.calls import create, log, messages, step, wait_for_status
from tests.scaffolder.workbench import Bench

NAME = "${{ values.n }}"


def text(bench: Bench, path: str) -> str:
    return (bench.workspace.root / path).read_text()


async def test_a_folder_of_the_workspace_is_rendered(bench: Bench) -> None:
    """Names and contents, links and programs, by the rules of fetch:template."""
    bench.write(f"kit/{NAME}.txt", f"I am {NAME}")
    bench.write(f"kit/static/{NAME}", NAME)
    bench.workspace.write("kit/run", b"#!/bin/sh", executable=True)
    bench.workspace.link("kit/link", f"{NAME}.txt")
    await bench.run(
        "workspace:template",
        sourcePath="./kit",
        targetPath="app",
        values={"n": "x"},
        copyWithoutTemplating=["static/**"],
    )
    assert text(bench, "app/x.txt") == "I am x"
    assert text(bench, "app/static/x") == NAME
    assert bench.workspace.target("app/link") == "x.txt"
    assert (bench.workspace.root / "app/run").stat().st_mode & 0o100
    assert text(bench, f"kit/{NAME}.txt") == f"I am {NAME}"
    assert bench.lines == ["Wrote 4 files from the template"]
    assert not list(bench.workspace.root.parent.glob("*-scratch-*"))


async def test_gits_own_folders_are_left_out_of_a_result_by_name(bench: Bench) -> None:
    """The log says what a rendered folder lacks."""
    bench.write("kit/a.txt", "a")
    bench.write("kit/deep/.git/config", "[core]")
    await bench.run("workspace:template", sourcePath="kit", targetPath="app", values={})
    assert bench.lines == [
        "Left out as Git's own folders: 'deep/.git'",
        "Wrote 1 files from the template",
    ]


async def test_a_folder_is_rendered_in_its_place(bench: Bench) -> None:
    """The whole workspace into itself; only with `replace` a file changes."""
    bench.write("a.txt", NAME)
    for replace in (False, True):
        inputs = {"sourcePath": ".", "targetPath": ".", "values": {"n": "x"}}
        await bench.run("workspace:template", **inputs, replace=replace)
        assert text(bench, "a.txt") == ("x" if replace else NAME)
    bench.write("b.txt.njk", "{{ cookiecutter.n }}")
    with pytest.raises(Invalid, match="incompatible with cookiecutterCompat"):
        await bench.run(
            "workspace:template",
            sourcePath=".",
            targetPath=".",
            templateFileExtension=True,
            cookiecutterCompat=True,
        )


async def test_one_file_of_the_workspace_is_rendered(bench: Bench) -> None:
    """Into another file, or in its place with `replace`."""
    bench.write("a.txt", "{{ cookiecutter.n }}")
    inputs = {"sourcePath": "a.txt", "values": {"n": "x"}, "cookiecutterCompat": True}
    await bench.run("workspace:template:file", **inputs, targetPath="b/c.txt")
    assert text(bench, "b/c.txt") == "x"
    await bench.run("workspace:template:file", **inputs, targetPath="a.txt")
    assert text(bench, "a.txt") == "{{ cookiecutter.n }}"
    assert "File a.txt is there already, it is kept" in bench.lines
    await bench.run(
        "workspace:template:file", **inputs, targetPath="a.txt", replace=True
    )
    assert text(bench, "a.txt") == "x"


@pytest.mark.parametrize("action", ["workspace:template", "workspace:template:file"])
async def test_only_what_is_in_the_workspace_is_rendered(
    bench: Bench, action: str
) -> None:
    """Neither files outside, nor through a link; a result does not leave it either."""
    (bench.workspace.root.parent / "secret").mkdir()
    (bench.workspace.root.parent / "secret/file").write_text("x")
    bench.write("kit/a", "x")
    bench.workspace.link("out", "../secret")
    bench.workspace.link("file", "../secret/file")
    for source in ("../secret", "../secret/file", "/etc", "out", "out/file", "file"):
        with pytest.raises(CallboardError):
            await bench.run(action, sourcePath=source, targetPath="got")
    own = "kit" if action == "workspace:template" else "kit/a"
    for target in ("../got", "/got", "out/got"):
        with pytest.raises((Forbidden, Invalid)):
            await bench.run(action, sourcePath=own, targetPath=target)
    with pytest.raises(NotFound):
        await bench.run(action, sourcePath="gone", targetPath="got")
    assert bench.files == ["file", "kit/a", "out"]


async def test_an_error_names_the_file_of_the_workspace(bench: Bench) -> None:
    """With line and column."""
    bench.write("kit/a.txt", "\n{% if %}")
    with pytest.raises(TemplateRenderError, match=r"in a\.txt"):
        await bench.run("workspace:template", sourcePath="kit", targetPath="app")
    with pytest.raises(TemplateRenderError, match=r"in kit/a\.txt"):
        await bench.run(
            "workspace:template:file", sourcePath="kit/a.txt", targetPath="b"
        )


async def test_a_run_renders_what_earlier_steps_wrote(
    start: Any, catalog: Any, ann: Any
) -> None:
    """In a run over the API."""
    entity = {"kind": "Component", "metadata": {"name": "${{ '${{ values.n }}' }}"}}
    steps = [
        step("catalog:write", "a", entity=entity, filePath="kit/${{ '{{' }}.yaml"),
        step(
            "workspace:template:file",
            "b",
            sourcePath="kit/{{.yaml",
            targetPath="new/${{ parameters.n }}.yaml",
            values={"n": "${{ parameters.n }}"},
        ),
        step("workspace:template", "c", sourcePath="new", targetPath="all"),
        step("debug:log", "d", listWorkspace="with-contents"),
    ]
    catalog.add(template("t", steps=steps))
    async with start() as client:
        task_id = await create(client, ann, "t", values={"n": "web"})
        run = await wait_for_status(client, ann, task_id)
        lines = await log(client, ann, task_id)
    assert run["status"] == "completed", messages(lines)
    assert "all/web.yaml" in str(lines)
    assert "name: web" in str(lines)
