"""Marks the matched words in a document's fields.

The tags are Backstage's custom: an angle-bracketed id that no document contains, which
clients replace by their own markup. Every text is somebody's input, and so is the term:
the work grows with the length of the text alone, and a page has a budget of it.
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.search.matching import HIGHLIGHTED, Matcher, Span, matcher_of, nearly
from services.search.query import Step, Term
from shared.text.folding import folded_places

#: So many characters are looked through, of a field and of all fields of a page.
LONGEST_MARKED = 50_000
PAGE_MARKED = 400_000
#: A page of more characters is marked in a thread: letters of other scripts than Latin
#: take up to a microsecond each.
LONG_PAGE = 30_000
#: All of a document's other fields are names.
TEXT = "text"


@dataclass(frozen=True, slots=True)
class Tags:
    """What stands before and after a matched word."""

    pre: str
    post: str


def new_tags() -> Tags:
    """Tags of this process' own, so that no document can imitate them."""
    name = secrets.token_hex(8)
    return Tags(f"<{name}>", f"</{name}>")


def marked(
    documents: Sequence[Mapping[str, Any]],
    term: Term,
    stems: tuple[tuple[str, str], ...],
    step: Step,
    tags: Tags,
) -> list[dict[str, str]]:
    """The highlights of each document on a page that this step of asking found."""
    if not term.words:
        return [{} for _ in documents]
    is_exact = step == "exact"
    matcher = matcher_of(term, stems) if is_exact else nearly(term, stems, documents)
    fields = []
    left = PAGE_MARKED
    for document in documents:
        texts = texts_of(document)
        fields.append(highlights(texts, matcher, tags, left))
        left -= sum(map(len, texts.values()))
    return fields


def is_long(documents: Sequence[Mapping[str, Any]]) -> bool:
    """Whether to mark these takes longer than an event loop may stand still."""
    texts = (text for each in documents for text in texts_of(each).values())
    return sum(map(len, texts)) > LONG_PAGE


def texts_of(document: Mapping[str, Any]) -> dict[str, str]:
    """The fields of a document that are looked at, those that hold a text."""
    return {
        name: text
        for name in HIGHLIGHTED
        if isinstance(text := document.get(name), str) and text
    }


def highlights(
    texts: Mapping[str, str], matcher: Matcher, tags: Tags, budget: int = PAGE_MARKED
) -> dict[str, str]:
    """The fields with a matched word, with every match between the tags.

    Of `budget` characters; behind them nothing is marked.
    """
    fields: dict[str, str] = {}
    for name, text in texts.items():
        length = min(len(text), LONGEST_MARKED, max(budget, 0))
        budget -= length
        plain, places = folded_places(text[:length])
        spans = matcher.spans(plain, is_name=name != TEXT)
        if spans:
            fields[name] = _marked(text, _written(spans, places), tags)
    return fields


def _written(spans: Sequence[Span], places: Sequence[Span] | None) -> Iterator[Span]:
    """The spans in the written text: a letter that folds to two is marked whole."""
    if places is None:
        yield from spans
        return
    end = 0
    for first, last in spans:
        start, stop = max(end, places[first][0]), places[last - 1][1]
        if start < stop:
            yield start, stop
            end = stop


def _marked(text: str, spans: Iterable[Span], tags: Tags) -> str:
    parts: list[str] = []
    end = 0
    for start, stop in spans:
        parts += (text[end:start], tags.pre, text[start:stop], tags.post)
        end = stop
    return "".join(parts) + text[end:]
