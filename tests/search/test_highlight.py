"""What is marked in a result, and what that costs whoever chose text and term."""

import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.search import matching
from services.search.highlight import PAGE_CHARACTERS, Tags, highlights, marked
from services.search.matching import Wildcard, matcher_of
from services.search.query import Step, parse_term
from shared.text.folding import folded
from tests.costs import slowness

TAGS = Tags("<m>", "</m>")
#: A regular expression in place of these takes hours; a slow machine takes a second.
SECONDS = 5.0
LETTERS = "abcdefghijklmnopqrstuvwxyz " * 600


def shown(term: str, text: str) -> str | None:
    """The title with its marks."""
    return highlights({"title": text}, matcher_of(parse_term(term)), TAGS).get("title")


@pytest.mark.parametrize(
    ("term", "text", "expected"),
    [
        ("*lith", "a monolith, no lithium", "a <m>monolith</m>, no lithium"),
        ("m*l*h shop", "Monolith shops", "<m>Monolith</m> <m>shops</m>"),
        ("ü*en", "Überweisungen Über", "<m>Überweisungen</m> Über"),
        ("*ß*", "Straße, strasse", "<m>Straße</m>, <m>strasse</m>"),
        ("stras", "Die Straße", "Die <m>Straße</m>"),
        ("aero", "Ærø, ÆRØ!", "<m>Ærø</m>, <m>ÆRØ</m>!"),
        ("oys", "Øystein", "<m>Øystein</m>"),
        ("store", "The petstore", "The pet<m>store</m>"),
        ("strasse", "Hauptstraßenfest", "Haupt<m>straße</m>nfest"),
        ("gros", "Maßgroß", "Maß<m>groß</m>"),
        (
            "1.2.3",
            "v1.2.30 v1.2.3",
            "v<m>1</m>.<m>2</m>.30 v<m>1</m>.<m>2</m>.<m>3</m>",
        ),
        ("認証", "API認証サービス", "API<m>認証</m>サービス"),
        ("api", "API認証サービス", "<m>API</m>認証サービス"),
        ("ガイド", "ｶﾞｲﾄﾞの本", "<m>ｶﾞｲﾄﾞ</m>の本"),
        ("が", "か\u3099く", "<m>か\u3099</m>く"),
        ("서비스를", "인증서비스", "인증<m>서비스</m>"),
        ("हिन्दी", "हिन्दी में", "<m>हिन्दी</m> में"),
        ("x*y", "xx-xy_y", "xx-<m>xy</m>_y"),
        ("*x", "x_ax", "<m>x</m>_<m>ax</m>"),
        ("*pi", "API認証 api", "<m>API</m>認証 <m>api</m>"),
        ("認証 api", "api認証API", "<m>api</m><m>認証</m><m>API</m>"),
        ("თუ", "ქართული თულის", "ქართული <m>თულის</m>"),
        ("office", "the ofﬁce", "the <m>ofﬁce</m>"),
        ("x*x", "x", None),
    ],
)
def test_marks(term: str, text: str, expected: str | None) -> None:
    """Stars are any letters of one word; what is marked is as it is written."""
    assert shown(term, text) == expected


def test_a_piece_of_a_word_is_marked_in_names_alone() -> None:
    """In running text it would be noise."""
    document = {"title": "petstore", "text": "restored"}
    marks = highlights(document, matcher_of(parse_term("store")), TAGS)
    assert marks == {"title": "pet<m>store</m>"}


@pytest.mark.parametrize("step", ["exact", "forgiving"])
def test_no_expression_is_made_of_a_term(step: Step, monkeypatch) -> None:
    """Each new term would have one made, which takes longer than to find the term."""
    monkeypatch.setattr(re, "compile", None)
    monkeypatch.setattr(re, "_compile", None)
    document = {"title": "c00123 認証 v2", "text": "हिन्दी store"}
    term = parse_term("c00123 認証 v2 हिन्दी stores st*e")
    (fields,) = marked([document], term, (("stores", "store"),), step, TAGS)
    assert sum(text.count("<m>") for text in fields.values()) == 5


@given(
    tokens=st.lists(st.text("ab1", min_size=1, max_size=3), min_size=1, max_size=3),
    text=st.text("ab1 _é", max_size=30),
)
def test_beginnings_are_marked_as_their_expression_says(
    tokens: list[str], text: str
) -> None:
    """A word from its beginning to its end; a single letter only as the whole word."""
    term = parse_term(" ".join(tokens))
    longest_first = sorted((word.tokens[0] for word in term.words), key=len)[::-1]
    expression = "|".join(map(_expression, longest_first))
    plain = folded(text)
    expected = [match.span() for match in re.finditer(expression, plain)]
    assert list(matcher_of(term).spans(plain)) == expected


