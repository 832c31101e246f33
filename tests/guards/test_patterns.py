"""Foreign regular expressions: JavaScript's meaning, within limits."""

import contextlib
import gc
import resource
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.guards.budgets import BudgetExceeded
from shared.guards.patterns import NotAPattern, compile_pattern
from tests.costs import limit_processor_time

LONG = "a" * 20_000


def test_the_pattern_of_dashed_words_is_matched_fast() -> None:
    """The most frequent pattern of real templates, with texts that nearly match."""
    pattern = compile_pattern("^([a-z0-9]+-?)+$")
    assert pattern.matches("a" * 5000 + "-b")
    assert not pattern.matches("a" * 5000 + "!")


@pytest.mark.parametrize(
    ("source", "flags", "text", "spans"),
    [
        (r"^\d+$", "", "12\n", None),
        ("^$", "m", "a\n\nb", [(2, 2)]),
        (".", "", "\u2028x", [(1, 2)]),
        (r"\s+", "", "a \u00a0\ufeff\tb", [(1, 5)]),
        (r"\w+", "", "äb_1", [(1, 4)]),
        (r"[\w-.]+", "", "!a-b.c", [(1, 6)]),
        ("[^]", "", "\n", [(0, 1)]),
        ("[]|b", "", "ab", [(1, 2)]),
        (r"[[\]]+", "", "x[]", [(1, 3)]),
        (r"a{,2}", "", "a{,2}", [(0, 5)]),
        (r"\u{1F600}", "u", "\U0001f600", [(0, 1)]),
        (r"\ud83d\ude00", "", "x\U0001f600", [(1, 2)]),
        (r"\x41\u0042\cA\0", "", "AB\x01\x00", [(0, 4)]),
        (r"\p{Lu}\p{Script=Greek}", "u", "Äω", [(0, 2)]),
        (r"\p{Uppercase_Letter}", "u", "aÖ", [(1, 2)]),
        (r"\/\-\_", "", "/-_", [(0, 3)]),
        ("É", "i", "é", [(0, 1)]),
        (r"(?<y>\d{4})-(?<m>\d\d)", "", "in 2024-05", [(3, 10), (3, 7), (8, 10)]),
        (r"(a)|(b)", "", "ä b", [(2, 3), (-1, -1), (2, 3)]),
        (r"(\w)\1", "", "abccd", [(2, 4), (2, 3)]),
        (r"(?<q>['\"]).*?\k<q>", "", "x'a'", [(1, 4), (1, 2)]),
        (r"(?<=€)\d+(?=,)", "", "€12,50", [(1, 3)]),
        (r"^(?!-)[a-z-]{1,1200}(?<!-)$", "", "a-" * 600, None),
        ("^.{0,5000}$", "", "x" * 5000, [(0, 5000)]),
        (r"\101", "", "A", [(0, 1)]),
    ],
)
def test_a_pattern_matches_as_in_javascript(
    source: str, flags: str, text: str, spans: list[tuple[int, int]] | None
) -> None:
    """As Node answers `new RegExp(source, flags)`; positions count characters."""
    pattern = compile_pattern(source, flags)
    assert pattern.search(text) == spans
    assert pattern.matches(text) is (spans is not None)


@pytest.mark.parametrize(
    ("source", "text", "starts"),
    [
        ("x*", "axb", [(0, 0), (1, 2), (2, 2), (3, 3)]),
        ("$", "äb", [(2, 2)]),
        (r"\b", "ä b", [(2, 2), (3, 3)]),
        (r"\B", "ä", [(0, 0), (1, 1)]),
        ("a|$", "aa", [(0, 1), (1, 2), (2, 2)]),
        ("(?=b)", "bb", [(0, 0), (1, 1)]),
    ],
)
def test_every_match_is_found_once(
    source: str, text: str, starts: list[tuple[int, int]]
) -> None:
    """Empty ones too, at characters and never between their bytes."""
    assert [spans[0] for spans in compile_pattern(source, "").spans(text)] == starts


@pytest.mark.parametrize(
    "source",
    [
        *("(", ")", "[a", "a**", "*a", "a++", "(?<n>a)(?<n>b)", "(?i)a", "(?>a)", "\\"),
        *("[b-a]", "a{2,1}", r"\2(a)", r"\p{Nope}", "(?<1>a)", r"\u{110000}", "^*"),
        *("a{100001}", "(" * 4000, "a" * 4001, "(?:a{9999}){9999}(?=b)"),
    ],
)
def test_an_invalid_or_huge_pattern_is_refused(source: str) -> None:
    """JavaScript's rules, and no pattern that is larger than any real one."""
    with pytest.raises(NotAPattern, match="pattern"):
        compile_pattern(source)


