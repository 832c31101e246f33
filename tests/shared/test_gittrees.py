"""Trees of repositories as files: whole, byte by byte, and inside of their folder."""

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.contracts.errors import CallboardError, Invalid, NotFound, TooLarge
from shared.guards.foreign_trees import TreeLimits
from shared.kit.gitcommand import run_git
from shared.kit.gitpush import push_folder
from shared.kit.gittrees import ExportedTree, GitTrees
from tests.rawtrees import (
    FILE,
    FOLDER,
    LINK,
    MODULE,
    PROGRAM,
    Line,
    RawRepository,
    escaping_tree,
)

AUTHOR = ("Ann Example", "ann@example.org")


@pytest.fixture
def raw(tmp_path: Path) -> RawRepository:
    return RawRepository(tmp_path / "raw.git")


async def export(
    repository: RawRepository,
    folder: Path,
    prefix: str = "",
    *,
    follows: bool = False,
    limits: TreeLimits | None = None,
) -> ExportedTree:
    trees = GitTrees(repository.folder, {})
    return await trees.export(
        "main", prefix, folder, limits=limits or TreeLimits(), follows=follows
    )


def contents(folder: Path) -> dict[str, str]:
    """Each file's content, a link's with an arrow before its target."""
    found = {}
    for parent, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            path = Path(parent, name)
            relative = path.relative_to(folder).as_posix()
            if path.is_symlink():
                found[relative] = f"-> {path.readlink()}"
            elif path.is_file():
                found[relative] = path.read_text()
    return found


def tree_of(repository: RawRepository, files: Mapping[str, str | tuple[str]]) -> str:
    """The tree of these files; a tuple holds the target of a link."""
    lines: list[Line] = []
    for name in sorted({path.partition("/")[0] for path in files}):
        below = {
            path[len(name) + 1 :]: content
            for path, content in files.items()
            if path.startswith(f"{name}/")
        }
        if below:
            lines.append((FOLDER, name.encode(), tree_of(repository, below)))
        elif isinstance(content := files[name], tuple):
            lines.append((LINK, name.encode(), repository.blob(content[0])))
        else:
            lines.append((FILE, name.encode(), repository.blob(content)))
    return repository.tree(lines)


async def test_a_tree_that_escapes_writes_nothing_outside(
    raw: RawRepository, tmp_path: Path
) -> None:
    """Names too long to be resolved and a link that is a folder too lead nowhere."""
    outside = tmp_path / "outside"
    outside.mkdir()
    raw.commit(escaping_tree(raw, outside, "note.txt"))
    for number, follows in enumerate((False, True)):
        with pytest.raises((Invalid, TooLarge)):
            await export(raw, tmp_path / f"out-{number}", follows=follows)
    assert list(outside.iterdir()) == []


NAMES = st.sampled_from(
    [
        *(b"a", b"b", b"A", b"..", b".", b".git", b"a/b", b"../x", b"/x", b"c" * 256),
        *(b"\xff", b"\\", b"a\nb", b"\xc3\xa9", b"e\xcc\x81", b"l"),
    ]
)
TARGETS = st.sampled_from(
    ["..", "../..", "/", "a", "../a", "l", ".", "../../a", "", "b/..", "a/b/c"]
)
TREES = st.recursive(
    st.one_of(
        st.text(max_size=3).map(lambda text: (FILE, text)),
        TARGETS.map(lambda target: (LINK, target)),
        st.just((PROGRAM, "#!")),
    ),
    lambda inner: st.lists(st.tuples(NAMES, inner), max_size=4).map(
        lambda lines: (FOLDER, lines)
    ),
    max_leaves=12,
)


def raw_object(repository: RawRepository, node: tuple[str, object]) -> str:
    _, content = node
    if isinstance(content, list):
        return repository.tree(
            [(line[1][0], line[0], raw_object(repository, line[1])) for line in content]
        )
    return repository.blob(str(content))


