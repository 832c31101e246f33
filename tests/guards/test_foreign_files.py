"""Foreign files below a root: nothing is written, read or listed outside of it."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.contracts.errors import (
    CallboardError,
    Forbidden,
    Invalid,
    NotFound,
    TooLarge,
)
from shared.guards.foreign_files import ForeignFolder
from shared.guards.foreign_paths import is_git_folder, normalise

LIMIT = 1000
PART = st.sampled_from(
    ["a", "B", "b", "..", ".", "", ".git", ".GIT", "\0", "c" * 256, "ü", "x\\y", "l"]
)
PATH = st.one_of(
    st.lists(PART, min_size=1, max_size=5).map("/".join),
    st.text(max_size=20),
    st.lists(PART, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts)),
)
TARGET = st.sampled_from(
    ["..", "../..", "/", "/tmp", "a", "../a", "b/../..", ".", "l", "a/b", ""]
)


def snapshot(folder: Path) -> dict[str, bytes | str]:
    """Everything below a folder, links as where they lead."""
    contents: dict[str, bytes | str] = {}
    for parent, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            path = Path(parent, name)
            if path.is_symlink():
                contents[str(path)] = str(path.readlink())
            else:
                contents[str(path)] = path.read_bytes() if path.is_file() else b""
    return contents


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["write", "link", "remove", "rename"]), PATH, TARGET),
        max_size=12,
    )
)
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_file_operations_change_nothing_outside_the_root(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, str]]
) -> None:
    """Whatever is written, linked, renamed and removed inside."""
    base = tmp_path_factory.mktemp("b")
    (base / "a").write_text("mine")
    root = base / "deep" / "root"
    root.mkdir(parents=True)
    (base / "deep" / "b").mkdir()
    before = {p: c for p, c in snapshot(base).items() if not p.startswith(str(root))}
    messages: list[str] = []
    with ForeignFolder.open(root) as folder:
        for step, path, other in steps:
            try:
                if step == "write":
                    folder.write(path, b"theirs", replaces=len(other) % 2 == 0)
                elif step == "link":
                    folder.link(path, other)
                elif step == "remove":
                    folder.remove(path)
                else:
                    folder.rename(path, other)
                folder.read(path, limit=LIMIT)
            except CallboardError as error:
                messages.append(error.message)
            except FileNotFoundError:
                assert step == "rename"
    assert not any(str(base) in message for message in messages)
    after = snapshot(base)
    inside = {p: c for p, c in after.items() if p.startswith(f"{root}/")}
    assert {p: c for p, c in after.items() if p not in inside} == {
        **before,
        str(root): b"",
    }


def test_writing_never_follows_a_link(tmp_path: Path) -> None:
    """Neither a folder nor a file on the path may be a link, wherever it leads."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "real").mkdir(parents=True)
    outside.mkdir()
    (outside / "file").write_text("mine")
    (root / "out").symlink_to(outside)
    (root / "in").symlink_to("real")
    (root / "file").symlink_to(outside / "file")
    with ForeignFolder.open(root) as folder:
        for path in ("out/x", "in/x", "file", "out", "out/deep/x"):
            with pytest.raises(Invalid, match=path.partition("/")[0]):
                folder.write(path, b"theirs")
        folder.write("file", b"theirs", replaces=True)
    assert (outside / "file").read_text() == "mine"
    assert [path.name for path in outside.iterdir()] == ["file"]
    assert (root / "file").read_bytes() == b"theirs"


def test_reading_follows_links_inside_the_root_only(tmp_path: Path) -> None:
    """A reader gets the file behind a link, and never one outside of the root."""
    (tmp_path / "secret").write_text("secret")
    root = tmp_path / "root"
    with ForeignFolder.open(root, create=True) as folder:
        folder.write("docs/page.md", b"page")
        folder.link("docs/same.md", "../docs/./page.md")
        folder.link("all", "docs")
        folder.link("up", "../secret")
        folder.link("docs/ring", "../docs/ring")
        (root / "absolute").symlink_to(tmp_path / "secret")
        assert folder.read("all/same.md", limit=LIMIT) == b"page"
        for path in ("up", "absolute", "docs/ring", "all/../../secret"):
            with pytest.raises(Invalid, match="link"):
                folder.read(path, limit=LIMIT)
        with pytest.raises(NotFound):
            folder.read("docs/none", limit=LIMIT)
        with pytest.raises(NotFound):
            folder.read("docs", limit=LIMIT)
        with pytest.raises(TooLarge, match="page"):
            folder.read("docs/page.md", limit=3)
        with pytest.raises(Invalid, match="absolute"):
            folder.link("docs/new", "/etc")


