"""Markdown that other people wrote, as HTML that can do no harm.

HTML inside it is shown as text, pictures are left out (pages load nothing from
elsewhere), and only links that a browser may follow are links.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

from shared.guards.workers import run_beside

#: Runs `_rendered` with the texts, outside of the event loop.
Rendering = Callable[[Sequence[object]], list[Markup]]
RunRendering = Callable[[Rendering, Sequence[object]], Awaitable[list[Markup]]]

MOST_CHARACTERS = 50_000
#: The longest that rendering one sign may take, in microseconds.
COSTS = {"\n": 33, "[": 19, "*": 6, "_": 6, "`": 5, "\\": 5, "<": 35, "&": 6}
#: Signs at which the reader looks whether something begins.
COSTS |= dict.fromkeys("!#$%+-:=>@]^{}~|", 2)
#: A cell of a table; rows are filled up to the columns of the table's head.
CELL_MICROSECONDS = 16
#: A quote inside a quote, for each line that follows it without an empty line between.
NESTED_QUOTE_MICROSECONDS = 3
MOST_MICROSECONDS = 60_000
#: A text that may take longer is rendered beside the event loop.
LOOP_MICROSECONDS = 10_000
#: Of the HTML of a page's texts: a reference may stand for thousands of long addresses.
MOST_HTML = 300_000
#: The characters of an element's tags.
ELEMENT_CHARACTERS = 20
LEFT_OUT = Markup('<p class="faint">The rest of this text is left out.</p>')

# Stateless once it is made: rendering shares nothing between texts.
READER = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


def _aligned_cell(renderer: Any, tokens: Any, place: int, *options: Any) -> str:
    """A cell whose side is an attribute: pages' policy refuses styles in elements."""
    cell = tokens[place]
    if style := cell.attrs.pop("style", ""):
        cell.attrs["align"] = style.partition(":")[2]
    return str(renderer.renderToken(tokens, place, *options))


READER.add_render_rule("th_open", _aligned_cell)
READER.add_render_rule("td_open", _aligned_cell)
#: Of a text that a list shows, and of its beginning in which signs are looked for: a
#: page has hundreds of such texts.
MOST_PLAIN, MOST_SIGNS = 1_000, 300
_SIGNS = frozenset("*_`[")
_LINK = re.compile(r"!?\[([^\[\]]{1,300})\]\([^()\s]{1,300}\)")
_EMPHASIS = re.compile(
    r"(?<![\w*`])(\*{2,3}|__|[*_`])(?=[^\s*_])([^\n]{0,299}?[^\s*_`\\])\1(?![\w*`])"
)
_LINE_END = re.compile(r"\r\n?")
_RULE_SIGNS = "-:| \t>*+0123456789.)"
_QUOTE_SIGNS = "> \t-*+0123456789.)"


async def render_texts(
    texts: Sequence[object], run: RunRendering = run_beside
) -> list[Markup]:
    """The texts of a page as safe HTML; `run` runs what may take long."""
    cost = 0
    for text in texts:
        cost += _cost_of(_written(text)) if cost <= LOOP_MICROSECONDS else 0
    if cost <= LOOP_MICROSECONDS:
        return _rendered(texts)
    return await run(_rendered, texts)


def _rendered(texts: Sequence[object]) -> list[Markup]:
    budget = ProseBudget(MOST_MICROSECONDS)
    return [budget.render(text) for text in texts]


def prose(text: object) -> Markup:
    """The text as safe HTML; nothing for nothing.

    A text of so many marks that rendering them would take long is shown as it is
    written.
    """
    return ProseBudget(MOST_MICROSECONDS).render(text)


def short_prose(text: object) -> Markup:
    """As `prose`, for a filter of a template: the event loop waits for it."""
    return ProseBudget(LOOP_MICROSECONDS).render(text)