def test_an_unknown_flag_is_refused() -> None:
    """The flags of ECMAScript 2024 without `v`."""
    with pytest.raises(NotAPattern, match='unknown flag "x"'):
        compile_pattern("a", "x")


def nested(count: int, mark: str) -> str:
    return "(?:" * count + "a" + mark * count


#: What keeps an engine busy when it compiles, or when it matches.
BOMBS: dict[str, Callable[[], str]] = {
    "nested repeats": lambda: "(x+x+)+y",
    "piled repeats": lambda: "x*" * 100 + "y",
    "piled repeats that look ahead": lambda: "x*" * 100 + "(?=y)",
    "alternatives that overlap": lambda: "(?:a|aa)+(?=b)",
    "repeats of repeats": lambda: nested(140, ")*") + "(?!a)b",
    "counts of counts": lambda: "((((a{30}){30}){30}){30}){30}",
    "counts of counts that look ahead": lambda: "(?=a)((((a{30}){30}){30}){30})",
    "large counts": lambda: "a{1000}" * 570,
    "large counts of wide classes": lambda: r"\S{1,1000}" * 400,
    "properties": lambda: r"\p{L}" * 800,
    "insensitive properties": lambda: r"[^\p{Lu}\p{Greek}]{1,60}" * 100,
    "many alternatives": lambda: "|".join(f"wé{n}" for n in range(600)),
    "optional characters": lambda: "a?" * 1900 + "b",
    "many groups": lambda: "(a)?" * 200 + "b",
    "references back": lambda: r"(a*)" + r"\1" * 800 + "b",
    "looks behind": lambda: "(?<=" * 140 + "a*" + ")" * 140 + "b",
    "empty alternatives": lambda: "|" * 3999,
    "states": lambda: "(?:a|b)*a(?:a|b){600}c",
}


@pytest.mark.parametrize("flags", ["u", "iu"])
@pytest.mark.parametrize("name", BOMBS)
def test_compiling_and_matching_are_limited_in_time(name: str, flags: str) -> None:
    """Each ends within its limit of processor time."""
    texts = [LONG, "ab" * 10_000, "xя1-" * 5_000 + "!"]
    source, pattern = BOMBS[name](), None
    with limit_processor_time(2), contextlib.suppress(NotAPattern):
        pattern = compile_pattern(source, flags)
    if pattern is None:
        return
    for text in texts:
        for ask in (pattern.matches, pattern.search, pattern.spans):
            with limit_processor_time(2), contextlib.suppress(BudgetExceeded):
                ask(text, seconds=0.05)


def test_compiled_patterns_use_little_memory() -> None:
    """Thousands of foreign patterns leave the process about as large as before."""

    def use(number: int) -> None:
        pattern = compile_pattern(rf"(?:[^\n]*a){{200}}c{number}")
        pattern.matches("ab" * 400)

    for number in range(100):
        use(number)
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(100, 500):
        use(number)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 40 * 1024


@given(st.text(st.sampled_from("ab(|)*+?{}[]^$.\\-,12dwsSbBpuk<>=!:ä"), max_size=30))
@settings(max_examples=1500, deadline=None)
def test_any_text_is_a_pattern_or_an_error(source: str) -> None:
    """No other exception leaves the reader, nor the engines."""
    try:
        pattern = compile_pattern(source)
    except NotAPattern:
        return
    spans = pattern.spans("ab1 ä-\n" * 3)
    assert bool(spans) is pattern.matches("ab1 ä-\n" * 3)


@given(st.text(), st.text(max_size=5))
@settings(max_examples=200, deadline=None)
def test_match_positions_count_characters(before: str, word: str) -> None:
    """Whatever comes before; half surrogate pairs are characters too."""
    text = f"{before}<{word}>"
    spans = compile_pattern("(<)([^<>]*)(>)$", "").search(text)
    if "<" not in word and ">" not in word:
        start = len(before)
        assert spans is not None
        assert spans[0] == (start, len(text))
        assert spans[2] == (start + 1, len(text) - 1)
