"""Markdown of other people is shown, and holds nobody up."""

import asyncio
import threading
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.portal.definitions import definition_of
from services.portal.prose import (
    MOST_CHARACTERS,
    MOST_HTML,
    ProseBudget,
    line_prose,
    plain_text,
    prose,
    render_texts,
    short_prose,
)
from tests.costs import limit_processor_time

DOCS = Path(__file__).resolve().parents[2] / "docs"
#: Ten times what such a text may take: the machine may be slow.
MOST_SECONDS = 0.6


@pytest.mark.parametrize(
    "sign", ["[", "![", "*a ", "`a", "_a__b_", "[a](b", "- a\n", "1. a\n   "]
)
def test_markdown_is_rendered_within_a_time_limit(sign: str) -> None:
    """A text of markup alone is rendered in time, or shown as it is written."""
    with limit_processor_time(MOST_SECONDS):
        html = prose((sign * 50_000)[:50_000])
    assert html.startswith("<pre>")


@pytest.mark.parametrize("sign", ["<http://a>", "[a](b) ", "~~a~~ ", "- - a\n"])
def test_markdown_with_much_output_is_limited_in_time(sign: str) -> None:
    """Rendered or shown as written: links are the most expensive."""
    with limit_processor_time(MOST_SECONDS):
        prose((sign * 50_000)[:50_000])


def test_texts_of_a_page_share_a_budget() -> None:
    """Beyond it, the markup is shown as it is written."""
    budget = ProseBudget(100_000)
    texts = [budget.render("*a*\n" * 1_000) for _ in range(4)]
    assert [html[:5] == "<pre>" for html in texts] == [False, False, True, True]
    assert budget.render("*a*") == "<p><em>a</em></p>\n"


def test_columns_keep_their_side() -> None:
    """As an attribute: pages refuse styles that stand in elements."""
    html = prose("| a | b |\n|---|--:|\n| 1 | 2 |")
    assert '<th align="right">b</th>' in html
    assert '<td align="right">2</td>' in html
    assert "style=" not in html


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("Sells **mugs** and _posters_", "Sells mugs and posters"),
        ("***All*** `code`, [docs](https://a.example/x)", "All code, docs"),
        (
            "snake_case, 2 * 3 * 4, *.md and *.txt",
            "snake_case, 2 * 3 * 4, *.md and *.txt",
        ),
        ("a__b__c and [x]", "a__b__c and [x]"),
    ],
)
def test_lists_show_texts_without_their_signs(written: str, plain: str) -> None:
    """What is no Markdown stays as it is."""
    assert plain_text(written) == plain


@pytest.mark.parametrize("sign", ["[", "*a", "_a ", "`a", "[a](b", "** a", "*_`"])
def test_signs_are_removed_within_a_time_limit(sign: str) -> None:
    """A list has many descriptions: each costs little, however it is written."""
    with limit_processor_time(MOST_SECONDS):
        for _ in range(60):
            plain_text(sign * 5_000)


def test_a_line_of_markdown_is_rendered_within_its_limit() -> None:
    """Harmless, and as written where it would take long."""
    html = line_prose("Sells **mugs** <b> [x](javascript:y) [z](https://z.example)")
    assert "<strong>mugs</strong> &lt;b&gt;" in html
    assert 'href="https://z.example"' in html
    assert 'href="javascript' not in html
    assert line_prose("[" * 2_000) == "[" * 2_000


def test_a_long_manual_is_rendered() -> None:
    """A real text of that length is within the limits."""
    text = (DOCS / "operations.md").read_text()[:50_000]
    assert "<h2>" in prose(text)
    assert "<pre>" not in prose(text)[:20]


def test_unrendered_markdown_is_escaped() -> None:
    """A text that is not rendered is no HTML either."""
    assert "<script>" not in prose("[<script>" * 10_000)


def table(columns: int, rows: int) -> str:
    """A table whose rows have one cell that is written out."""
    return "|" + "a|" * columns + "\n|" + "-|" * columns + "\n" + "x\n" * rows