def test_opening_a_pipe_is_refused_and_does_not_block(tmp_path: Path) -> None:
    """Only files, folders and links are accepted."""
    os.mkfifo(tmp_path / "pipe")
    with ForeignFolder.open(tmp_path) as folder:
        with pytest.raises(NotFound):
            folder.read("pipe", limit=LIMIT)
        with pytest.raises(Invalid, match="pipe"):
            list(folder.entries(limit=10))


def test_only_the_executable_bit_of_a_mode_is_kept(tmp_path: Path) -> None:
    """No other bit of a foreign mode arrives, nor one of the umask's."""
    before = os.umask(0o077)
    try:
        with ForeignFolder.open(tmp_path) as folder:
            folder.write("run", b"x", executable=True)
            folder.write("read", b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "run").stat().st_mode & 0o7777 == 0o755
    assert (tmp_path / "read").stat().st_mode & 0o7777 == 0o644


def test_a_failed_write_leaves_no_partial_file(tmp_path: Path) -> None:
    """A replaced file is complete or unchanged."""

    def broken() -> "list[bytes]":
        raise ValueError

    with ForeignFolder.open(tmp_path) as folder:
        folder.write("a/b", b"old")
        with pytest.raises(ValueError):  # noqa: PT011
            folder.write("a/b", (broken() for _ in [1]), replaces=True)  # type: ignore[arg-type]
        with pytest.raises(Invalid, match="in its place"):
            folder.write("a", b"x", replaces=True)
        with pytest.raises(Invalid, match="in its place"):
            folder.write("a/b/c", b"x")
        assert [entry.path for entry in folder.entries(limit=10)] == ["a/b"]
        assert folder.read("a/b", limit=LIMIT) == b"old"


def test_removing_a_folder_keeps_the_targets_of_its_links(tmp_path: Path) -> None:
    """The folder is removed with the links in it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("mine")
    root = tmp_path / "root"
    with ForeignFolder.open(root, create=True) as folder:
        folder.write("a/b/c", b"x")
        (root / "a" / "out").symlink_to(outside)
        assert folder.remove("a")
        assert not folder.remove("a")
        folder.write("new/x", b"x")
        folder.rename("new", "deep/er/new")
        with pytest.raises(Invalid):
            folder.rename("deep", "deep/er/self")
        folder.write("new/x", b"y")
    assert (root / "deep" / "er" / "new" / "x").read_bytes() == b"x"
    assert (outside / "file").read_text() == "mine"


@pytest.mark.parametrize(
    "name",
    [".git", ".GIT", ".Git ", "git~1", "GIT~1", ".g\u200cit", ".git.", ".git::$INDEX"],
)
def test_spellings_of_the_git_folder_are_recognised(name: str) -> None:
    """Every name that some file system takes for `.git`."""
    assert is_git_folder(name)


@pytest.mark.parametrize("name", [".github", ".gitignore", "git", "git~2", ".gitx"])
def test_names_similar_to_the_git_folder_are_accepted(name: str) -> None:
    """Names that people use are not taken for `.git`."""
    assert not is_git_folder(name)


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("", ()),
        (".", ()),
        ("a/./b/../c", ("a", "c")),
        ("x/..", ()),
        ("by\\x2did", ("by\\x2did",)),
    ],
)
def test_a_templates_path_may_hold_dots(path: str, parts: tuple[str, ...]) -> None:
    """Dots that stay inside are fine."""
    assert normalise(path, allows_backslash=True) == parts


@pytest.mark.parametrize(
    "path", ["..", "a/../..", "/a", "a\\..\\..\\b", "\\x", "C:\\x", "a\0", "./../x"]
)
def test_a_templates_path_cannot_leave_its_folder(path: str) -> None:
    """No spelling leads outside."""
    with pytest.raises(Forbidden):
        normalise(path, allows_backslash=True)
    with pytest.raises(Forbidden):
        normalise("a\\b")
