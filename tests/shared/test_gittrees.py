"""Trees of repositories as files: whole, byte by byte, and inside of their folder."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.contracts.errors import CallboardError, Invalid, TooLarge
from shared.guards.foreign_trees import TreeLimits
from shared.kit.git.command import run_git
from shared.kit.git.trees import GitTrees
from tests.rawtrees import (
    FILE,
    FOLDER,
    LINK,
    MODULE,
    PROGRAM,
    RawRepository,
    escaping_tree,
)
from tests.shared.exporting import contents, export, tree_of
from tests.shared.githost import git


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


async def test_gitattributes_do_not_change_an_export(
    raw: RawRepository, tmp_path: Path
) -> None:
    """Files that `.gitattributes` excludes, substitutes or converts are unchanged."""
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


async def test_executable_modes_stay_and_submodules_are_left_out(
    raw: RawRepository, tmp_path: Path
) -> None:
    """Files stay executable; the place of a submodule is reported."""
    blob = raw.blob("#!/bin/sh\n")
    lines = [(PROGRAM, b"run", blob), ("100664", b"old", blob), (MODULE, b"sub", blob)]
    raw.commit(raw.tree(lines))
    exported = await export(raw, tmp_path / "out")
    assert exported.submodules == ["sub"]
    assert (tmp_path / "out" / "run").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "out" / "old").stat().st_mode & 0o777 == 0o644
    assert not (tmp_path / "out" / "sub").exists()


async def test_trees_are_limited_before_they_are_written(
    raw: RawRepository, tmp_path: Path
) -> None:
    """A tree that contains itself, and one that is too large, are refused early."""
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


async def test_file_names_are_limited_before_they_are_stored(
    raw: RawRepository, tmp_path: Path
) -> None:
    """A name of a megabyte is refused when it is listed, and shown in part."""
    raw.commit(raw.tree([(FILE, b"n" * 1_000_000, raw.blob("x"))]))
    with pytest.raises(Invalid, match=r"'nnn.*2048 bytes") as refused:
        await export(raw, tmp_path / "out")
    assert len(refused.value.message) < 400


async def test_malformed_tree_entries_are_refused(
    raw: RawRepository, tmp_path: Path
) -> None:
    """A tree may call a folder a file; a link may be of any length."""
    raw.commit(raw.tree([(FILE, b"liar", raw.tree([]))]))
    with pytest.raises(Invalid, match="'liar'"):
        await export(raw, tmp_path / "out")
    raw.commit(raw.tree([(LINK, b"long", raw.blob("x/" * 5000))]))
    with pytest.raises(Invalid, match="'long'"):
        await export(raw, tmp_path / "out")


async def test_missing_contents_are_fetched_in_one_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mirror without contents fetches all that an export needs together."""
    host = RawRepository(tmp_path / "host.git")
    for name in ("allowFilter", "allowAnySHA1InWant"):
        git("config", f"uploadpack.{name}", "true", cwd=host.folder)
    files: dict[str, str | tuple[str]] = {f"d/{n}.md": f"# {n}\n" for n in range(20)}
    host.commit(tree_of(host, {**files, "other": "o\n", "d/link.md": ("../other",)}))
    options = ["--quiet", "--mirror", "--filter=blob:none"]
    git("clone", *options, f"file://{host.folder}", "mirror.git", cwd=tmp_path)
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