def line_prose(text: object) -> Markup:
    """A short text in one line, for a filter of a template; bounded as `short_prose`.

    Only what stands within a line is rendered: a heading or a list stays as written.
    """
    written = _written(text)
    if _cost_of(written) > LOOP_MICROSECONDS:
        return escape(written)
    return Markup(READER.renderInline(written))  # noqa: S704 - HTML in it is escaped


def plain_text(text: object) -> str:
    """The beginning of a text without the signs of Markdown within a line."""
    written = str(text or "")[:MOST_PLAIN]
    if not _SIGNS.intersection(written):
        return written
    beginning, rest = written[:MOST_SIGNS], written[MOST_SIGNS:]
    beginning = _LINK.sub(r"\1", beginning)
    return _EMPHASIS.sub(r"\2", _EMPHASIS.sub(r"\2", beginning)) + rest


class ProseBudget:
    """The time that rendering all texts of a page may take, and the HTML they may make.

    A text beyond the time is shown as written, one beyond the HTML is left out.
    """

    def __init__(self, microseconds: int, characters: int = MOST_HTML) -> None:
        self._left = microseconds
        self._characters = characters

    def render(self, text: object) -> Markup:
        """The text as `prose` makes it, as far as the budget goes."""
        written = _written(text)
        is_whole = len(str(text or "")) <= MOST_CHARACTERS
        html = self._marked_up(written)
        if html is None:
            beginning = written[: self._characters]
            self._characters -= len(beginning)
            html = Markup("<pre>{}</pre>").format(beginning) if beginning else Markup()
            is_whole = is_whole and beginning == written
        return html if is_whole else html + LEFT_OUT

    def _marked_up(self, written: str) -> Markup | None:
        """The text rendered; None if that takes too long, or makes too much HTML."""
        cost = _cost_of(written)
        if cost > min(self._left, MOST_MICROSECONDS):
            return None
        self._left -= cost
        tokens = READER.parse(written)
        size = _size_of(tokens)
        if size > self._characters:
            return None
        self._characters -= size
        html = READER.renderer.render(tokens, READER.options, {})
        return Markup(html)  # noqa: S704 - HTML in it is escaped


def _written(text: object) -> str:
    """As much of the text as is rendered, with the line ends that the reader counts."""
    return _LINE_END.sub("\n", str(text or "")[:MOST_CHARACTERS])


def _cost_of(written: str) -> int:
    """How many microseconds rendering may take at the worst."""
    cost = sum(
        written.count(sign) * microseconds for sign, microseconds in COSTS.items()
    )
    if cost > MOST_MICROSECONDS:
        return cost
    if "|" in written:
        cost += CELL_MICROSECONDS * _cells_of(written)
    if ">" in written:
        cost += NESTED_QUOTE_MICROSECONDS * _nested_quote_steps(written)
    return cost


def _cells_of(written: str) -> int:
    """How many cells the tables may have: each goes on to an empty line at most."""
    cells = columns = 0
    for line in written.split("\n"):
        if not line.strip(" \t>"):
            columns = 0
        elif "|" in line and not line.strip(_RULE_SIGNS):
            columns = max(columns, line.count("|") + 1)
            cells += columns
        cells += columns
    return cells


def _nested_quote_steps(written: str) -> int:
    """How many lines nested quotes look at: each all up to the next empty line."""
    steps = quotes = lines = 0
    for line in (*written.split("\n"), ""):
        if line.strip():
            lines += 1
            marks = len(line) - len(line.lstrip(_QUOTE_SIGNS))
            quotes += max(0, line.count(">", 0, marks) - 1)
        else:
            steps += quotes * lines
            quotes = lines = 0
    return steps


def _size_of(tokens: Iterable[Token]) -> int:
    """About how many characters of HTML these make, before anything is escaped."""
    size = 0
    for token in tokens:
        size += ELEMENT_CHARACTERS + sum(
            len(str(value)) for value in token.attrs.values()
        )
        size += _size_of(token.children) if token.children else len(token.content)
    return size
