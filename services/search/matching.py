"""Finds the words of a folded text that match a term, in time linear in the text.

Words, beginnings of words and runs are searched as plain text, because compiling an
expression for each term takes longer than the search. Words with wildcards are matched
part by part; misspelt words are compared within a budget.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from services.search.model import Document
from services.search.query import Term, fuzziness, infix_token
from services.search.words import (
    DIGITS,
    LETTERS,
    REST_OF_WORD,
    WORD,
    blank_runs,
    inner_grams,
    is_run,
    pieces,
    variants,
)
from shared.text.folding import folded

#: The fields of a document that are highlighted.
HIGHLIGHTED = ("title", "text", "entityTitle", "name")
#: The words of so many characters of a document are compared with misspelt ones.
FORGIVEN_CHARACTERS = 4000
#: The most letter-by-letter comparisons for a page.
COMPARISON_LIMIT = 2000
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Wildcard:
    """A word with wildcards, as the texts between them; `*` stands for any letters."""

    parts: tuple[str, ...]

    def matches(self, word: str) -> bool:
        """Whether it matches the whole word, in time linear in the word's length."""
        first, last = self.parts[0], self.parts[-1]
        if len(self.parts) == 1:
            return word == first
        if len(word) < len(first) + len(last):
            return False
        if not word.startswith(first) or not word.endswith(last):
            return False
        position, end = len(first), len(word) - len(last)
        for part in self.parts[1:-1]:
            # The first position is best, as it leaves the most text for later parts.
            position = word.find(part, position, end)
            if position < 0:
                return False
            position += len(part)
        return True


@dataclass(frozen=True, slots=True)
class Matcher:
    """Finds matches in a folded text: beginnings of words, whole words, runs.

    Parts of words match in names, and with `is_loose` in every text. `pairs` are pairs
    of letters of a run; adjacent pairs are one match.
    """

    beginnings: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    word_parts: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    pairs: tuple[str, ...] = ()
    wildcards: tuple[Wildcard, ...] = ()
    is_loose: bool = False

    def spans(self, text: str, *, is_name: bool = False) -> list[Span]:
        """The spans of all matches in a folded text, in order."""
        words, spans = blank_runs(text), list[Span]()
        for token in self.beginnings:
            _add_beginnings(spans, words, token)
        for token in self.words:
            _add_whole_words(spans, words, token)
        if is_name or self.is_loose:
            for token in self.word_parts:
                _add_occurrences(spans, words, token)
        for run in self.runs:
            _add_occurrences(spans, text, run)
        if self.pairs:
            spans += _stretches(text, self.pairs)
        if self.wildcards:
            spans += self._wildcard_spans(words)
        return _without_overlaps(spans) if len(spans) > 1 else spans

    def _wildcard_spans(self, text: str) -> Iterator[Span]:
        # An underscore separates words, but the expression treats it as a letter.
        for match in WORD.finditer(text.replace("_", " ")):
            if any(wildcard.matches(match[0]) for wildcard in self.wildcards):
                yield match.span()


def _without_overlaps(spans: list[Span]) -> list[Span]:
    """The spans in order without overlaps; at one position the longest one."""
    separate: list[Span] = []
    end = 0
    for span in sorted(spans, key=_position_key):
        if span[0] >= end:
            separate.append(span)
            end = span[1]
    return separate


def _position_key(span: Span) -> Span:
    return span[0], -span[1]


def _add_occurrences(spans: list[Span], text: str, token: str) -> None:
    """Add every occurrence of the token, without overlaps."""
    start = text.find(token)
    while start >= 0:
        end = start + len(token)
        spans.append((start, end))
        start = text.find(token, end)


def _add_beginnings(spans: list[Span], text: str, token: str) -> None:
    """Add every word that begins with the token, to the end of the word.

    A word also begins between letters and digits.
    """
    start = text.find(token)
    while start >= 0:
        end = _end_of_word(text, start, token)
        if not end:
            end = _end_of(REST_OF_WORD, text, start + len(token))
            spans.append((start, end))
        start = text.find(token, end)


def _add_whole_words(spans: list[Span], text: str, token: str) -> None:
    """Add every word that equals the token."""
    start = text.find(token)
    while start >= 0:
        end = _end_of_word(text, start, token)
        if not end:
            end = start + len(token)
            longer_end = _end_of(_word_class(token), text, end)
            if not longer_end:
                spans.append((start, end))
            end = longer_end or end
        start = text.find(token, end)


def _end_of_word(text: str, start: int, token: str) -> int:
    """The end of the word that contains the token; 0 if the token begins the word.

    Inside of that word, no other position is a beginning.
    """
    return _end_of(_word_class(token), text, start - 1) if start else 0


def _end_of(expression: re.Pattern[str], text: str, start: int) -> int:
    """The end of the expression's match at `start`; 0 if it does not match."""
    match = expression.match(text, start)
    return match.end() if match else 0


def _word_class(token: str) -> re.Pattern[str]:
    """The expression of characters that continue a word of the token's type."""
    return DIGITS if token[0].isdigit() else LETTERS