def _expression(token: str) -> str:
    same = r"\d" if token[0].isdigit() else r"[^\W\d_]"
    rest = f"(?!{same})" if len(token) == 1 else r"[^\W_]*"
    return f"(?<!{same}){re.escape(token)}{rest}"


def test_a_run_that_is_nearly_meant_is_marked_where_it_agrees() -> None:
    """Stretches of the typed run, not each pair of letters by itself."""
    document = {"title": "顧客の契約情報を登録"}
    (result,) = marked([document], parse_term("顧客情報の登録"), (), "forgiving", TAGS)
    assert result["title"] == "<m>顧客</m>の契約<m>情報</m>を<m>登録</m>"


@given(
    pattern=st.text("ab*", min_size=1, max_size=8),
    word=st.text("abc", min_size=1, max_size=10),
)
def test_a_wildcard_matches_what_its_expression_matches(
    pattern: str, word: str
) -> None:
    """Piece by piece is the same as every way at once."""
    expression = "[a-z]*".join(re.escape(part) for part in pattern.split("*"))
    expected = re.fullmatch(expression, word) is not None
    assert Wildcard(tuple(pattern.split("*"))).matches(word) == expected


@given(text=st.text(max_size=200), word=st.text("abcäöüßΩ漢", min_size=2, max_size=3))
def test_marks_take_nothing_away(text: str, word: str) -> None:
    """Without its marks the field is the text, whatever its letters fold to."""
    text_with_marks = shown(f"{word} *{word[0]}*", f"{text} {word} {text}")
    assert text_with_marks is not None
    assert (
        text_with_marks.replace("<m>", "").replace("</m>", "")
        == f"{text} {word} {text}"
    )


@pytest.mark.parametrize(
    ("term", "text"),
    [
        ("a*a*a*a*a*a*a*a*b", "a" * 50_000),
        ("*a*b*a*b*a*b*a*c", "ab" * 25_000),
        ("a*a*b c*c*d", "aaaa cccc eeee gggg " * 2_500),
        ("*é*é*é*x", "é" * 50_000),
    ],
)
def test_stars_cost_no_more_than_the_text_is_long(term: str, text: str) -> None:
    """One entity with a long word is enough for a bomb."""
    start = time.process_time()
    shown(term, text)
    assert time.process_time() - start < SECONDS * slowness()


@pytest.mark.parametrize(
    ("term", "text"),
    [
        (" ".join("abcdefghijklmnopqrstuvwxyz"[n : n + 2] for n in range(20)), LETTERS),
        ("a b c d e f g h i j k l", "a b c d e f g h i j k l " * 700),
        ("aa ab1 1ab", "aab1" * 4_000),
    ],
)
def test_marks_cost_no_more_than_the_page_is_long(term: str, text: str) -> None:
    """Words that are everywhere, and such that are only inside of others."""
    start = time.process_time()
    marked([{"text": text}] * 25, parse_term(term), (), "exact", TAGS)
    assert time.process_time() - start < SECONDS * slowness()


def test_words_that_are_nearly_meant_have_a_budget(monkeypatch) -> None:
    """A page of words that are all nearly the typed ones: not all are compared."""
    compared: list[tuple[str, str]] = []

    def near(token: str, written: str) -> bool:
        compared.append((token, written))
        return True

    monkeypatch.setattr(matching, "_is_near", near)
    monkeypatch.setattr(matching, "COMPARISON_LIMIT", 50)
    words = [f"payments{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(600)]
    document: dict[str, Any] = {"title": " ".join(words)}
    term = parse_term("paymentsab paymentscd")
    (result,) = marked([document], term, (), "forgiving", TAGS)
    assert len(compared) == 50
    assert result["title"].count("<m>") >= 25


def test_a_page_has_a_budget() -> None:
    """Behind it nothing is marked, and nothing is lost."""
    text = "cart " * 10_000
    documents = [{"title": "cart", "text": text} for _ in range(40)]
    results = marked(documents, parse_term("cart"), (), "exact", TAGS)
    assert results[0]["text"].count("<m>") == 10_000
    assert sum(len(result) for result in results) < 40
    assert 40 * len(text) > PAGE_CHARACTERS
    assert folded(results[0]["text"].replace("<m>", "").replace("</m>", "")) == text
