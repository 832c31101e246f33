"""Links lead to nothing that is hidden from the reader of a repository."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pytest

from shared.contracts.errors import Invalid, NotFound
from shared.guards.foreign_trees import TreeLimits
from shared.kit.git.addresses import GitTarget, parse_url
from shared.kit.git.link_rights import PathRights, hidden_by_location
from shared.kit.git.trees import ExportedTree, GitTrees
from tests.costs import limit_stretches
from tests.rawtrees import RawRepository
from tests.shared.exporting import contents, tree_of

MIXED: Mapping[str, str | tuple[str]] = {
    "pub/a.txt": "ok\n",
    "pub/d": ("../sub",),
    "pub/gone": ("../sub/none.txt",),
    "pub/l": ("../sub/plan.txt",),
    "pub/open": ("../open.txt",),
    "pub/shared": ("../shared",),
    "pub/twice": ("l",),
    "pub/way": ("../sub/way.txt",),
    "pub/wide": ("..",),
    "open.txt": "open\n",
    "shared/b.txt": "shared\n",
    "shared/plan": ("../sub/plan.txt",),
    "sub/evil": ("/etc/passwd",),
    "sub/plan.txt": "SECRET\n",
    "sub/way.txt": ("../open.txt",),
}


class Rights:
    """Hides what lies in `sub`, and the repository as a whole; counts questions."""

    def __init__(self) -> None:
        self.questions: list[Sequence[str]] = []

    async def __call__(self, paths: Sequence[str]) -> Collection[str]:
        self.questions.append(paths)
        return [path for path in paths if path == "" or path.startswith("sub")]


@pytest.fixture
def rights() -> Rights:
    return Rights()


@pytest.fixture
def trees(raw: RawRepository) -> GitTrees:
    raw.commit(tree_of(raw, MIXED))
    return GitTrees(raw.folder, {})


async def export(
    trees: GitTrees, folder: Path, rights: Rights, prefix: str = "pub"
) -> ExportedTree:
    return await trees.export(
        "main",
        prefix,
        folder,
        limits=TreeLimits(),
        follows=True,
        rights=PathRights(rights),
    )


@pytest.mark.parametrize(
    "path",
    ["pub/l", "pub/twice", "pub/d/plan.txt", "pub/d", "pub/way", "pub/d/evil"],
)
async def test_a_file_behind_a_hidden_place_is_absent(
    trees: GitTrees, rights: Rights, path: str
) -> None:
    """Whether it is a file, a folder, or a link that leads on: as if it were none."""
    with pytest.raises(NotFound) as hidden:
        await trees.read("main", path, rights)
    with pytest.raises(NotFound) as absent:
        await trees.read("main", "pub/gone")
    assert type(hidden.value) is type(absent.value)
    assert hidden.value.message.replace(path, "pub/gone") == absent.value.message


async def test_other_links_are_read_where_they_lead(
    trees: GitTrees, rights: Rights
) -> None:
    """One question for a file with links, none for one without."""
    assert await trees.read("main", "pub/a.txt", rights) == b"ok\n"
    assert not rights.questions
    assert await trees.read("main", "pub/open", rights) == b"open\n"
    assert await trees.read("main", "pub/shared/b.txt", rights) == b"shared\n"
    assert rights.questions == [
        ["pub/open", "open.txt"],
        ["pub/shared", "shared/b.txt"],
    ]
    with pytest.raises(NotFound, match="there is no file pub/none"):
        await trees.read("main", "pub/none", rights)


async def test_a_link_too_long_to_be_followed_leads_nowhere(
    raw: RawRepository, rights: Rights
) -> None:
    """Git follows targets of any length; what was not asked for is not read."""
    target = "../sub/" * 900 + "plan.txt"
    raw.commit(tree_of(raw, {**MIXED, "pub/long": (target,)}))
    trees = GitTrees(raw.folder, {})
    with pytest.raises(NotFound, match="no file behind the link pub/long"):
        await trees.read("main", "pub/long", rights)


async def test_a_folder_is_exported_without_what_is_hidden(
    trees: GitTrees, rights: Rights, tmp_path: Path
) -> None:
    """Such links are left out like those without a target, in any depth."""
    exported = await export(trees, tmp_path / "out", rights)
    assert contents(tmp_path / "out") == {
        "a.txt": "ok\n",
        "open": "open\n",
        "shared/b.txt": "shared\n",
    }
    assert sorted(exported.dangling) == [
        "pub/d",
        "pub/gone",
        "pub/l",
        "pub/twice",
        "pub/way",
        "pub/wide",
        "shared/plan",
    ]
    # One question for the links of the folder, one for those of the folder behind one.
    assert len(rights.questions) == 2


@pytest.mark.parametrize("follows", [False, True])
async def test_a_folder_behind_a_hidden_place_is_absent(
    trees: GitTrees, rights: Rights, tmp_path: Path, *, follows: bool
) -> None:
    """Also where links are written as links; others lead on."""
    for path in ("pub/d", "pub/wide", "pub/none"):
        with pytest.raises(NotFound, match=f"There is no folder '{path}'"):
            await trees.export(
                "main",
                path,
                tmp_path / "hidden",
                limits=TreeLimits(),
                follows=follows,
                rights=PathRights(rights),
            )
    await export(trees, tmp_path / "shared", rights, "pub/shared")
    assert contents(tmp_path / "shared") == {"b.txt": "shared\n"}


async def test_links_out_of_the_repository_stay_errors(
    raw: RawRepository, rights: Rights
) -> None:
    """The author of a visible link learns what is wrong with it."""
    raw.commit(tree_of(raw, {**MIXED, "pub/out": ("/etc/passwd",)}))
    with pytest.raises(Invalid, match="the link leads to an absolute path"):
        await GitTrees(raw.folder, {}).read("main", "pub/out", rights)


async def test_a_path_that_no_address_names_is_hidden() -> None:
    """The catalog is asked by addresses; the rest go there in one question."""
    questions: list[Sequence[str]] = []

    async def hidden(locations: Sequence[str]) -> Collection[str]:
        questions.append(locations)
        return [location for location in locations if location.endswith("/sub")]

    def locate(url: str) -> GitTarget | None:
        return parse_url(url, {"git.example": "github"})

    target = GitTarget("github", "git.example", "org/mixed", "main", "pub")
    tell = hidden_by_location(target, locate, hidden)
    paths = ["a b#?.txt", "sub", "line\nbreak", "byte\udcff", "dot/../sub"]
    assert await tell(paths) == {"sub", "line\nbreak", "byte\udcff", "dot/../sub"}
    root = "url:https://git.example/org/mixed/blob/main"
    assert questions == [[f"{root}/a%20b%23%3F.txt", f"{root}/sub"]]


async def test_thousands_of_paths_are_written_as_addresses_in_turns() -> None:
    """As many as a folder of docs may have: others get their turn meanwhile."""

    async def hidden(locations: Sequence[str]) -> Collection[str]:
        assert len(locations) == 20_000
        return locations[:1]

    def locate(url: str) -> GitTarget | None:
        return parse_url(url, {"git.example": "github"})

    target = GitTarget("github", "git.example", "org/mixed", "main", "pub")
    tell = hidden_by_location(target, locate, hidden)
    async with limit_stretches():
        assert await tell([f"docs/{number}.md" for number in range(20_000)]) == {
            "docs/0.md"
        }
