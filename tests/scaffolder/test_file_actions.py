"""The actions on the workspace's files: deleting, renaming, reading a folder."""

from pathlib import Path

import pytest

from shared.contracts.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
)
from tests.scaffolder.workbench import Bench

HELM = ("base/helm_dev.yaml", "base/helm_prod.yaml")


async def test_files_are_deleted_and_renamed(bench: Bench) -> None:
    """Files and folders; an existing target is not overwritten by default."""
    for path in ("a", "d/e", "b", "c"):
        bench.write(path, path)
    await bench.run("fs:delete", files=["a", "d", "missing"])
    await bench.run("fs:rename", files=[{"from": "b", "to": "deep/er/b"}])
    assert bench.files == ["c", "deep/er/b"]
    with pytest.raises(Conflict, match="overwrite"):
        await bench.run("fs:rename", files=[{"from": "c", "to": "deep"}])
    await bench.run("fs:rename", files=[{"from": "c", "to": "deep", "overwrite": True}])
    assert bench.files == ["deep"]


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        (["base/helm_*"], [".env", "a.tmp", "base/.cache/x", "base/k.yaml", "z.txt"]),
        (["**/*.tmp", "*.txt"], [".env", "base/.cache/x", *HELM, "base/k.yaml"]),
        (["**/{.cache,k.yaml}"], [".env", "a.tmp", *HELM, "z.txt"]),
        ([".*"], ["a.tmp", "base/.cache/x", *HELM, "base/k.yaml", "z.txt"]),
        (["!(base)"], ["base/.cache/x", *HELM, "base/k.yaml"]),
        (["base/**"], [".env", "a.tmp", "z.txt"]),
        (["."], []),
        (["./base/.."], []),
    ],
)
async def test_patterns_delete_what_matches(
    bench: Bench, patterns: list[str], left: list[str]
) -> None:
    """Files and folders, hidden ones too; `.` empties the workspace, which stays."""
    for path in (".env", "a.tmp", "base/.cache/x", *HELM, "base/k.yaml", "z.txt"):
        bench.write(path, path)
    await bench.run("fs:delete", files=patterns)
    assert bench.files == left
    bench.write("after", "x")
    assert "after" in bench.files


async def test_a_pattern_that_matches_nothing_is_logged(bench: Bench) -> None:
    """The step goes on, and its log names the pattern."""
    bench.write("[id].tsx", "x")
    await bench.run("fs:delete", files=["none/*.tmp", "[id].tsx"])
    assert any("Nothing matches 'none/*.tmp'" in line for line in bench.lines)
    assert bench.files == []


@pytest.mark.parametrize("pattern", ["../*", "/etc/*", "a/../../*", "a\\*"])
async def test_delete_patterns_stay_in_the_workspace(
    bench: Bench, pattern: str
) -> None:
    """Links are deleted themselves, and their targets stay."""
    with pytest.raises(Forbidden):
        await bench.run("fs:delete", files=[pattern])


async def test_a_link_is_deleted_and_not_followed(bench: Bench, tmp_path: Path) -> None:
    """The folder outside the workspace that a link leads to is kept."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    bench.write("a/b", "x")
    (bench.workspace.root / "a" / "link").symlink_to(outside)
    await bench.run("fs:delete", files=["a/*", "**/kept"])
    assert bench.files == []
    assert (outside / "kept").exists()


@pytest.mark.parametrize("path", [".", "", "a/.."])
async def test_the_workspace_itself_cannot_be_moved_or_deleted(
    bench: Bench, path: str
) -> None:
    """Nor emptied by an empty name."""
    bench.write("a/b")
    with pytest.raises(Invalid, match="workspace itself"):
        await bench.run("fs:rename", files=[{"from": path, "to": "x"}])
    with pytest.raises(Invalid, match="empty name"):
        await bench.run("fs:delete", files=[""])
    assert bench.files == ["a/b"]


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("a/b", "a/b"),
        ("a/b", "./a/../a/b"),
        ("a", "a"),
        ("a/b", "a"),
        ("a", "a/b"),
        ("a/in/c", "a/in"),
        ("link/c", "a/in"),
        ("link/c", "a"),
    ],
)
async def test_a_rename_onto_itself_loses_nothing(
    bench: Bench, source: str, target: str
) -> None:
    """Nor does one to a folder around it, or in it, also by way of a link."""
    for path in ("a/b", "a/in/c"):
        bench.write(path)
    bench.workspace.link("link", "a/in")
    before = bench.files
    with pytest.raises(Invalid, match=r"cannot become .*the other, or lies in it"):
        await bench.run(
            "fs:rename", files=[{"from": source, "to": target, "overwrite": True}]
        )
    assert bench.files == before


async def test_an_interrupted_rename_is_completed(bench: Bench) -> None:
    """After a crash, files that were renamed already are no error."""
    bench.write("done")
    bench.write("b")
    files = [{"from": "a", "to": "done"}, {"from": "b", "to": "c"}]
    with pytest.raises(NotFound):
        await bench.run("fs:rename", files=files)
    await bench.run("fs:rename", files=files, is_resumed=True)
    assert bench.files == ["c", "done"]


async def test_fs_readdir_lists_a_folder(bench: Bench) -> None:
    """Names and paths, of one level or of all."""
    for path in ("x/a", "x/y/b"):
        bench.write(path)
    outputs = await bench.run("fs:readdir", paths=["x"])
    assert outputs == {
        "files": [{"name": "a", "path": "x", "fullPath": "x/a"}],
        "folders": [{"name": "y", "path": "x", "fullPath": "x/y"}],
    }
    deep = await bench.run("fs:readdir", paths=["."], recursive=True)
    assert [file["fullPath"] for file in deep["files"]] == ["x/a", "x/y/b"]
    with pytest.raises(NotFound):
        await bench.run("fs:readdir", paths=["nope"])
