"""Marks the matched words in a document's fields.

The tags are Backstage's custom: an angle-bracketed id that no document contains, which
clients replace by their own markup. Every text is somebody's input, and so is the term:
the work grows with the length of the text alone, and a page has a budget of it.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.search.matching import (
    HIGHLIGHTED,
    Matcher,
    beginnings,
    compiled,
    forgiven,
    matcher_of,
)
from services.search.query import Step, Term, folded

#: So many characters are looked through, of a field and of all fields of a page.
LONGEST_MARKED = 50_000
PAGE_MARKED = 400_000
#: So many characters' folds are remembered: more than one page's scripts have.
MOST_FOLDS = 20_000


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
    matcher = matcher_of(term, stems)
    if step != "exact":
        meant = [*forgiven(term, documents), *beginnings(term, stems)]
        matcher = Matcher(compiled(meant), matcher.wildcards)
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
        text_marked, count = _marked(text[:looked], matcher, tags)
        if count:
            found[name] = text_marked + text[looked:]
    return found


def _field(document: Mapping[str, Any], name: str) -> str:
    text = document.get(name)
    return text if isinstance(text, str) else ""


def _marked(text: str, matcher: Matcher, tags: Tags) -> tuple[str, int]:
    # Matched on the folded text, cut out of the written one.
    plain, places = (text, None) if text.isascii() else _folded_places(text)
    parts: list[str] = []
    end = count = 0
    for first, last in matcher.spans(plain):
        start, stop = (places[first], places[last]) if places else (first, last)
        parts += (text[end:start], tags.pre, text[start:stop], tags.post)
        end, count = stop, count + 1
    return "".join(parts) + text[end:], count


class _Folds(dict[int, str]):
    """What each character is folded to, worked out once."""

    def __init__(self) -> None:
        super().__init__()
        #: Those that are folded to none or to several.
        self.uneven: set[str] = set()

    def __missing__(self, code: int) -> str:
        if len(self) >= MOST_FOLDS:
            self.clear()
        char = chr(code)
        self[code] = plain = folded(char)
        if len(plain) != 1:
            self.uneven.add(char)
        return plain


_FOLDS = _Folds()


def _folded_places(text: str) -> tuple[str, list[int] | None]:
    """The folded text, and where each of its characters stands in the written one.

    None in place of the list where every character stands at its own place.
    """
    plain = text.translate(_FOLDS)
    if _FOLDS.uneven.isdisjoint(text):
        return plain, None
    places: list[int] = []
    for index, char in enumerate(text):
        places += [index] * len(_FOLDS[ord(char)])
    places.append(len(text))
    return plain, places
