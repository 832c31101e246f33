"""The workspace: every way out is closed, and a file is there whole or not at all."""

from pathlib import Path

import pytest

from services.scaffolder.workspace.folder import (
    FILE_LIMIT,
    Workspace,
    copy_tree,
    safe_path,
)
from shared.contracts.errors import Forbidden, Invalid, TooLarge

OUTSIDE = ["..", "../x", "a/../../x", "/etc/passwd", "a\0b", "..\\x", "./../x"]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    new_workspace = Workspace(tmp_path / "w")
    new_workspace.prepare()
    return new_workspace


@pytest.mark.parametrize("path", OUTSIDE)
def test_paths_outside_the_workspace_are_refused(
    workspace: Workspace, path: str
) -> None:
    """No spelling of a path leads out of the workspace."""
    with pytest.raises(Forbidden):
        workspace.path(path)


def test_links_outside_the_workspace_are_refused(
    workspace: Workspace, tmp_path: Path
) -> None:
    """Also a link that an action made."""
    (workspace.root / "out").symlink_to(tmp_path)
    (workspace.root / "file").symlink_to("/etc/passwd")
    for path in ("out/x", "out", "file"):
        with pytest.raises(Forbidden):
            workspace.path(path)


def test_paths_inside_the_workspace_are_resolved(workspace: Workspace) -> None:
    """Dots that stay inside are fine."""
    root = workspace.root.resolve()
    assert workspace.path("a/./b/../c") == root / "a/c"
    assert safe_path(workspace.root, ".") == root


def test_a_failed_write_leaves_no_partial_file(workspace: Workspace) -> None:
    """A file that cannot be written leaves nothing behind."""
    workspace.write("a/b", b"x")
    with pytest.raises(Invalid):
        workspace.write("a/b/c", b"y")
    with pytest.raises(Invalid):
        workspace.write("a", b"y")
    with pytest.raises(TooLarge):
        workspace.write("big", b"x" * (FILE_LIMIT + 1))
    assert workspace.files() == ["a/b"]


def test_a_tree_is_copied_with_its_links(workspace: Workspace, tmp_path: Path) -> None:
    """Links are copied as they are, and never followed; an absolute one is refused."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "a").write_text("x")
    (source / "b").symlink_to("../../shared/b")
    (source / "by\\x2did").write_text("x")
    (source / ".git").mkdir()
    (source / ".git" / "config").write_text("x")
    assert copy_tree(source, workspace, "into") == 3
    assert workspace.files() == ["into/a", "into/b", "into/by\\x2did"]
    assert workspace.target("into/b") == "../../shared/b"
    (source / "c").symlink_to("/etc/passwd")
    with pytest.raises(Invalid, match="into/c"):
        copy_tree(source, workspace, "into")


def test_reading_follows_links_inside_the_workspace_only(workspace: Workspace) -> None:
    """An action reads nothing else through a link."""
    workspace.write("docs/a", b"x")
    workspace.link("same", "docs/a")
    workspace.link("all", "docs")
    workspace.link("up", "../../secret")
    assert workspace.read("same") == workspace.read("all/a") == b"x"
    with pytest.raises(Invalid, match="'up'"):
        workspace.read("up")
    assert workspace.folder("all") == "docs"
    assert workspace.folder("same") is None


def test_writing_replaces_a_link(workspace: Workspace, tmp_path: Path) -> None:
    """The link's target stays; a linked folder of the workspace is that folder."""
    (tmp_path / "secret").write_text("mine")
    workspace.link("file", "../secret")
    workspace.link("out", "..")
    workspace.write("docs/a", b"x")
    workspace.link("all", "docs")
    workspace.write("file", b"theirs")
    workspace.write("all/b", b"y")
    assert (tmp_path / "secret").read_text() == "mine"
    assert workspace.files() == ["all", "docs/a", "docs/b", "file", "out"]
    with pytest.raises(Invalid, match="outside"):
        workspace.write("out/secret", b"theirs")
    with pytest.raises(Invalid, match="outside"):
        workspace.delete("out/secret")
    with pytest.raises(Invalid, match="outside"):
        workspace.rename("file", "out/secret")
    assert workspace.delete("all")
    assert workspace.files() == ["docs/a", "docs/b", "file", "out"]
    assert (tmp_path / "secret").read_text() == "mine"
