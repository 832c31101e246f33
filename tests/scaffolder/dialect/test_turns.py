"""A rendering lets other threads have their turn: no single call keeps them waiting.

Renderings run beside the event loop, in a thread: while one call works on one text, the
loop answers nothing. The longest stretch between two lines of Python is measured.
"""

import contextlib
import gc
import sys
import time
from types import FrameType
from typing import Any, Self

import pytest

from services.scaffolder.dialect.failure import TemplateLimitError, TemplateRenderError
from services.scaffolder.dialect.limits import OPERAND, SOURCE
from services.scaffolder.dialect.values import UNDEFINED
from tests.costs import slowness
from tests.scaffolder.dialect.test_costs import DIALECT, FILTERS, METHODS

#: Some ten times what the slowest call takes.
SECONDS = 0.25
TEXTS = {
    "word": "a" * OPERAND,
    "wide": ("ǅİß" * OPERAND)[:OPERAND],
    "mails": ("a@b.c." * OPERAND)[:OPERAND],
}
LONG = "x" * (OPERAND + 1)
_REST = SOURCE - 40
SOURCES = {
    "text": "${{ 1 }}" + "a" * _REST,
    "signs": "${{ 1 }}" + "{$" * (_REST // 2),
    "an open pattern": "${{ r/" + "a" * _REST,
    "an open pattern of escapes": "${{ r/" + r"\a" * (_REST // 2),
    "an open region": "{% raw %}{%" + " " * _REST,
    "a long number": "${{ " + "9" * _REST + ". }}",
}


class LongestStretch:
    """Measures the processor time between one line of Python and the next."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._started_at = 0.0

    def __enter__(self) -> Self:
        gc.disable()
        self._started_at = time.thread_time()
        self._before = sys.gettrace()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)
        gc.enable()

    def _trace(self, _frame: FrameType, _event: str, _arg: Any) -> Any:
        self.seconds = max(self.seconds, time.thread_time() - self._started_at)
        self._started_at = time.thread_time()
        return self._trace


def longest(source: str) -> float:
    with LongestStretch() as stretch, contextlib.suppress(TemplateRenderError):
        DIALECT.value(source, {**TEXTS, "n": [1], "s": "x"})
    is_short = stretch.seconds < SECONDS
    return stretch.seconds if is_short else stretch.seconds / slowness()


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_a_filter_does_not_block_the_process_for_long(name: str) -> None:
    """On the longest text that it accepts, whatever is in it."""
    arguments = next((a for a in FILTERS[name] if "deep" not in a), "")
    for text in TEXTS:
        assert longest(f"${{{{ {text} | {name}{arguments} }}}}") < SECONDS, text


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_method_does_not_block_the_process_for_long(name: str) -> None:
    """On the longest text that it accepts."""
    for text in TEXTS:
        assert longest(f"${{{{ {text}.{name}{METHODS[name][0]} }}}}") < SECONDS, text


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_parsing_a_template_does_not_block_for_long(source: str) -> None:
    """A template of the longest kind."""
    assert longest(source) < SECONDS


@pytest.mark.parametrize(
    ("name", "expression"),
    [
        ("urlize", "t | urlize"),
        ("striptags", "t | striptags"),
        ("sort", "[t, t] | sort"),
        ("split", "t.split('a')"),
        ("lower", "t is lower"),
        ("a number", "t * 1"),
    ],
)
def test_a_text_that_is_too_long_is_refused(name: str, expression: str) -> None:
    """The error names the operation and its limit."""
    limit = f"{name} takes a text of up to {OPERAND} characters"
    with pytest.raises(TemplateLimitError, match=limit):
        DIALECT.value(f"${{{{ {expression} }}}}", {"t": LONG})


def test_operations_that_do_not_read_a_text_take_any_length() -> None:
    """Passing on, length and a default."""
    values = {"t": LONG}
    assert DIALECT.value("${{ t | length }}", values) == len(LONG)
    assert DIALECT.value("${{ t | default('') }}", values) == LONG
    assert DIALECT.value("${{ t ~ '!' }}", values) == f"{LONG}!"
    assert DIALECT.value("${{ t | first }}", values) == "x"
    assert DIALECT.value("${{ [t] | dump }}", values) == f'["{LONG}"]'
    assert DIALECT.value("${{ t.nothing }}", values) is UNDEFINED


def test_the_json_of_a_block_is_limited() -> None:
    """A list written by a block is a value; a too long one is refused."""
    assert DIALECT.value("{% if 1 %}[1,2]{% endif %}", {}) == [1, 2]
    with pytest.raises(TemplateLimitError, match="JSON takes a text of up to"):
        DIALECT.value("{% if 1 %}[" + "1," * (OPERAND // 2) + "1]{% endif %}", {})


def test_a_too_long_address_is_not_linked() -> None:
    """Longer than any browser accepts, it stays as it is."""
    address = "https://a.example/" + "x" * 5_000
    assert DIALECT.text("${{ t | urlize }}", {"t": address}).startswith("<a href=")
    assert DIALECT.text("${{ t | urlize }}", {"t": address * 3}) == address * 3
