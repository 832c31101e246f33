"""Globs: Backstage's meaning, and a bound on the work that a pattern asks for."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wcmatch import glob as wcmatch

from shared.contracts.errors import Invalid
from shared.guards.globs import (
    Glob,
    GlobList,
    expand_braces,
    glob_base,
    is_pattern,
    joined_paths,
    select_paths,
)
from tests.costs import limit_processor_time

PATHS = [
    "catalog-info.yaml",
    "services/a/b/catalog-info.yaml",
    "services/c/catalog-info.yaml",
    "services/c/extra.yml",
    "services/c/[id].tsx",
    ".backstage/hidden.yaml",
    "docs/.draft.md",
    "docs/Guide.md",
]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("catalog-info.yaml", [0]),
        ("./catalog-info.yaml", [0]),
        ("/catalog-info.yaml", [0]),
        ("**/catalog-info.yaml", [0, 1, 2]),
        ("services/*/catalog-info.yaml", [2]),
        ("services/**/catalog-info.yaml", [1, 2]),
        ("services/**", [1, 2, 3, 4]),
        ("services/c/*.{yaml,yml}", [2, 3]),
        ("services/c/{catalog-info.yaml,extra.yml}", [2, 3]),
        ("{services/c,docs}/*.{md,yml}", [3, 7]),
        ("*", [0]),
        ("*/*", [7]),
        ("**/*.yaml", [0, 1, 2]),
        (".*/*.yaml", [5]),
        (".backstage/*", [5]),
        ("docs/.*", [6]),
        ("docs/?uide.md", [7]),
        ("docs/[A-G]uide.md", [7]),
        ("docs/[!A-F]uide.md", [7]),
        ("docs/[^G]uide.md", []),
        ("docs/[[:upper:]]uide.md", [7]),
        ("docs/guide.md", []),
        ("docs/!(Guide|Other).md", []),
        ("docs/!(Other).md", [7]),
        ("services/@(a|c)/*.yml", [3]),
        ("services/?(c)/+(ex|tra).yml", [3]),
        ("services/c/\\[id\\].tsx", [4]),
        ("services/c/[id].tsx", []),
        ("services/{1..3}/x", []),
        ("", []),
    ],
)
def test_a_pattern_matches_as_in_backstage(pattern: str, expected: list[int]) -> None:
    """`*` is one folder level, `**` any number; hidden names only when named."""
    assert Glob(pattern).select(PATHS) == [PATHS[number] for number in expected]


@given(
    st.sampled_from(
        [
            "**/a",
            "a/b",
            "{.a,b}/*",
            "\\.a/*",
            "@(.a|b)/**",
            "[.]a/*",
            "a/**/.a/*",
            "!(b)/a/b",
            "{a,b/**/a}",
        ]
    ),
    st.lists(st.sampled_from(["a", "b", ".a", ".git"]), min_size=1, max_size=4),
)
def test_the_folders_of_a_match_are_worth_listing(
    pattern: str, names: list[str]
) -> None:
    """A walk of these folders alone finds what a selection from all paths finds."""
    may_hold_match = Glob(pattern).folder_test()
    folders = ["/".join(names[:count]) for count in range(1, len(names))]
    if Glob(pattern).matches("/".join(names)):
        assert all(map(may_hold_match, folders))


def test_folders_that_no_match_lies_below_are_not_listed() -> None:
    """Hidden folders whose name is not spelled, others, and what is deeper."""
    may_hold_match = Glob("/a/{.b,*}/**/c/*.yaml").folder_test()
    assert not any(map(may_hold_match, ["/b", "/a/.git", "/a/.b/.git", "/a/b/.c"]))
    assert all(map(may_hold_match, ["/a", "/a/.b", "/a/b", "/a/.b/b/c", "/a/b/c/c"]))
    may_hold_match = Glob("a/b").folder_test()
    assert may_hold_match("a")
    assert not may_hold_match("a/b")


@pytest.mark.parametrize("pattern", ["**/*.yaml", "*/hidden.yaml", "**/!(x).yaml"])
def test_hidden_names_match_with_the_dot_option(pattern: str) -> None:
    """As `fs:delete` and `copyWithoutTemplating` want it."""
    assert Glob(pattern, dot=True).matches(".backstage/hidden.yaml")
    assert not Glob(pattern).matches(".backstage/hidden.yaml")


def test_case_counts_unless_it_is_ignored() -> None:
    """Rules of the catalog ignore it; paths of a repository do not."""
    assert not Glob("Docs/*.MD").matches("docs/Guide.md")
    assert Glob("Docs/[A-Z]*.MD", ignore_case=True).matches("docs/Guide.md")


NAMES = st.text("ab.", min_size=1, max_size=5).filter(lambda name: set(name) != {"."})
PARTS = st.sampled_from(
    ["a", "b", ".", "*", "?", "[ab]", "[!a]", "@(a|b)", "?(a)", "+(b|ab)", "*(a|.b)"]
)
PIECES = st.one_of(
    st.just("**"),
    st.lists(PARTS, min_size=1, max_size=4)
    .map("".join)
    .filter(lambda piece: set(piece) != {"."}),
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(PIECES, min_size=1, max_size=3).map("/".join),
    st.lists(NAMES, min_size=1, max_size=3).map("/".join),
)
def test_matching_agrees_with_wcmatch(pattern: str, path: str) -> None:
    """Another implementation gives the same answers, hidden files included."""
    flags = wcmatch.GLOBSTAR | wcmatch.EXTGLOB | wcmatch.BRACE | wcmatch.DOTGLOB
    expected = wcmatch.globmatch(path, pattern, flags=flags)
    assert Glob(pattern, dot=True).matches(path) == expected


CHOICES = {"!(a)": "a", "!(a|bb)": "a|bb", "!(*b)": ".*b"}


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from([*CHOICES, "a", "b", "*"]), min_size=1, max_size=4),
    st.text("abc", min_size=1, max_size=6),
)
def test_a_negated_choice_considers_the_rest_of_the_name(
    parts: list[str], name: str
) -> None:
    """As in minimatch: no choice may match together with the rest behind it."""
    rest = ""
    for part in reversed(parts):
        choices = CHOICES.get(part)
        text = ".*" if part == "*" else part
        rest = f"(?!(?:{choices}){rest}$).*{rest}" if choices else text + rest
    expected = re.fullmatch(rest, name) is not None
    assert Glob("".join(parts)).matches(name) == expected


@settings(max_examples=100, deadline=None)
@given(st.text("ab/{},.*?[]!(|)+@\\", max_size=40), st.text("ab/.", max_size=20))
def test_any_text_is_a_pattern_or_an_error(pattern: str, path: str) -> None:
    """No other exception is raised, whatever is unclosed."""
    try:
        Glob(pattern).matches(path)
        is_pattern(pattern)
    except Invalid as error:
        assert "pattern" in error.message  # noqa: PT017 - any of many inputs


@pytest.mark.parametrize(
    "pattern",
    [
        "*a" * 400 + "b",
        "+(*a)b",
        "+(+(+(+(a|*))))b",
        "*(a|aa|aaa)" * 60 + "b",
        "!(*(a|aa)b)" * 40 + "b",
        "*(*(*(?|a)|a)|a)b",
        "**/a" * 200 + "/b",
        "[a-z]*" * 100 + "b",
        "@(*a|*aa|*?)" * 70 + "b",
    ],
)
def test_patterns_match_fast_or_are_refused(pattern: str) -> None:
    """Patterns that block a backtracking matcher end at once, or are refused."""
    for path in ("a" * 255, "a" * 4000, "/".join("a" * 2000)):
        with limit_processor_time(2):
            try:
                assert not Glob(pattern).matches(path)
            except Invalid as error:
                assert "too complex" in error.message  # noqa: PT017 - some end so


@pytest.mark.parametrize(
    "pattern",
    ["{a,b}" * 20, "{1..1000000000}", "{a," * 200, "a" * 2000, "@(" * 50 + ")", "a\0"],
)
def test_the_expansion_of_a_pattern_is_limited(pattern: str) -> None:
    """Length, braces and nesting are refused before the work is done."""
    with limit_processor_time(2), pytest.raises(Invalid, match="pattern"):
        Glob(pattern)


def test_braces_expand_as_in_bash() -> None:
    """Nested, empty and counted ones; a single choice is text."""
    assert expand_braces("a{b,{c,d}e}") == ["ab", "ace", "ade"]
    assert expand_braces("{,x/}y") == ["y", "x/y"]
    assert expand_braces("{08..10}") == ["08", "09", "10"]
    assert expand_braces("{a}") == ["{a}"]


@pytest.mark.parametrize(
    ("pattern", "base"),
    [
        ("/data/org/*.yaml", "/data/org"),
        ("/data/org/**/x.yaml", "/data/org"),
        ("/data/{a,b}/x.yaml", "/data"),
        ("/data/org/x.yaml", "/data/org"),
        ("/data/o*/deep/x.yaml", "/data"),
        ("/data/@scope+(1)/x.yaml", "/data"),
        ("**/x", ""),
        ("x", ""),
    ],
)
def test_the_base_is_the_folder_before_the_first_wildcard(
    pattern: str, base: str
) -> None:
    """Every path that matches the pattern lies below its base."""
    assert glob_base(pattern) == base
    assert Glob(pattern).base == base


@pytest.mark.parametrize("text", ["a/*", "a?", "[ab]", "{a,b}", "!(a)", "a/**/b"])
def test_a_text_with_wildcards_is_a_pattern(text: str) -> None:
    """A text with a wildcard is matched against the paths of all files."""
    assert is_pattern(text)


@pytest.mark.parametrize("text", ["a/b", "@acme/ui+x (1)!", "{{x}}", "[", "a{b}", ""])
def test_a_text_without_wildcards_is_a_path(text: str) -> None:
    """Escaped or literal signs do not make a text a pattern."""
    assert not is_pattern(text)


def test_a_negated_pattern_excludes_earlier_matches() -> None:
    """`!pattern` applies to the patterns before it; a folder means all in it."""
    globs = GlobList(["src", "**/*.bin", "!src/gen/**", "src/gen/kept"], dot=True)
    for path, expected in {
        "src/a/.b": True,
        "src/gen/x": False,
        "src/gen/kept/x": True,
        "lib/a.bin": True,
        "lib/a.txt": False,
    }.items():
        assert globs.matches(path) == expected


@settings(deadline=None)
@given(paths=st.lists(st.sampled_from(["a.yaml", "b/a.yaml", "*", "\udcff/c.yaml"])))
def test_joined_paths_match_like_lists_of_paths(paths: list[str]) -> None:
    """Names that are not UTF-8 match too; a file may be named like the pattern."""
    joined = joined_paths(paths)
    for pattern in ("**/*.yaml", "*.yaml", "nothing"):
        selected = select_paths(pattern, "target", joined)
        assert selected == Glob(pattern).select(paths)
    assert select_paths("*", "target", joined) in (["*"], Glob("*").select(paths))
