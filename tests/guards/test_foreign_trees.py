"""A tree as it is listed: what is refused before a file is written, links followed."""

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.errors import CallboardError, Invalid, NotFound, TooLarge
from shared.guards.foreign_paths import check_link, check_path
from shared.guards.foreign_trees import (
    ForeignEntry,
    TreeIndex,
    TreeLimits,
    check_entries,
    follow_links,
)

LIMITS = TreeLimits(files=50, folders=50, total_bytes=1000, file_bytes=600)


def files(*paths: str, size: int = 1) -> list[ForeignEntry]:
    return [ForeignEntry(path, size=size) for path in paths]


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["a", "a"], "'a': is there twice"),
        (["z", "z/x"], "'z': is a file and a folder"),
        (["z/x", "z"], "'z': is a file and a folder"),
        (["../x"], "'../x'"),
        (["a//b"], "'a//b'"),
        (["/etc/x"], "'/etc/x'"),
        (["a/./b"], "'a/./b'"),
        (["a\0b"], "NUL"),
        (["b" * 256], "255 bytes"),
        (["ü" * 128], "255 bytes"),
        (["/".join(["d"] * 65)], "deeper than 64"),
        (["/".join(["d" * 200] * 11)], "2048 bytes"),
        (["a/.git/hooks/post-checkout"], "Git's own"),
        (["a/.GIT/config"], "Git's own"),
        (["caf\udce9"], "not UTF-8"),
    ],
)
def test_a_path_that_breaks_a_rule_is_refused(paths: list[str], expected: str) -> None:
    """The error names the path and the rule."""
    with pytest.raises(Invalid, match="path: ") as refused:
        check_entries(files(*paths), LIMITS)
    assert expected in refused.value.message
    assert len(refused.value.message) < 600


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (files(*(f"f{n}" for n in range(51))), "50 files"),
        (files(*(f"d{n}/e/f" for n in range(26))), "50 folders"),
        (files("big", size=601), "'big': over the limit of 600 bytes"),
        (files("a", "b", size=501), "1000 bytes in all"),
    ],
)
def test_the_size_of_a_tree_is_limited(
    entries: list[ForeignEntry], expected: str
) -> None:
    """Counts and sizes are checked before anything is written."""
    with pytest.raises(TooLarge) as refused:
        check_entries(entries, LIMITS)
    assert expected in refused.value.message


@pytest.mark.parametrize(
    ("one", "other"),
    [("README.md", "readme.md"), ("A/x", "a/y"), ("caf\u00e9", "cafe\u0301")],
)
def test_names_that_differ_in_case_are_checked_by_the_disk(
    one: str, other: str
) -> None:
    """They are two files where the disk distinguishes case, and an error elsewhere."""
    check_entries(files(one, other), LIMITS)
    with pytest.raises(Invalid, match="one name on this disk"):
        check_entries(files(one, other), LIMITS, folds_case=True)


@pytest.mark.parametrize("target", ["/etc/passwd", "../../x", "", "a\0", "x" * 4096])
def test_links_that_leave_the_tree_are_refused(target: str) -> None:
    """The error of an absolute or escaping target names the link's path."""
    with pytest.raises(Invalid, match="docs/l"):
        check_link("docs/l", target)
    check_link("docs/l", "../elsewhere")


def index(files_: list[str], links: dict[str, str]) -> TreeIndex:
    entries = [ForeignEntry(path, content=path) for path in files_]
    entries += [ForeignEntry(path, "link") for path in links]
    return TreeIndex(entries, links)