@given(lines=st.lists(st.tuples(NAMES, TREES), max_size=6), follows=st.booleans())
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_generated_trees_stay_in_their_folder(
    raw: RawRepository, lines: list[tuple[bytes, tuple[str, object]]], *, follows: bool
) -> None:
    """Any tree is exported below its folder or refused by an error about a path."""
    raw.commit(raw_object(raw, (FOLDER, lines)))
    with tempfile.TemporaryDirectory() as parent:
        base = Path(parent)
        (base / "a").write_text("mine")
        out = base / "deep" / "out"
        out.parent.mkdir()
        try:
            await export(raw, out, follows=follows)
        except CallboardError as error:
            message = error.message
        else:
            message = ""
        assert parent not in message
        assert not message or "path" in message or "folder" in message
        beside = {path.name for path in base.iterdir()}
        assert beside == {"a", "deep"}
        assert {path.name for path in out.parent.iterdir()} <= {"out"}
        assert (base / "a").read_text() == "mine"
        assert not follows or not any(p.is_symlink() for p in out.rglob("*"))


async def test_attributes_lose_and_change_nothing(
    raw: RawRepository, tmp_path: Path
) -> None:
    """What `.gitattributes` leaves out, substitutes or converts arrives as it is."""
    files = {
        ".gitattributes": "/spec export-ignore\n*.cmd text eol=crlf\nid export-subst\n"
        ".gitattributes export-ignore\n",
        "spec/one.txt": "1\n",
        "go.cmd": "a\nb\n",
        "id": "$Format:%H$\n",
    }
    raw.commit(tree_of(raw, files))
    exported = await export(raw, tmp_path / "out")
    assert contents(tmp_path / "out") == files
    assert exported.files == 4


async def test_modes_and_submodules(raw: RawRepository, tmp_path: Path) -> None:
    """A program stays executable; another repository's place is told and left out."""
    blob = raw.blob("#!/bin/sh\n")
    lines = [(PROGRAM, b"run", blob), ("100664", b"old", blob), (MODULE, b"sub", blob)]
    raw.commit(raw.tree(lines))
    exported = await export(raw, tmp_path / "out")
    assert exported.submodules == ["sub"]
    assert (tmp_path / "out" / "run").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "out" / "old").stat().st_mode & 0o777 == 0o644
    assert not (tmp_path / "out" / "sub").exists()


LINKED: Mapping[str, str | tuple[str]] = {
    "README.md": "# Read\n",
    "kit/service/README.md": ("../README.md",),
    "kit/README.md": "# Kit\n",
    "kit/service/build.mk": ("../../shared/build.mk",),
    "kit/gone": ("service/none",),
    "shared/build.mk": "all:\n",
    "way": ("kit",),
    "evil/passwd": ("/etc/passwd",),
    "evil/up": ("../../x",),
}


async def test_links_are_written_as_they_are(
    raw: RawRepository, tmp_path: Path
) -> None:
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


async def test_links_are_followed(raw: RawRepository, tmp_path: Path) -> None:
    """Files stand in the place of links, and it is told where they came from."""
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
async def test_links_that_leave_the_repository(
    raw: RawRepository, tmp_path: Path, *, follows: bool
) -> None:
    """They are refused by their path in the repository, without a path of ours."""
    raw.commit(tree_of(raw, LINKED))
    with pytest.raises(Invalid, match=r"'evil/(passwd|up)': the link leads") as refused:
        await export(raw, tmp_path / "out", "evil", follows=follows)
    assert str(tmp_path) not in refused.value.message
    with pytest.raises(Invalid, match="'evil/up"):
        await export(raw, tmp_path / "out", "evil/up/x", follows=follows)
    with pytest.raises(NotFound, match="'none'"):
        await export(raw, tmp_path / "out", "none", follows=follows)


async def test_a_file_is_read_through_links(raw: RawRepository) -> None:
    """One file is what a checkout would show; ways out and rings are named."""
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


async def test_trees_are_bounded_before_they_are_written(
    raw: RawRepository, tmp_path: Path
) -> None:
    """A tree that lists itself without end, and one that is too large, end early."""
    blob = raw.blob("x" * 100)
    raw.commit(raw.tree([(FILE, b"a", blob), (FILE, b"b", blob)]))
    out = tmp_path / "out"
    with pytest.raises(TooLarge, match="150 bytes"):
        await export(raw, out, limits=TreeLimits(total_bytes=150))
    with pytest.raises(TooLarge, match="'a': over the limit of 50"):
        await export(raw, out, limits=TreeLimits(file_bytes=50))
    tree = raw.tree([(FILE, b"%d" % n, blob) for n in range(10)])
    for _ in range(12):
        tree = raw.tree([(FOLDER, b"%d" % n, tree) for n in range(10)])
    raw.commit(tree)
    with pytest.raises(TooLarge, match="20000 files"):
        await export(raw, out)
    with pytest.raises(TooLarge):
        await run_git(["ls-tree", "-r", "main"], cwd=raw.folder, limit=100_000)
    assert not out.exists()


