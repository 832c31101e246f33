"""What people type, and what clients send."""

import pytest

from services.search.query import Word, cursor_of, parse_question, parse_term, steps
from shared.contracts.errors import Invalid


def words(text: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(word.kind, word.tokens) for word in parse_term(text).words]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Shop", [("word", ("shop",))]),
        ("shop-cart", [("word", ("shop",)), ("word", ("cart",))]),
        ("Größe", [("word", ("grosse",))]),
        ("Ｆｕｌｌ－ｗｉｄｔｈ", [("word", ("full",)), ("word", ("width",))]),
        ("API認証", [("word", ("api",)), ("run", ("認証",))]),
        ("*認証*", [("run", ("認証",))]),
        ("“認証 サービス”", [("phrase", ("認証", "サービス"))]),
        ("Łuk*", [("prefix", ("luk",))]),
        ("*ße", [("pattern", ("*sse",))]),
        ("Überweisung", [("word", ("uberweisung",))]),
        ("mono*", [("prefix", ("mono",))]),
        ("*lith", [("pattern", ("*lith",))]),
        ("m*l*", [("pattern", ("m*l*",))]),
        ('"legacy monolith"', [("phrase", ("legacy", "monolith"))]),
        ('"one"', [("word", ("one",))]),
        ('shop:+-~^"', [("word", ("shop",))]),
        ("the shop", [("word", ("shop",))]),
        ("the", [("word", ("the",))]),
        ("shop shop", [("word", ("shop",))]),
        ("C++", [("word", ("c++",))]),
        ("C#7, f#", [("word", ("c#",)), ("word", ("7",)), ("word", ("f#",))]),
        ("Größe c＋＋", [("word", ("grosse",)), ("word", ("c++",))]),
        ('"c++ library"', [("phrase", ("c++", "library"))]),
        ("a#b abc++ c+++ c+", [*(("word", (word,)) for word in ("b", "abc", "c"))]),
        ("foo_bar", [("word", ("foo",)), ("word", ("bar",))]),
        (r".*(a+)+$ {x}", [("word", ("x",))]),
    ],
)
def test_a_term_is_split_into_words(
    text: str, expected: list[tuple[str, tuple[str, ...]]]
) -> None:
    """Typed text becomes words; characters without a meaning only separate them."""
    parsed = words(text)
    if text.startswith(".*"):
        # Regular expressions are no language of this box.
        assert all("(" not in token for _, tokens in parsed for token in tokens)
    else:
        assert parsed == expected


def test_ligatures_count_as_their_letters_in_a_terms_length() -> None:
    """One sign may stand for eighteen letters, each of which is searched."""
    with pytest.raises(Invalid, match="ligatures"):
        parse_term("\ufdfa" * 20)


@pytest.mark.parametrize("text", ["", "  ", "*", "**"])
def test_an_empty_term_or_a_star_matches_everything(text: str) -> None:
    """An empty term, or a star alone, asks for everything."""
    assert parse_term(text).empty


def test_punctuation_alone_matches_nothing() -> None:
    """A term of punctuation is a query without results, not an empty term."""
    term = parse_term("+-~")
    assert not term.empty
    assert term.words == ()


def test_a_term_over_the_length_limit_is_refused() -> None:
    """A term over the limit is refused with the limit."""
    with pytest.raises(Invalid, match="100"):
        parse_term("a" * 101)


@pytest.mark.parametrize(
    ("term", "rule"),
    [
        ("a*b c*d e*f", "2 words"),
        ("*a*b*c*d*e*f*g*h*i*", "8 times"),
        (" ".join(f"x{n}" for n in range(25)), "24 words"),
        ('"' + "x " * 25 + '"', "24 words"),
    ],
)
def test_an_expensive_term_is_refused(term: str, rule: str) -> None:
    """Every word is looked up, and a star looks through all words."""
    with pytest.raises(Invalid, match=rule):
        parse_term(term)


def test_lists_are_read_in_every_spelling() -> None:
    """Types and filters are read in each spelling that clients use."""
    question = parse_question(
        [
            ("types[0]", "software-catalog"),
            ("types[]", "techdocs"),
            ("types", "techdocs"),
            ("filters[kind]", "Component"),
            ("filters[lifecycle][]", "production"),
            ("filters[lifecycle][1]", "experimental"),
            ("unknown", "ignored"),
        ]
    )
    assert question.types == ("software-catalog", "techdocs")
    assert dict(question.filters) == {
        "kind": ("Component",),
        "lifecycle": ("production", "experimental"),
    }


@pytest.mark.parametrize("text", ["", "-1", "ten", "1.5", "101", "²", "9" * 5000])
def test_invalid_page_limits_are_refused(text: str) -> None:
    """A page size that is no number up to 100 is refused by name."""
    with pytest.raises(Invalid, match="pageLimit"):
        parse_question([("pageLimit", text)])


@pytest.mark.parametrize(
    "cursor", ["zzz", "LTE=", "MS41", "////", "OTk5OTk5OTk5OQ==", "OTk5" * 1500]
)
def test_invalid_cursors_are_refused(cursor: str) -> None:
    """A cursor that this server did not issue is refused."""
    with pytest.raises(Invalid, match="pageCursor"):
        parse_question([("pageCursor", cursor)])


def test_a_cursor_leads_back_to_its_page() -> None:
    """A given cursor leads back to its page."""
    assert parse_question([("pageCursor", cursor_of(3))]).page == 3


def test_only_long_words_are_searched_with_typos() -> None:
    """Short words and numbers are taken as typed."""
    assert steps(parse_term("db 42")) == ("exact",)
    assert steps(parse_term("shoop")) == ("exact", "forgiving")
    assert "most" in steps(parse_term("install payment gateway"))


def test_word_is_hashable() -> None:
    """Terms are keys of caches."""
    assert {Word("word", ("a",)), Word("word", ("a",))} == {Word("word", ("a",))}
