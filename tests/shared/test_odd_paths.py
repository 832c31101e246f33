"""Names that Git could read as patterns, options or commits are names of files."""

from collections.abc import Collection, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shared.contracts.errors import Invalid, NotFound
from shared.guards.foreign_trees import TreeLimits
from shared.kit.config.integrations import Integration, Integrations
from shared.kit.git.addresses import GitTarget
from shared.kit.git.link_rights import PathRights
from shared.kit.git.mirrors import RepositoryMirrors
from shared.kit.git.trees import GitTrees
from tests.rawtrees import FILE, FOLDER, LINK, RawRepository
from tests.shared.exporting import contents, tree_of

HOST = "git.example"
#: Magic, wildcards, options, revisions, and quoting of Git's.
SIGNS = [
    *(":", "::", ":(top)", ":(glob)**", ":(icase)A", ":(exclude)", ":!x", ":^x", ":!"),
    *("*", "**", "?", "[a]", "[!b]", "a*", "\\*", "\\", "{a,b}"),
    *("-", "--", "-r", "--name-only", "^", "^main", "!x", "@", "@{0}", "HEAD", "main"),
    *("~1", " ", "a b", '"', "'", "#", "%2e", "é"),
]
OWN = (b"own\n", None)
NAMES = st.lists(st.sampled_from(SIGNS), min_size=1, max_size=3, unique=True)


class Rights:
    """Hides what lies in `hidden`."""

    async def __call__(self, paths: Sequence[str]) -> Collection[str]:
        return [path for path in paths if path.startswith("hidden")]


@pytest.fixture
def mirrors(tmp_path: Path) -> RepositoryMirrors:
    host = Integration(host=HOST, directory=tmp_path)
    return RepositoryMirrors(tmp_path / "mirrors", Integrations(local=[host]))


@pytest.fixture
def target(mirrors: RepositoryMirrors) -> GitTarget:
    return mirrors.target(HOST, "raw", "main")


def odd_tree(raw: RawRepository, folder: str, name: str = "open.txt") -> str:
    """A commit with a folder of links into a hidden one, and what a pattern means."""
    up = "../" * (folder.count("/") + 1)
    files: dict[str, str | tuple[str]] = {
        "s.txt": "top\n",
        "a/s.txt": "a\n",
        "x/s.txt": "x\n",
        "hidden/s.txt": "SECRET\n",
        "hidden/d/s.txt": "SECRET\n",
        f"{folder}/s.txt": (f"{up}hidden/s.txt",),
        f"{folder}/d": (f"{up}hidden/d",),
        f"{folder}/{name}": "open\n",
    }
    return raw.commit(tree_of(raw, files))


@given(names=NAMES)
@example(names=[":"])
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_a_folder_of_any_name_shows_nothing_hidden(
    raw: RawRepository,
    mirrors: RepositoryMirrors,
    target: GitTarget,
    tmp_path_factory: pytest.TempPathFactory,
    names: list[str],
) -> None:
    """Every command takes a path for the file of that name in the tree."""
    folder, rights = "/".join(names), Rights()
    commit = odd_tree(raw, folder)
    for hidden in (f"{folder}/s.txt", f"{folder}/d/s.txt", f"{folder}/d"):
        with pytest.raises(NotFound, match="there is no file behind the link"):
            await mirrors.read(target, commit, hidden, hidden_paths=rights)
    plain, link = f"{folder}/open.txt", f"{folder}/s.txt"
    content = await mirrors.read(target, commit, plain, hidden_paths=rights)
    assert content == b"open\n"
    assert await mirrors.follow_path(target, commit, plain) == []
    assert await mirrors.follow_path(target, commit, link) == [link, "hidden/s.txt"]
    listed = await mirrors.list_paths(target, commit, folder)
    assert sorted(listed) == sorted([f"{folder}/d", plain, link])
    out = tmp_path_factory.mktemp("out") / "files"
    options = {"follows": True, "rights": PathRights(rights)}
    await mirrors.export(target, commit, folder, out, **options)  # type: ignore[arg-type]
    assert contents(out) == {"open.txt": "open\n"}
    moved = odd_tree(raw, folder, "moved.txt")
    renames = await mirrors.renames(target, commit, moved)
    assert renames == {plain: [f"{folder}/moved.txt"]}


