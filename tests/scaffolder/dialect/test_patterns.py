"""JavaScript's regular expressions: matches, replacements and splits."""

from typing import Any

import pytest

from services.scaffolder.dialect import patterns
from services.scaffolder.dialect.failure import TemplateLimitError, TemplateRenderError
from tests.scaffolder.dialect.expressions import evaluate

REPLACEMENTS = [
    ("'john smith'.replace(r/(\\w+) (\\w+)/, '$2, $1')", "smith, john"),
    ("'abc'.replace(r/b/, '[$&]')", "a[b]c"),
    ("'abc'.replace(r/b/, '[$`]')", "a[a]c"),
    ("'abc'.replace(r/b/, \"[$']\")", "a[c]c"),
    ("'abc'.replace(r/b/, '$$')", "a$c"),
    ("'abc'.replace(r/b/, '$1')", "a$1c"),
    ("'abc'.replace(r/(b)/, '$2')", "a$2c"),
    ("'abc'.replace(r/(b)/, '$10')", "ab0c"),
    ("'abc'.replace(r/(b)/, '$01')", "abc"),
    ("'abc'.replace(r/(?<x>b)/, '<$<x>>')", "a<b>c"),
    ("'abc'.replace(r/(?<x>b)/, '<$<y>>')", "a<>c"),
    ("'abc'.replace(r/b/, '$<x>')", "a$<x>c"),
    ("'abc'.replace(r/(x)?b/, '[$1]')", "a[]c"),
    ("'aAa'.replace(r/a/gi, '-')", "---"),
    ("'a\nb'.replace(r/^b/m, '-')", "a\n-"),
    ("'abc'.replace(r/x/, '-')", "abc"),
    ("'abc'.replace(r/$/, '!')", "abc!"),
    ("'abc'.replace(r/x*/g, '-')", "-a-b-c-"),
]
SPLITS = [
    ("'a1b22c'.split(r/\\d+/)", ["a", "b", "c"]),
    ("'a1b'.split(r/(\\d)/)", ["a", "1", "b"]),
    ("'a-b'.split(r/-|(x)/)", ["a", None, "b"]),
    ("'abc'.split(r/(?:)/)", ["a", "b", "c"]),
    ("'1a'.split(r/\\d/)", ["", "a"]),
    ("'a1'.split(r/\\d/)", ["a", ""]),
    ("'a1b2c'.split(r/\\d/, 2)", ["a", "b"]),
    ("'abc'.split(r/x/)", ["abc"]),
]
MATCHES = [
    ("r/^a.c$/.test('abc')", True),
    ("r/^a.c$/.test('abcd')", False),
    ("r/B/i.test('abc')", True),
    ("r/\\//.test('a/b')", True),
    ("r/a{2}/.test('baa')", True),
    ("r/1/.test(212)", True),
    ("r/\\u{1F600}/u.test(face)", True),
    ("r/^.$/.test(face)", True),
]


@pytest.mark.parametrize(("expression", "expected"), REPLACEMENTS + SPLITS + MATCHES)
def test_patterns_match_and_replace_as_in_javascript(
    expression: str, expected: Any
) -> None:
    """Flags, groups, and what a `$` means in a replacement."""
    assert evaluate(expression, face="\U0001f600") == expected


@pytest.mark.parametrize("pattern", ["(", "[", "a**", "(?<x>a)(?<x>b)", "a{2,1}"])
def test_an_invalid_pattern_is_an_error_with_its_place(pattern: str) -> None:
    """Of the expression, with its place."""
    with pytest.raises(TemplateRenderError, match="Invalid regular expression"):
        evaluate(f"r/{pattern}/.test('a')")


def test_a_pattern_that_matches_too_often_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A hundred thousand matches are the limit; a slow machine has time for them."""
    monkeypatch.setattr(patterns, "_SECONDS", 60.0)
    with pytest.raises(TemplateLimitError, match="matches over 100000 times"):
        evaluate("t | replace(r/a/g, 'b')", t="a" * 100_001)


def test_a_pattern_is_printed_as_in_javascript() -> None:
    """As text it is its source, in JSON an empty object."""
    assert evaluate("r/a+/g ~ ''") == "/a+/g"
    assert evaluate("{a: r/a/}") == {"a": {}}
    assert evaluate("r/a/ | default(1) ~ ''") == "/a/"
