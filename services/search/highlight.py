"""Marks the matched words in a document's fields.

The tags are Backstage's custom: an angle-bracketed id that no document contains, which
clients replace by their own markup. Every text is somebody's input, and so is the term:
the work grows with the length of the text alone, and a page has a budget of it.
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.search.matching import HIGHLIGHTED, Matcher, matcher_of, nearly
from services.search.query import Step, Term
from shared.text.folding import folded_places

#: So many characters are looked through, of a field and of all fields of a page.
LONGEST_MARKED = 50_000
PAGE_MARKED = 400_000
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
    is_exact = step == "exact"
    matcher = matcher_of(term, stems) if is_exact else nearly(term, stems, documents)
    found = []
    left = PAGE_MARKED
    for document in documents:
        found.append(highlights(document, matcher, tags, left))
        left -= sum(len(_field(document, name)) for name in HIGHLIGHTED)
    return found


def highlights(
    document: Mapping[str, Any], matcher: Matcher, tags: Tags, budget: int = PAGE_MARKED
) -> dict[str, str]:
    """The fields with a matched word, with every match between the tags.

    Of `budget` characters; behind them nothing is marked.
    """
    found: dict[str, str] = {}
    for name in HIGHLIGHTED:
        text = _field(document, name)
        looked = min(len(text), LONGEST_MARKED, max(budget, 0))
        budget -= looked
        plain, places = folded_places(text[:looked])
        spans = _written(matcher.spans(plain, is_name=name != TEXT), places)
        text_marked, count = _marked(text[:looked], spans, tags)
        if count:
            found[name] = text_marked + text[looked:]
    return found


def _field(document: Mapping[str, Any], name: str) -> str:
    text = document.get(name)
    return text if isinstance(text, str) else ""


def _written(
    spans: Iterable[tuple[int, int]], places: Sequence[tuple[int, int]] | None
) -> Iterator[tuple[int, int]]:
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


def _marked(text: str, spans: Iterable[tuple[int, int]], tags: Tags) -> tuple[str, int]:
    parts: list[str] = []
    end = count = 0
    for start, stop in spans:
        parts += (text[end:start], tags.pre, text[start:stop], tags.post)
        end, count = stop, count + 1
    return "".join(parts) + text[end:], count
