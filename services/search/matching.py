"""Which words of a folded text a term means, in time that grows with the text alone.

Words, beginnings of words and runs are looked up as texts: to make an expression of
each new term takes longer than to find what it says. Words with stars are matched piece
by piece; misspelt ones are compared in a budget.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from services.search.query import Term, inner, slips
from services.search.words import (
    DIGITS,
    LETTERS,
    REST,
    WORD,
    blank_runs,
    inner_grams,
    is_run,
    pieces,
    variants,
)
from shared.text.folding import folded

#: The fields of a document that are looked at.
HIGHLIGHTED = ("title", "text", "entityTitle", "name")
#: So many fields' characters are compared word by word with a misspelt one.
LONGEST_FORGIVEN = 4000
#: So many words of a page are compared with misspelt ones, letter by letter.
MOST_COMPARED = 2000
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Wildcard:
    """A word with stars in it, as the texts between them; each star is any letters."""

    parts: tuple[str, ...]

    def matches(self, word: str) -> bool:
        """Whether it is the whole word; takes time in proportion to its length."""
        first, last = self.parts[0], self.parts[-1]
        if len(self.parts) == 1:
            return word == first
        if len(word) < len(first) + len(last):
            return False
        if not word.startswith(first) or not word.endswith(last):
            return False
        place, end = len(first), len(word) - len(last)
        for part in self.parts[1:-1]:
            # The first place is the best one: it leaves most to the parts after it.
            place = word.find(part, place, end)
            if place < 0:
                return False
            place += len(part)
        return True


@dataclass(frozen=True, slots=True)
class Matcher:
    """What to mark of a folded text: words by their beginnings, whole words, runs.

    Pieces of words are marked in names, and where they are `loose` in every text.
    `pairs` are two letters of a run each, marked by stretches that stand in a row.
    """

    beginnings: tuple[str, ...] = ()
    wholes: tuple[str, ...] = ()
    pieces: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    pairs: tuple[str, ...] = ()
    wildcards: tuple[Wildcard, ...] = ()
    is_loose: bool = False

    def spans(self, text: str, *, is_name: bool = False) -> list[Span]:
        """Where the words and runs of a folded text begin and end, in their order."""
        words, spans = blank_runs(text), list[Span]()
        for token in self.beginnings:
            _add_beginnings(spans, words, token)
        for token in self.wholes:
            _add_whole_words(spans, words, token)
        if is_name or self.is_loose:
            for token in self.pieces:
                _add_places(spans, words, token)
        for run in self.runs:
            _add_places(spans, text, run)
        if self.pairs:
            spans += _stretches(text, self.pairs)
        if self.wildcards:
            spans += self._starred(words)
        return _without_overlaps(spans) if len(spans) > 1 else spans

    def _starred(self, text: str) -> Iterator[Span]:
        # An underscore separates words, and is one of them for the expression.
        for match in WORD.finditer(text.replace("_", " ")):
            if any(wildcard.matches(match[0]) for wildcard in self.wildcards):
                yield match.span()


def _without_overlaps(spans: list[Span]) -> list[Span]:
    """The spans in their order without overlaps; of one place the longest."""
    separate: list[Span] = []
    end = 0
    for span in sorted(spans, key=_place):
        if span[0] >= end:
            separate.append(span)
            end = span[1]
    return separate


def _place(span: Span) -> Span:
    return span[0], -span[1]


def _add_places(spans: list[Span], text: str, token: str) -> None:
    """Wherever the token is written, once for overlapping places."""
    start = text.find(token)
    while start >= 0:
        end = start + len(token)
        spans.append((start, end))
        start = text.find(token, end)


def _add_beginnings(spans: list[Span], text: str, token: str) -> None:
    """Where words begin with the token: the rest of the word belongs to the span.

    Where letters meet digits another word begins.
    """
    start = text.find(token)
    while start >= 0:
        end = _end_of_word(text, start, token)
        if not end:
            end = _end_of(REST, text, start + len(token))
            spans.append((start, end))
        start = text.find(token, end)


def _add_whole_words(spans: list[Span], text: str, token: str) -> None:
    """Where the token is a word from its first letter to its last."""
    start = text.find(token)
    while start >= 0:
        end = _end_of_word(text, start, token)
        if not end:
            end = start + len(token)
            rest = _end_of(_same(token), text, end)
            if not rest:
                spans.append((start, end))
            end = rest or end
        start = text.find(token, end)


def _end_of_word(text: str, start: int, token: str) -> int:
    """Where the word ends that the token stands inside of; 0 if it begins there.

    No other place of the same word is a beginning either.
    """
    return _end_of(_same(token), text, start - 1) if start else 0


def _end_of(expression: re.Pattern[str], text: str, start: int) -> int:
    """Where what the expression matches here ends; 0 if it does not match here."""
    match = expression.match(text, start)
    return match.end() if match else 0


def _same(token: str) -> re.Pattern[str]:
    """What the first letter of this is in one word with."""
    return DIGITS if token[0].isdigit() else LETTERS


def _stretches(text: str, pairs: Sequence[str]) -> Iterator[Span]:
    """The longest stretches of letters of which every two in a row are a pair."""
    starts = {start for pair in pairs for start in _starts(text, pair)}
    first = -1
    for start in sorted(starts):
        if start - 1 not in starts:
            first = start
        if start + 1 not in starts:
            yield first, start + 2


def _starts(text: str, pair: str) -> Iterator[int]:
    start = text.find(pair)
    while start >= 0:
        yield start
        start = text.find(pair, start + 1)


def matcher_of(term: Term, stems: tuple[tuple[str, str], ...] = ()) -> Matcher:
    """What to mark: words that begin with a typed one, or with its stem; runs.

    In names, pieces of longer words too.
    """
    tokens = beginnings(term, stems)
    return Matcher(
        # A single letter is a whole word; a longer beginning is another one's rest.
        beginnings=_shortest(token for token in tokens if len(token) > 1),
        wholes=tuple(token for token in tokens if len(token) == 1),
        pieces=insides(term),
        runs=tuple(_runs(term)),
        wildcards=wildcards(term),
    )


def _shortest(tokens: Iterable[str]) -> tuple[str, ...]:
    """Those of the tokens that no other one begins."""
    shortest: list[str] = []
    for token in sorted(tokens):
        if not shortest or not token.startswith(shortest[-1]):
            shortest.append(token)
    return tuple(shortest)


def nearly(
    term: Term,
    stems: tuple[tuple[str, str], ...],
    documents: Sequence[Mapping[str, Any]],
) -> Matcher:
    """What to mark where nothing was found as it was typed."""
    exact = matcher_of(term, stems)
    return replace(
        exact,
        wholes=(*exact.wholes, *sorted(forgiven(term, documents))),
        pairs=tuple(_pairs(term)),
        is_loose=True,
    )


def wildcards(term: Term) -> tuple[Wildcard, ...]:
    """The typed words with stars inside."""
    return tuple(
        Wildcard(tuple(word.tokens[0].split("*")))
        for word in term.words
        if word.kind == "pattern"
    )


def beginnings(term: Term, stems: tuple[tuple[str, str], ...]) -> list[str]:
    """What the words to mark begin with: a typed one, or its stem."""
    reduced = dict(stems)
    tokens: list[str] = []
    for token in _typed(term):
        if is_run(token):
            continue
        stem = reduced.get(token, token)
        # A stem like "librari" is no beginning of "library".
        is_shorter = len(stem) > 3 and token.startswith(stem)
        tokens.append(stem if is_shorter else token)
    return tokens


def _typed(term: Term) -> Iterator[str]:
    """The typed words and runs, those of phrases too."""
    for word in term.words:
        yield from () if word.kind == "pattern" else word.tokens


def insides(term: Term) -> tuple[str, ...]:
    """The typed words that are looked for inside of others."""
    tokens = (inner(word) for word in term.words)
    return tuple(token for token in tokens if token is not None)


def _runs(term: Term) -> Iterator[str]:
    """The typed runs, wherever they are written."""
    for token in _typed(term):
        if is_run(token):
            yield from variants(token)


def _pairs(term: Term) -> Iterator[str]:
    """Every two letters that stand in a row in a typed run."""
    for word in term.words:
        if word.kind == "run" and len(word.tokens[0]) > 1:
            yield from dict.fromkeys(inner_grams(word.tokens[0]))


def forgiven(term: Term, documents: Sequence[Mapping[str, Any]]) -> set[str]:
    """The words in these documents that a misspelt one may have meant."""
    found: set[str] = set()
    tokens = [word.tokens[0] for word in term.words if word.kind == "word"]
    typed = [(token, frozenset(token), slips(token)) for token in tokens]
    left = MOST_COMPARED
    for written in _written(documents):
        letters = frozenset(written)
        for token, own, allowed in typed:
            # A slip changes at most two of the letters that a word is made of.
            if abs(len(token) - len(written)) > allowed:
                continue
            if not allowed or len(own ^ letters) > 2 * allowed:
                continue
            if not left:
                return found
            left -= 1
            if _near(token, written):
                found.add(written)
    return found


def _written(documents: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The words of each document's beginning, each once."""
    seen: set[str] = set()
    for document in documents:
        text = " ".join(str(document.get(name) or "") for name in HIGHLIGHTED)
        words = dict.fromkeys(pieces(folded(text[:LONGEST_FORGIVEN])))
        yield from (word for word in words if word not in seen)
        seen.update(words)


@lru_cache(maxsize=4096)
def _near(token: str, written: str) -> bool:
    allowed = slips(token)
    # A beginning that is nearly the typed one is what the index finds as well.
    return allowed > 0 and distance(token, written, allowed) <= allowed


def distance(one: str, other: str, limit: int) -> int:
    """Slips between two words, swapped neighbours counting once; at most limit + 1."""
    if abs(len(one) - len(other)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        now = [i]
        for j, right in enumerate(other, 1):
            cost = min(row[j] + 1, now[j - 1] + 1, row[j - 1] + (left != right))
            if i > 1 and j > 1 and left == other[j - 2] and one[i - 2] == right:
                cost = min(cost, before[j - 2] + 1)
            now.append(cost)
        if min(now) > limit:
            return limit + 1
        before, row = row, now
    return row[-1]
