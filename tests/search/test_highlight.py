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
        ("c++", "C++ or C, c++17", "<m>C++</m> or C, <m>c++17</m>"),
        ("c", "C++ or C", "<m>C</m>++ or <m>C</m>"),
        ("x*y", "xx-xy_y", "xx-<m>xy</m>_y"),
        ("*x", "x_ax", "<m>x</m>_<m>ax</m>"),
        ("*pi", "API認証 api", "<m>API</m>認証 <m>api</m>"),
        ("認証 api", "api認証API", "<m>api</m><m>認証</m><m>API</m>"),
        ("თუ", "ქართული თულის", "ქართული <m>თულის</m>"),
        ("office", "the ofﬁce", "the <m>ofﬁce</m>"),
        ("x*x", "x", None),
    ],
)
def test_highlighted_text_is_as_it_is_written(
    term: str, text: str, expected: str | None
) -> None:
    """A star matches letters of one word; highlighting does not change the text."""
    assert shown(term, text) == expected


def test_parts_of_words_are_highlighted_in_names_only() -> None:
    """In running text such highlights would be noise."""
    document = {"title": "petstore", "text": "restored"}
    marks = highlights(document, matcher_of(parse_term("store")), TAGS)
    assert marks == {"title": "pet<m>store</m>"}


@pytest.mark.parametrize("step", ["exact", "forgiving"])
def test_highlighting_compiles_no_regular_expression(step: Step, monkeypatch) -> None:
    """Compiling one for each new term takes longer than finding the term."""
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
def test_prefixes_are_highlighted_like_their_expression(
    tokens: list[str], text: str
) -> None:
    """A word from its beginning to its end; a single letter only as a whole word."""
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


def test_a_similar_run_is_highlighted_where_it_agrees() -> None:
    """Stretches of the typed characters, not each pair of letters by itself."""
    document = {"title": "顧客の契約情報を登録"}
    (result,) = marked([document], parse_term("顧客情報の登録"), (), "forgiving", TAGS)
    assert result["title"] == "<m>顧客</m>の契約<m>情報</m>を<m>登録</m>"


@given(
    pattern=st.text("ab*", min_size=1, max_size=8),
    word=st.text("abc", min_size=1, max_size=10),
)
def test_a_wildcard_matches_like_its_regular_expression(
    pattern: str, word: str
) -> None:
    """Matching part by part gives the same result as the regular expression."""
    expression = "[a-z]*".join(re.escape(part) for part in pattern.split("*"))
    expected = re.fullmatch(expression, word) is not None
    assert Wildcard(tuple(pattern.split("*"))).matches(word) == expected


@given(text=st.text(max_size=200), word=st.text("abcäöüßΩ漢", min_size=2, max_size=3))
def test_highlighting_keeps_the_text(text: str, word: str) -> None:
    """Without its tags a field is the text, whatever its letters fold to."""
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
def test_highlighting_wildcards_takes_linear_time(term: str, text: str) -> None:
    """A quadratic search would take seconds for one long word."""
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
def test_highlighting_many_words_takes_linear_time(term: str, text: str) -> None:
    """For frequent words, and for words that are parts of other words."""
    start = time.process_time()
    marked([{"text": text}] * 25, parse_term(term), (), "exact", TAGS)
    assert time.process_time() - start < SECONDS * slowness()


def test_highlighting_similar_words_has_a_budget(monkeypatch) -> None:
    """On a page of similar words only some are compared with the typed one."""
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


def test_highlighting_a_page_has_a_budget() -> None:
    """After the budget is spent nothing is highlighted, and no text is lost."""
    text = "cart " * 10_000
    documents = [{"title": "cart", "text": text} for _ in range(40)]
    results = marked(documents, parse_term("cart"), (), "exact", TAGS)
    assert results[0]["text"].count("<m>") == 10_000
    assert sum(len(result) for result in results) < 40
    assert 40 * len(text) > PAGE_CHARACTERS
    assert folded(results[0]["text"].replace("<m>", "").replace("</m>", "")) == text