#: Little text that asks for much: cells that are not written out, long addresses that
#: are used again and again, line ends of other kinds.
BOMBS = {
    "wide table": table(12_000, 890),
    "less wide table": table(900, 1_200),
    "quoted table": "> " + table(600, 1_000).replace("\n", "\n> "),
    "listed table": "- " + table(600, 1_000).replace("\n", "\n  "),
    "many tables": (table(40, 20) + "\n") * 200,
    "aligned table": "a|" * 900 + "\n" + ":-:|" * 900 + "\n" + "x\n" * 1_500,
    "long address": "[a]: /" + "b" * 38_000 + "\n\n" + "[a]" * 2_900,
    "long title": "[a]: /b '" + "c" * 38_000 + "'\n\n" + "[a]" * 2_900,
    "letters of many bytes": "[a]: /" + "\u4e2d" * 10_000 + "\n\n" + "[a]" * 2_000,
    "other line ends": "a\r" * 25_000,
    "both line ends": "a\r\n" * 16_000,
    "empty other lines": "a\r\r" * 16_000,
    "colons": ":" * MOST_CHARACTERS,
    "quotes": '"' * MOST_CHARACTERS,
    "bars": "|" * MOST_CHARACTERS,
    "rules": "|-\n" * 16_000,
    "tables of one line": "a|b\n-|-\n" * 6_000,
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_short_texts_cannot_make_large_pages(text: str) -> None:
    """Neither time nor HTML exceeds that of an ordinary text."""
    with limit_processor_time(MOST_SECONDS):
        html = prose(text)
    # Each sign may be written as an entity of six.
    assert len(html) <= 6 * MOST_HTML


@given(
    st.lists(
        st.sampled_from(["|", "-", ":", "a", " ", "\n", "[a]", "> "]), max_size=80
    ),
    st.integers(1, 400),
)
@example(["|", "a", "|", "b", "\n", "|", "-", "|", "-", "\n", "x", "\n"], 400)
@example(["> ", "> ", "\n", "|", "-", "\n"], 400)
@example(["> "] * 8 + ["\n", "a", "\n"], 400)
@settings(max_examples=60, deadline=None)
def test_any_mixture_of_markdown_is_rendered_in_time(
    signs: list[str], times: int
) -> None:
    """Whatever is combined, and however often."""
    with limit_processor_time(MOST_SECONDS):
        html = prose("".join(signs) * times)
    assert len(html) <= 6 * MOST_HTML


def test_texts_of_a_page_share_a_character_limit() -> None:
    """Text beyond it is left out, and the page says so."""
    budget = ProseBudget(60_000)
    texts = [budget.render(f"{number} " + "a" * 45_000) for number in range(12)]
    assert sum(map(len, texts)) < 1.1 * MOST_HTML
    assert "left out" not in texts[0]
    assert all("left out" in html for html in texts[-4:])


def test_a_cut_text_says_that_its_end_is_missing() -> None:
    """Nobody takes the beginning for the whole."""
    assert "left out" in prose("a" * (MOST_CHARACTERS + 1))
    assert "left out" in prose("*a " * MOST_CHARACTERS)
    assert "left out" not in prose("a" * MOST_CHARACTERS)


def test_usual_tables_and_references_are_rendered() -> None:
    """Some hundred rows, and some dozen uses of an address."""
    rows = "|a|b|c|d|\n|-|-|-|-|\n" + "|one|two|three|four|\n" * 300
    assert prose(rows).count("<td>") == 1_200
    links = "[a]: https://example.org/a/long/one 'Title'\n\n" + "see [a], " * 50
    assert prose(links).count("<a ") == 50
    assert prose("# A\r\rb\rc\r\n") == prose("# A\n\nb\nc\n")


async def test_expensive_texts_are_rendered_outside_the_event_loop(monkeypatch) -> None:
    """Cheap ones are not: a thread would take longer than they do."""
    threads = []

    def budget(microseconds: int) -> ProseBudget:
        threads.append(threading.current_thread() is threading.main_thread())
        return ProseBudget(microseconds)

    monkeypatch.setattr("services.portal.prose.ProseBudget", budget)
    dear = "*a*\n" * 1_000
    html = prose(dear)
    threads.clear()
    assert await render_texts(["*a*"]) == ["<p><em>a</em></p>\n"]
    assert await asyncio.wait_for(render_texts([dear]), 20) == [html]
    assert threads == [True, False]
    assert short_prose(dear).startswith("<pre>")


def test_all_descriptions_of_a_definition_share_a_budget() -> None:
    """Each of them is short, and has megabytes of addresses."""
    about = "[a]: /" + "b" * 4_000 + "\\n\\n" + "[a]" * 1_000
    calls = ",".join(
        f'"/p{number}": {{"get": {{"summary": "x", "description": "{about}"}}}}'
        for number in range(60)
    )
    info = f'{{"title": "x", "version": "1", "description": "{about}"}}'
    text = f'{{"openapi": "3.0.0", "info": {info}, "paths": {{{calls}}}}}'
    definition = definition_of("openapi", text)
    htmls = [entry.html for group in definition.groups for entry in group.entries]
    assert len(htmls) == 60
    assert definition.html
    assert sum(map(len, htmls)) + len(definition.html) < 4_000_000