async def test_names_are_bounded_before_they_are_kept(
    raw: RawRepository, tmp_path: Path
) -> None:
    """A name of a megabyte is refused as it is listed, and shown in part."""
    raw.commit(raw.tree([(FILE, b"n" * 1_000_000, raw.blob("x"))]))
    with pytest.raises(Invalid, match=r"'nnn.*2048 bytes") as refused:
        await export(raw, tmp_path / "out")
    assert len(refused.value.message) < 400


async def test_what_is_not_a_file_is_refused(
    raw: RawRepository, tmp_path: Path
) -> None:
    """A tree may call a folder a file; a link may be of any length."""
    raw.commit(raw.tree([(FILE, b"liar", raw.tree([]))]))
    with pytest.raises(Invalid, match="'liar'"):
        await export(raw, tmp_path / "out")
    raw.commit(raw.tree([(LINK, b"long", raw.blob("x/" * 5000))]))
    with pytest.raises(Invalid, match="'long'"):
        await export(raw, tmp_path / "out")


async def test_published_is_what_lies_there(tmp_path: Path) -> None:
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
    listed = git("ls-tree", "-r", "main", folder=host.folder)
    assert "100755 blob" in next(x for x in listed.splitlines() if "run.sh" in x)
    assert listed.count("120000 blob") == 2
    head = git("show", "-s", "--format=%an|%ae|%s", "main", folder=host.folder)
    assert head == "Evex nowM 100644 x|eve@example.org|First commit"
    git("fsck", "--strict", folder=host.folder)


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


def git(*arguments: str, folder: Path) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    "branch",
    ["main:refs/heads/other", "--upload-pack=x", "a..b", "x.lock", "a\nb", "", "a\0"],
)
async def test_a_branch_is_a_branch(
    tmp_path: Path, raw: RawRepository, branch: str
) -> None:
    """Nothing else than a branch's name reaches git."""
    (tmp_path / "work").mkdir()
    with pytest.raises(Invalid, match="branch"):
        await push(tmp_path / "work", raw, branch)
    assert git("for-each-ref", folder=raw.folder) == ""


async def test_nothing_of_git_is_published(tmp_path: Path, raw: RawRepository) -> None:
    """A `.git` folder in what is to be published is left out, however it is spelled."""
    (tmp_path / "work" / "x" / ".GIT").mkdir(parents=True)
    (tmp_path / "work" / "x" / ".GIT" / "config").write_text("[core]\n")
    (tmp_path / "work" / "x" / ".gitignore").write_text("*\n")
    await push(tmp_path / "work", raw)
    listed = git("ls-tree", "-r", "--name-only", "main", folder=raw.folder)
    assert listed == "x/.gitignore"


async def test_contents_that_nobody_read_come_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mirror without contents fetches all that an export needs in one go."""
    host = RawRepository(tmp_path / "host.git")
    for name in ("allowFilter", "allowAnySHA1InWant"):
        git("config", f"uploadpack.{name}", "true", folder=host.folder)
    files: dict[str, str | tuple[str]] = {f"d/{n}.md": f"# {n}\n" for n in range(20)}
    host.commit(tree_of(host, {**files, "other": "o\n", "d/link.md": ("../other",)}))
    options = ["--quiet", "--mirror", "--filter=blob:none"]
    git("clone", *options, f"file://{host.folder}", "mirror.git", folder=tmp_path)
    trace = tmp_path / "trace"
    monkeypatch.setenv("GIT_TRACE", str(trace))
    trees = GitTrees(
        tmp_path / "mirror.git", {"GIT_TRACE": str(trace)}, is_partial=True
    )
    exported = await trees.export(
        "main", "d", tmp_path / "out", limits=TreeLimits(), follows=True
    )
    assert exported.files == 21
    assert contents(tmp_path / "out")["link.md"] == "o\n"
    fetches = [x for x in trace.read_text().splitlines() if "upload-pack" in x]
    assert 1 <= len({x.partition("trace:")[2] for x in fetches}) <= 3
