"""Marks the matched words in a document's fields.

As in Backstage, the tags are an angle-bracketed id that no document contains, which
clients replace by their own markup. Texts and terms are foreign input: the work grows
with the length of the texts only, and each page has a budget.
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.search.matching import (
    HIGHLIGHTED,
    Matcher,
    Span,
    forgiving_matcher,
    matcher_of,
)
from services.search.model import Document
from services.search.query import Step, Term
from shared.text.folding import folded_places

#: The most characters that are highlighted in a field and in all fields of a page.
FIELD_CHARACTERS = 50_000
PAGE_CHARACTERS = 400_000
#: A longer page is highlighted in a thread: letters of other scripts than Latin take up
#: to a microsecond each.
LONG_PAGE_CHARACTERS = 30_000
#: The only field of a document that is not a name.
TEXT = "text"


@dataclass(frozen=True, slots=True)
class Tags:
    """The text before and after a matched word."""

    pre: str
    post: str


def new_tags() -> Tags:
    """Random tags, so that no document can contain them."""
    name = secrets.token_hex(8)
    return Tags(f"<{name}>", f"</{name}>")


def marked(
    documents: Sequence[Document],
    term: Term,
    stems: tuple[tuple[str, str], ...],
    step: Step,
    tags: Tags,
) -> list[dict[str, str]]:
    """The highlights of each document on a page that was found by a search step."""
    if not term.words:
        return [{} for _ in documents]
    is_exact = step == "exact"
    matcher = (
        matcher_of(term, stems)
        if is_exact
        else forgiving_matcher(term, stems, documents)
    )
    fields = []
    budget = PAGE_CHARACTERS
    for document in documents:
        texts = texts_of(document)
        fields.append(highlights(texts, matcher, tags, budget))
        budget -= sum(map(len, texts.values()))
    return fields


def is_long(documents: Sequence[Document]) -> bool:
    """Whether highlighting takes longer than an event loop may be blocked."""
    texts = (text for document in documents for text in texts_of(document).values())
    return sum(map(len, texts)) > LONG_PAGE_CHARACTERS


def texts_of(document: Document) -> dict[str, str]:
    """The highlighted fields of a document that contain text."""
    return {
        name: text
        for name in HIGHLIGHTED
        if isinstance(text := document.get(name), str) and text
    }


def highlights(
    texts: Mapping[str, str],
    matcher: Matcher,
    tags: Tags,
    budget: int = PAGE_CHARACTERS,
) -> dict[str, str]:
    """The fields with a match, with every match between the tags.

    Only the first `budget` characters are searched.
    """
    fields: dict[str, str] = {}
    for name, text in texts.items():
        length = min(len(text), FIELD_CHARACTERS, max(budget, 0))
        budget -= length
        folded_text, places = folded_places(text[:length])
        spans = matcher.spans(folded_text, is_name=name != TEXT)
        if spans:
            fields[name] = _marked(text, _original_spans(spans, places), tags)
    return fields


def _original_spans(
    spans: Sequence[Span], places: Sequence[Span] | None
) -> Iterator[Span]:
    """The spans in the original text; a letter that folds to two is marked whole."""
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