def test_links_are_replaced_by_their_files() -> None:
    """Links to files and folders, also outside of the root, become their content."""
    tree = index(
        ["README.md", "docs/a.md", "docs/sub/b.md", "common/x/y.md"],
        {
            "docs/index.md": "../README.md",
            "docs/same.md": "a.md",
            "docs/copy": "sub",
            "docs/more": "../common/x",
            "docs/none.md": "gone.md",
            "common/x/z.md": "../../docs/same.md",
        },
    )
    followed = follow_links(tree, "docs", LIMITS)
    assert {entry.path: entry.content for entry in followed.files} == {
        "a.md": "docs/a.md",
        "sub/b.md": "docs/sub/b.md",
        "index.md": "README.md",
        "same.md": "docs/a.md",
        "copy/b.md": "docs/sub/b.md",
        "more/y.md": "common/x/y.md",
        "more/z.md": "docs/a.md",
    }
    assert sorted(followed.outside) == ["README.md", "common/x"]
    assert followed.dangling == ["docs/none.md"]


@pytest.mark.parametrize(
    "links",
    [
        {"docs/ring": "ring"},
        {"docs/a": "b", "docs/b": "a"},
        {"docs/out": "../../etc"},
        {"docs/absolute": "/etc"},
    ],
)
def test_cycles_and_links_out_of_the_tree_are_refused(links: dict[str, str]) -> None:
    """A link that never ends or leaves the tree is an error that names a link."""
    with pytest.raises(Invalid, match="docs/"):
        follow_links(index(["docs/f.md"], links), "docs", LIMITS)


def test_a_folder_that_links_to_itself_is_left_out() -> None:
    """A cycle of folders ends where it begins, and is reported."""
    links = {"docs/self": ".", "docs/x/one": "../y", "docs/y/two": "../x"}
    tree = index(["docs/f.md", "docs/x/a.md", "docs/y/b.md"], {**links, "up": "."})
    followed = follow_links(tree, "docs", LIMITS)
    assert sorted(entry.path for entry in followed.files) == [
        "f.md",
        "x/a.md",
        "x/one/b.md",
        "y/b.md",
        "y/two/a.md",
    ]
    assert {"docs/self", "docs/x/one", "docs/y/two"} == set(followed.rings)
    assert follow_links(tree, "", LIMITS).rings.count("up") == 1


def test_the_length_of_a_path_through_links_is_limited() -> None:
    """Long targets in a chain of links are refused before they are walked."""
    way = "x/../" * 50
    links = {f"docs/l{n}": f"{way}l{n + 1}" for n in range(30)}
    with pytest.raises(Invalid, match="too many folders"):
        follow_links(index(["docs/x/f", "docs/l30"], links), "docs", LIMITS)
    deep = {"docs/deep": "/".join(["d"] * 200)}
    with pytest.raises(Invalid, match="too many folders"):
        follow_links(index(["docs/f"], deep), "docs", LIMITS)


def test_the_files_that_links_multiply_are_limited() -> None:
    """Each level links twice to the next: the limit stops it before it is made."""
    links = {}
    for level in range(20):
        links[f"l{level}/a"] = links[f"l{level}/b"] = f"../l{level + 1}"
    with pytest.raises(TooLarge, match="50 files"):
        follow_links(index(["l20/file"], links), "l0", LIMITS)
    with pytest.raises(NotFound):
        follow_links(index(["a/b"], {}), "none", LIMITS)


NAME = st.sampled_from(["a", "b", "c", "..", ".", "d/e", ""])


@given(
    st.lists(st.lists(NAME, min_size=1, max_size=4).map("/".join), max_size=8),
    st.dictionaries(
        st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join),
        st.lists(NAME, min_size=1, max_size=4).map("/".join),
        max_size=5,
    ),
)
def test_an_accepted_tree_has_plain_unique_paths(
    paths: list[str], links: dict[str, str]
) -> None:
    """No path occurs twice, and no file is a folder."""
    try:
        followed = follow_links(index(paths, links), "", LIMITS)
        check_entries(followed.files, LIMITS)
    except CallboardError:
        return
    followed_paths = [entry.path for entry in followed.files]
    assert len(set(followed_paths)) == len(followed_paths)
    for path in followed_paths:
        assert path == posixpath.normpath(path)
        assert check_path(path)[0] != ".."
        assert not any(other.startswith(f"{path}/") for other in followed_paths)
    assert not {entry.content for entry in followed.files} & links.keys()
