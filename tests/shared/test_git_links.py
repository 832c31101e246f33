"""Links in trees of repositories: written, followed, never out of the repository."""

from pathlib import Path

import pytest

from shared.contracts.errors import Invalid, NotFound
from shared.kit.git.trees import GitTrees
from tests.rawtrees import (
    RawRepository,
)
from tests.shared.exporting import LINKED, contents, export, tree_of


async def test_links_are_exported_as_links(raw: RawRepository, tmp_path: Path) -> None:
    """Links inside the repository are kept, also those that leave the folder."""
    raw.commit(tree_of(raw, LINKED))
    for number, prefix in enumerate(("kit", "way", "way/service/..")):
        if ".." in prefix:
            continue
        folder = tmp_path / f"out-{number}"
        await export(raw, folder, prefix)
        assert contents(folder) == {
            "README.md": "# Kit\n",
            "service/README.md": "-> ../README.md",
            "service/build.mk": "-> ../../shared/build.mk",
            "gone": "-> service/none",
        }


async def test_links_can_be_replaced_by_their_files(
    raw: RawRepository, tmp_path: Path
) -> None:
    """Files replace links, and their original paths are reported."""
    raw.commit(tree_of(raw, LINKED))
    exported = await export(raw, tmp_path / "out", "way", follows=True)
    assert contents(tmp_path / "out") == {
        "README.md": "# Kit\n",
        "service/README.md": "# Kit\n",
        "service/build.mk": "all:\n",
    }
    assert exported.outside == ["way", "kit", "shared/build.mk"]
    assert exported.dangling == ["kit/gone"]


@pytest.mark.parametrize("follows", [False, True])
async def test_links_that_leave_the_repository_are_refused(
    raw: RawRepository, tmp_path: Path, *, follows: bool
) -> None:
    """The error has the path in the repository, and no path of the server."""
    raw.commit(tree_of(raw, LINKED))
    with pytest.raises(Invalid, match=r"'evil/(passwd|up)': the link leads") as refused:
        await export(raw, tmp_path / "out", "evil", follows=follows)
    assert str(tmp_path) not in refused.value.message
    with pytest.raises(Invalid, match="'evil/up"):
        await export(raw, tmp_path / "out", "evil/up/x", follows=follows)
    with pytest.raises(NotFound, match="'none'"):
        await export(raw, tmp_path / "out", "none", follows=follows)


async def test_a_file_is_read_through_links(raw: RawRepository) -> None:
    """The file is that of a checkout; outside targets and cycles are named."""
    raw.commit(tree_of(raw, {**LINKED, "ring": ("ring",)}))
    trees = GitTrees(raw.folder, {})
    assert await trees.read("main", "kit/service/build.mk") == b"all:\n"
    assert await trees.read("main", "way/service/README.md") == b"# Kit\n"
    with pytest.raises(Invalid, match="evil/passwd: the link leads outside"):
        await trees.read("main", "evil/passwd")
    with pytest.raises(Invalid, match="evil/up/y: the link leads outside"):
        await trees.read("main", "evil/up/y")
    with pytest.raises(Invalid, match="ring: the link is part of a ring"):
        await trees.read("main", "ring")
    for path in ("kit/gone", "none", "README.md/x", "kit"):
        with pytest.raises(NotFound, match=path):
            await trees.read("main", path)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("link.md", "./real/note.md"),
        ("link.md", "real/./note.md"),
        ("link.md", ".//real/note.md"),
        ("up/link.md", "./../real/note.md"),
        ("up/link.md", ".././real/note.md"),
        ("up", "./real"),
        ("top", "."),
        ("up/top", "./.."),
    ],
)
async def test_a_dot_in_a_link_means_its_own_folder(
    raw: RawRepository, path: str, target: str
) -> None:
    """As in a checkout, also through a folder that is such a link."""
    raw.commit(tree_of(raw, {"real/note.md": "note\n", path: (target,)}))
    folders = {"up": "up/note.md", "top": "top/real/note.md"}
    folders["up/top"] = "up/top/real/note.md"
    trees = GitTrees(raw.folder, {})
    assert await trees.read("main", folders.get(path, path)) == b"note\n"
    with pytest.raises(NotFound, match="there is no file"):
        await trees.read("main", f"{path}/gone")