@pytest.mark.parametrize("kind", [FILE, FOLDER])
@pytest.mark.parametrize("is_first", [False, True])
async def test_of_two_entries_of_one_name_the_link_is_asked_for(
    raw: RawRepository, kind: str, *, is_first: bool
) -> None:
    """A tree that only a raw push makes: git reads the first, a listing has both."""
    secret = raw.tree([(FILE, b"s.txt", raw.blob("SECRET\n"))])
    own = raw.tree([(FILE, b"s.txt", raw.blob("own\n"))])
    path, target = (
        ("l", "../hidden/s.txt") if kind == FILE else ("l/s.txt", "../hidden")
    )
    link = (LINK, b"l", raw.blob(target))
    plain = (kind, b"l", raw.blob("own\n") if kind == FILE else own)
    pub = raw.tree([link, plain] if is_first else [plain, link])
    commit = raw.commit(raw.tree([(FOLDER, b"hidden", secret), (FOLDER, b"pub", pub)]))
    assert await shown(GitTrees(raw.folder, {}), commit, f"pub/{path}") in OWN
    rest = "s.txt" if kind == FILE else ""
    pub = raw.tree([(LINK, b"l", raw.blob("../hidden/" * 500 + rest)), plain])
    commit = raw.commit(raw.tree([(FOLDER, b"hidden", secret), (FOLDER, b"pub", pub)]))
    assert await shown(GitTrees(raw.folder, {}), commit, f"pub/{path}") in OWN


async def shown(trees: GitTrees, commit: str, path: str) -> bytes | None:
    """What is read for who may not see `hidden`; None if nothing is."""
    try:
        return await trees.read(commit, path, Rights())
    except NotFound:
        return None


async def test_a_hidden_file_and_no_file_are_one_answer(raw: RawRepository) -> None:
    """Also for a path below a file that a link leads to."""
    links = {"pub/l": ("../hidden/s.txt",), "pub/n": ("../hidden/none",)}
    commit = raw.commit(tree_of(raw, {"hidden/s.txt": "SECRET\n", **links}))
    trees, messages = GitTrees(raw.folder, {}), []
    for path in ("pub/l/x", "pub/n/x"):
        with pytest.raises(NotFound) as error:
            await trees.read(commit, path, Rights())
        messages.append((type(error.value), error.value.message.replace(path, "")))
    assert messages[0] == messages[1]


async def test_a_link_to_a_name_that_is_no_text_is_followed(
    raw: RawRepository, tmp_path: Path
) -> None:
    """Names are bytes for Git; a line break ends no name."""
    inner = raw.tree([(FILE, b"a.txt", raw.blob("a\n"))])
    lines = [(FOLDER, b"\xff", inner), (FOLDER, b"n\nm", inner)]
    links = [(LINK, b"l", raw.blob(b"\xff")), (LINK, b"m", raw.blob(b"n\nm"))]
    raw.commit(raw.tree([*links, *lines]))
    trees = GitTrees(raw.folder, {})
    assert await trees.read("main", "l/a.txt") == b"a\n"
    options = {"follows": True, "limits": TreeLimits()}
    await trees.export("main", "l", tmp_path / "out", **options)  # type: ignore[arg-type]
    assert contents(tmp_path / "out") == {"a.txt": "a\n"}
    with pytest.raises(NotFound, match="There is no folder 'm'"):
        await trees.export("main", "m", tmp_path / "m", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["a" * 200_000, "a\ud800"])
async def test_a_path_that_no_file_can_have_is_refused(
    raw: RawRepository, mirrors: RepositoryMirrors, target: GitTarget, path: str
) -> None:
    """Before git is started: the system starts no program with such arguments."""
    commit = odd_tree(raw, "pub")
    for call in (mirrors.read, mirrors.list_paths, mirrors.follow_path):
        with pytest.raises(Invalid, match="path: "):
            await call(target, commit, path)


async def test_hooks_of_a_host_on_this_machine_have_gits_own_patterns(
    mirrors: RepositoryMirrors, tmp_path: Path
) -> None:
    """A check that an operator wrote for Git works as at any other host."""
    template, kit = tmp_path / "template", tmp_path / "kit"
    kit.mkdir()
    (kit / "a.txt").write_text("a\n")
    hook = template / "hooks" / "post-receive"
    hook.parent.mkdir(parents=True)
    hook.write_text('#!/bin/sh\necho "$GIT_LITERAL_PATHSPECS" > seen\n')
    hook.chmod(0o755)
    host = Integration(host=HOST, directory=tmp_path, hook_template=template)
    process = RepositoryMirrors(tmp_path / "mirrors", Integrations(local=[host]))
    await process.create(HOST, "made")
    target = process.target(HOST, "made", "main")
    await process.push_tree(target, kit, message="First", author=("Ann", "a@b"))
    assert (tmp_path / "made.git" / "seen").read_text().strip() in {"", "0"}
