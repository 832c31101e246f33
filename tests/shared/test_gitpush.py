"""Folders as new repositories: what lies there is pushed, and nothing else."""

from pathlib import Path

import pytest

from shared.contracts.errors import Invalid
from shared.kit.git.push import push_folder
from shared.kit.git.trees import GitTrees
from tests.rawtrees import (
    RawRepository,
)
from tests.shared.githost import git

AUTHOR = ("Ann Example", "ann@example.org")


async def push(
    folder: Path,
    host: RawRepository,
    branch: str = "main",
    author: tuple[str, str] = AUTHOR,
) -> str:
    return await push_folder(
        folder,
        str(host.folder),
        branch,
        message="First commit\n\n# not a comment",
        author=author,
        environment={},
    )


async def test_the_published_tree_equals_the_folder(tmp_path: Path) -> None:
    """Bytes, links and modes arrive; attributes, filters and ignores are content."""
    folder = tmp_path / "work"
    files = {
        ".gitattributes": "* text=auto eol=crlf\n*.bin filter=lfs\nout export-ignore\n",
        ".gitignore": "*\n",
        "a.txt": "one\r\ntwo\r\n",
        "b.bin": "large\n",
        "out/c d.txt": "c\n",
        'q"uo\te.txt': "q\n",
        "ünï/ö.txt": "ü\n",
        "back\\slash": "b\n",
        "-n": "n\n",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o4755)
    (folder / "out" / "up").symlink_to("../../elsewhere")
    (folder / "link").symlink_to("a.txt")
    host = RawRepository(tmp_path / "host.git")
    await push(folder, host, author=("Eve\n<x> now\nM 100644 x", "e>\nve@example.org"))
    trees = GitTrees(host.folder, {})
    for name, text in files.items():
        assert await trees.read("main", name) == text.encode()
    listed = git("ls-tree", "-r", "main", cwd=host.folder)
    assert "100755 blob" in next(x for x in listed.splitlines() if "run.sh" in x)
    assert listed.count("120000 blob") == 2
    head = git("show", "-s", "--format=%an|%ae|%s", "main", cwd=host.folder)
    assert head == "Evex nowM 100644 x|eve@example.org|First commit"
    git("fsck", "--strict", cwd=host.folder)


@pytest.mark.parametrize(
    "branch",
    [
        "main:refs/heads/other",
        "--upload-pack=x",
        "a..b",
        "x.lock",
        "a\nb",
        "",
        "a\0",
        "HEAD",
        "refs/heads/main",
        "@{-1}",
        "n" * 201,
    ],
)
async def test_invalid_branch_names_are_refused(
    tmp_path: Path, raw: RawRepository, branch: str
) -> None:
    """Only the name of a branch reaches Git."""
    (tmp_path / "work").mkdir()
    with pytest.raises(Invalid, match="branch"):
        await push(tmp_path / "work", raw, branch)
    assert git("for-each-ref", cwd=raw.folder) == ""


async def test_git_folders_are_not_published(
    tmp_path: Path, raw: RawRepository
) -> None:
    """A `.git` folder in any spelling is left out."""
    (tmp_path / "work" / "x" / ".GIT").mkdir(parents=True)
    (tmp_path / "work" / "x" / ".GIT" / "config").write_text("[core]\n")
    (tmp_path / "work" / "x" / ".gitignore").write_text("*\n")
    await push(tmp_path / "work", raw)
    listed = git("ls-tree", "-r", "--name-only", "main", cwd=raw.folder)
    assert listed == "x/.gitignore"
