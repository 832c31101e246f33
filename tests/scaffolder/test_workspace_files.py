"""A workspace's files one by one: what is read, listed, renamed, deleted, refused."""

from pathlib import Path

import pytest

from services.scaffolder.workspace import folder
from services.scaffolder.workspace.folder import Workspace, copy_tree, tree
from shared.contracts.errors import Forbidden, Invalid, NotFound, TooLarge


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    new_workspace = Workspace(tmp_path / "w")
    new_workspace.prepare()
    for path in ("a", "d/b", "d/e/c"):
        new_workspace.write(path, path.encode())
    return new_workspace


def test_a_file_is_read_as_it_was_written(workspace: Workspace) -> None:
    """Whole, and replaced whole."""
    assert workspace.read("d/e/c") == b"d/e/c"
    workspace.write("d/e/c", b"new", executable=True)
    assert workspace.read("d/e/c") == b"new"
    assert (workspace.root / "d/e/c").stat().st_mode & 0o100
    workspace.write("d/e/c", b"plain")
    assert not (workspace.root / "d/e/c").stat().st_mode & 0o100


@pytest.mark.parametrize("path", ["nosuch", "d/nosuch", "a/x"])
def test_a_missing_file_is_named(workspace: Workspace, path: str) -> None:
    """By its path in the workspace."""
    with pytest.raises((NotFound, Invalid)) as raised:
        workspace.read(path)
    assert str(workspace.root) not in raised.value.message


def test_the_status_of_a_path_has_its_kind(workspace: Workspace) -> None:
    """A file, a folder, a link, the workspace itself, or nothing."""
    workspace.link("l", "a")
    kinds = {
        path: status.kind if (status := workspace.status(path)) else None
        for path in ("a", "d", "l", ".", "nosuch")
    }
    assert kinds == {
        "a": "file",
        "d": "folder",
        "l": "link",
        ".": "folder",
        "nosuch": None,
    }


def test_folders_are_found_through_links(workspace: Workspace) -> None:
    """A file is none, and the workspace is itself one."""
    workspace.link("l", "d/e")
    assert workspace.folder("l") == "d/e"
    assert workspace.folder(".") == ""
    assert workspace.folder("a") is None
    assert workspace.folder("nosuch") is None
    with pytest.raises(Forbidden):
        workspace.folder("..")


def test_a_walk_lists_one_level_or_all(workspace: Workspace) -> None:
    """By path, folders too."""
    assert [path for path, _ in workspace.walk()] == ["a", "d", "d/b", "d/e", "d/e/c"]
    assert [path for path, _ in workspace.walk(recursive=False)] == ["a", "d"]
    assert [path for path, _ in workspace.walk("d", recursive=False)] == ["d/b", "d/e"]


def test_a_walk_does_not_follow_links(workspace: Workspace) -> None:
    """A ring of them has an end."""
    workspace.link("d/ring", "..")
    assert [path for path, _ in workspace.walk("d")] == [
        "d/b",
        "d/e",
        "d/e/c",
        "d/ring",
    ]


def test_deleting_returns_whether_something_was_deleted(workspace: Workspace) -> None:
    """A folder with all that is in it."""
    assert workspace.delete("d")
    assert not workspace.delete("d")
    assert workspace.files() == ["a"]


@pytest.mark.parametrize("path", ["", ".", "d/..", "./"])
def test_the_workspace_itself_cannot_be_written_or_deleted(
    workspace: Workspace, path: str
) -> None:
    """It is neither written, nor renamed, nor deleted."""
    with pytest.raises(Invalid, match="is the workspace itself"):
        workspace.write(path, b"x")
    with pytest.raises(Invalid, match="is the workspace itself"):
        workspace.delete(path)
    with pytest.raises(Invalid, match="is the workspace itself"):
        workspace.rename("a", path)


def test_renaming_creates_missing_folders(workspace: Workspace) -> None:
    """It replaces nothing."""
    workspace.rename("d/e", "x/y/z")
    assert workspace.files() == ["a", "d/b", "x/y/z/c"]
    with pytest.raises(Invalid):
        workspace.rename("a", "d/b")
    assert workspace.read("d/b") == b"d/b"


def test_an_absolute_link_is_refused(workspace: Workspace) -> None:
    """A relative one is kept, wherever it leads: it is published as it is."""
    with pytest.raises(Invalid):
        workspace.link("l", "/etc/passwd")
    workspace.link("l", "../../elsewhere")
    assert workspace.target("l") == "../../elsewhere"


def test_too_many_files_are_refused(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When they are listed, walked or copied."""
    workspace.write("f", b"x")
    monkeypatch.setattr(folder, "FILES_LIMIT", 3)
    for work in (workspace.entries, workspace.walk, workspace.files):
        with pytest.raises(TooLarge, match="Over the limit of 3 files"):
            work()


def test_a_scratch_folder_is_beside_the_workspace(workspace: Workspace) -> None:
    """Its name tells whose it is, and it is no part of the result."""
    scratch = workspace.scratch()
    assert scratch.parent == workspace.root.parent
    assert scratch.name.startswith("w-scratch-")
    assert list(scratch.iterdir()) == []
    assert scratch != workspace.scratch()


def test_a_removed_workspace_may_be_removed_again(workspace: Workspace) -> None:
    """A retry of the end of a run does so."""
    workspace.remove()
    workspace.remove()
    assert not workspace.root.exists()


def test_a_tree_leaves_the_git_folder_out(workspace: Workspace, tmp_path: Path) -> None:
    """Whatever else it holds is listed in order."""
    workspace.write(".git/config", b"x")
    workspace.write(".gitignore", b"x")
    assert [entry.path for entry in tree(workspace.root)] == [
        ".gitignore",
        "a",
        "d/b",
        "d/e/c",
    ]
    copy = Workspace(tmp_path / "copy")
    assert copy_tree(workspace.root, copy, "deep/er") == 4
    assert copy.read("deep/er/d/e/c") == b"d/e/c"


def test_a_copy_replaces_existing_files(workspace: Workspace, tmp_path: Path) -> None:
    """The later step wins."""
    copy = Workspace(tmp_path / "copy")
    copy.write("a", b"old")
    copy_tree(workspace.root, copy, ".")
    assert copy.read("a") == b"a"


@pytest.mark.parametrize("path", ["x" * 5_000, "a/" * 3_000 + "x"])
def test_a_path_that_no_file_system_accepts_is_refused(
    workspace: Workspace, path: str
) -> None:
    """It is an error of the template, not an internal one."""
    with pytest.raises((Forbidden, Invalid)):
        workspace.write(path, b"x")
    assert workspace.files() == ["a", "d/b", "d/e/c"]