def _stretches(text: str, pairs: Sequence[str]) -> Iterator[Span]:
    """The longest stretches in which every two adjacent letters are a pair."""
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
    """The matcher of a term: words that begin with a typed word or its stem, and runs.

    In names, typed words also match inside of longer words.
    """
    tokens = beginnings(term, stems)
    return Matcher(
        # A single letter matches as a whole word, a longer token as a beginning.
        beginnings=_shortest(token for token in tokens if len(token) > 1),
        words=tuple(token for token in tokens if len(token) == 1),
        word_parts=inner_tokens(term),
        runs=tuple(_runs(term)),
        wildcards=wildcards(term),
    )


def _shortest(tokens: Iterable[str]) -> tuple[str, ...]:
    """The tokens that do not begin with another token."""
    shortest: list[str] = []
    for token in sorted(tokens):
        if not shortest or not token.startswith(shortest[-1]):
            shortest.append(token)
    return tuple(shortest)


def forgiving_matcher(
    term: Term,
    stems: tuple[tuple[str, str], ...],
    documents: Sequence[Document],
) -> Matcher:
    """The matcher of a term that matched nothing exactly: it allows typing errors."""
    exact = matcher_of(term, stems)
    return replace(
        exact,
        words=(*exact.words, *sorted(forgiven_words(term, documents))),
        pairs=tuple(_pairs(term)),
        is_loose=True,
    )


def wildcards(term: Term) -> tuple[Wildcard, ...]:
    """The typed words with `*` inside."""
    return tuple(
        Wildcard(tuple(word.tokens[0].split("*")))
        for word in term.words
        if word.kind == "pattern"
    )


def beginnings(term: Term, stems: tuple[tuple[str, str], ...]) -> list[str]:
    """The beginnings of matching words: the typed words, or their stems."""
    reduced = dict(stems)
    tokens: list[str] = []
    for token in _typed(term):
        if is_run(token):
            continue
        stem = reduced.get(token, token)
        # A stem like "librari" is not a beginning of "library".
        is_shorter = len(stem) > 3 and token.startswith(stem)
        tokens.append(stem if is_shorter else token)
    return tokens


def _typed(term: Term) -> Iterator[str]:
    """The typed words and runs, also those in phrases."""
    for word in term.words:
        yield from () if word.kind == "pattern" else word.tokens


def inner_tokens(term: Term) -> tuple[str, ...]:
    """The typed words that are searched inside of longer words."""
    tokens = (infix_token(word) for word in term.words)
    return tuple(token for token in tokens if token is not None)


def _runs(term: Term) -> Iterator[str]:
    """The typed runs with their variants."""
    for token in _typed(term):
        if is_run(token):
            yield from variants(token)


def _pairs(term: Term) -> Iterator[str]:
    """Every two adjacent letters of the typed runs."""
    for word in term.words:
        if word.kind == "run" and len(word.tokens[0]) > 1:
            yield from dict.fromkeys(inner_grams(word.tokens[0]))


def forgiven_words(term: Term, documents: Sequence[Document]) -> set[str]:
    """The words in these documents that a misspelt typed word may stand for."""
    words: set[str] = set()
    tokens = [word.tokens[0] for word in term.words if word.kind == "word"]
    typed = [(token, frozenset(token), fuzziness(token)) for token in tokens]
    comparisons_left = COMPARISON_LIMIT
    for candidate in _document_words(documents):
        letters = frozenset(candidate)
        for token, token_letters, allowed in typed:
            # One typing error changes at most two of a word's distinct letters.
            if abs(len(token) - len(candidate)) > allowed:
                continue
            if not allowed or len(token_letters ^ letters) > 2 * allowed:
                continue
            if not comparisons_left:
                return words
            comparisons_left -= 1
            if _is_near(token, candidate):
                words.add(candidate)
    return words


def _document_words(documents: Sequence[Document]) -> Iterator[str]:
    """The distinct words at the beginning of each document."""
    yielded: set[str] = set()
    for document in documents:
        text = " ".join(str(document.get(name) or "") for name in HIGHLIGHTED)
        words = dict.fromkeys(pieces(folded(text[:FORGIVEN_CHARACTERS])))
        yield from (word for word in words if word not in yielded)
        yielded.update(words)


@lru_cache(maxsize=4096)
def _is_near(token: str, word: str) -> bool:
    allowed = fuzziness(token)
    # The index finds words by the same distance.
    return allowed > 0 and distance(token, word, allowed) <= allowed


def distance(first: str, second: str, limit: int) -> int:
    """The edit distance of two words, where a swap counts once; at most limit + 1."""
    if abs(len(first) - len(second)) > limit:
        return limit + 1
    previous_row: list[int] = []
    row = list(range(len(second) + 1))
    for i, left in enumerate(first, 1):
        next_row = [i]
        for j, right in enumerate(second, 1):
            cost = min(row[j] + 1, next_row[j - 1] + 1, row[j - 1] + (left != right))
            if i > 1 and j > 1 and left == second[j - 2] and first[i - 2] == right:
                cost = min(cost, previous_row[j - 2] + 1)
            next_row.append(cost)
        if min(next_row) > limit:
            return limit + 1
        previous_row, row = row, next_row
    return row[-1]
