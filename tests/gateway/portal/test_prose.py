"""Markdown of other people is shown, and holds nobody up."""

import time
from pathlib import Path

import pytest

from services.gateway.portal.prose import ProseBudget, prose

DOCS = Path(__file__).resolve().parents[3] / "docs"
#: Ten times what such a text may take: the machine may be slow.
MOST_SECONDS = 0.6


@pytest.mark.parametrize(
    "sign", ["[", "![", "*a ", "`a", "_a__b_", "[a](b", "- a\n", "1. a\n   "]
)
def test_no_text_takes_long(sign: str) -> None:
    """A text of nothing but marks is shown as it is written, or rendered in time."""
    started = time.thread_time()
    html = prose((sign * 50_000)[:50_000])
    assert time.thread_time() - started < MOST_SECONDS
    assert html.startswith("<pre>")


@pytest.mark.parametrize("sign", ["<http://a>", "[a](b) ", "~~a~~ ", "- - a\n"])
def test_marks_that_make_much_take_no_longer(sign: str) -> None:
    """Rendered or shown as written: links are the dearest."""
    started = time.thread_time()
    prose((sign * 50_000)[:50_000])
    assert time.thread_time() - started < MOST_SECONDS


def test_texts_of_a_page_share_a_budget() -> None:
    """When it is spent, the rest of the marks are shown as they are written."""
    budget = ProseBudget(100_000)
    found = [budget.render("*a*\n" * 1_000) for _ in range(4)]
    assert [html[:5] == "<pre>" for html in found] == [False, False, True, True]
    assert budget.render("*a*") == "<p><em>a</em></p>\n"


def test_a_long_manual_is_rendered() -> None:
    """A real text of that length is not taken for such a one."""
    text = (DOCS / "operations.md").read_text()[:50_000]
    assert "<h2>" in prose(text)
    assert "<pre>" not in prose(text)[:20]


def test_marks_shown_as_written_are_escaped() -> None:
    """A text that is not rendered is no HTML either."""
    assert "<script>" not in prose("[<script>" * 10_000)
