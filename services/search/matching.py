"""Which words of a folded text a term means, in time that grows with the text alone.

Words, beginnings of words and runs are regular expressions that never go back; words
with stars are matched piece by piece; misspelt ones are compared in a budget.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from services.search.query import Term, inner, slips
from services.search.words import (
    MARKS,
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
#: The rest of a word. A term's expression is compiled for each term, and sets of
#: hundreds of ranges take milliseconds: neither marks nor runs are part of it.
_REST = re.compile(rf"(?:[^\W_]|[{MARKS}])*")
_LETTER = r"[^\W\d_]"


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
    """What to mark: words in a text without its runs, and runs in the text itself.

    `names` is the expression for words of names, which are looked into.
    """

    words: re.Pattern[str] | None
    names: re.Pattern[str] | None
    runs: re.Pattern[str] | None
    wildcards: tuple[Wildcard, ...] = ()

    def spans(self, text: str, *, is_name: bool = False) -> Iterable[tuple[int, int]]:
        """Where the words and runs of a folded text begin and end, in their order."""
        words = self._words(blank_runs(text), self.names if is_name else self.words)
        if self.runs is None:
            return words
        return sorted([*words, *(match.span() for match in self.runs.finditer(text))])

    def _words(
        self, text: str, expression: re.Pattern[str] | None
    ) -> Iterator[tuple[int, int]]:
        if not self.wildcards:
            yield from _word_spans(expression, text, 0, len(text))
            return
        # An underscore separates words, and is one of them for the expression.
        for match in WORD.finditer(text.replace("_", " ")):
            word = match[0]
            if any(wildcard.matches(word) for wildcard in self.wildcards):
                yield match.span()
            else:
                yield from _word_spans(expression, text, *match.span())


def _word_spans(
    expression: re.Pattern[str] | None, text: str, start: int, end: int
) -> Iterator[tuple[int, int]]:
    while expression and (match := expression.search(text, start, end)):
        start = match.end()
        if match.lastindex is not None:
            rest = _REST.match(text, start, end)
            start = rest.end() if rest else start
        yield match.start(), start


@lru_cache(maxsize=512)
def matcher_of(term: Term, stems: tuple[tuple[str, str], ...] = ()) -> Matcher:
    """What to mark: words that begin with a typed one, or with its stem; runs.

    In names, pieces of longer words too.
    """
    words = beginnings(term, stems)
    names = compiled([*words, *insides(term)])
    return Matcher(compiled(words), names, compiled(_runs(term)), wildcards(term))


def nearly(
    term: Term,
    stems: tuple[tuple[str, str], ...],
    documents: Sequence[Mapping[str, Any]],
) -> Matcher:
    """What to mark where nothing was found as it was typed."""
    likely = _whole_words(forgiven(term, documents))
    words = compiled([*likely, *beginnings(term, stems), *insides(term)])
    runs = compiled([*_runs(term), *_loose_runs(term)])
    return Matcher(words, words, runs, wildcards(term))


def wildcards(term: Term) -> tuple[Wildcard, ...]:
    """The typed words with stars inside."""
    return tuple(
        Wildcard(tuple(word.tokens[0].split("*")))
        for word in term.words
        if word.kind == "pattern"
    )


def beginnings(term: Term, stems: tuple[tuple[str, str], ...]) -> list[str]:
    """Expressions for words that begin with a typed one, or with its stem."""
    reduced = dict(stems)
    expressions: list[str] = []
    for token in _typed(term):
        if is_run(token):
            continue
        stem = reduced.get(token, token)
        # A stem like "librari" is no beginning of "library".
        is_shorter = len(stem) > 3 and token.startswith(stem)
        expressions.append(_beginning(stem if is_shorter else token))
    return expressions


def _typed(term: Term) -> Iterator[str]:
    """The typed words and runs, those of phrases too."""
    for word in term.words:
        yield from () if word.kind == "pattern" else word.tokens


def _beginning(text: str) -> str:
    """A word by its beginning, as a group: the rest of the word belongs to the match.

    A single letter is a whole word. Where letters meet digits another word begins.
    """
    if len(text) == 1:
        return _whole_word(text)
    return f"(?<!{_same(text)})({re.escape(text)})"


def _whole_word(text: str) -> str:
    return f"(?<!{_same(text)}){re.escape(text)}(?!{_same(text)})"


def _same(text: str) -> str:
    """What the first letter of this would be in one word with."""
    return r"\d" if text[0].isdigit() else _LETTER


def insides(term: Term) -> list[str]:
    """The typed words that are looked for inside of others."""
    tokens = (inner(word) for word in term.words)
    return [re.escape(token) for token in tokens if token is not None]


def _runs(term: Term) -> list[str]:
    """The typed runs, wherever they are written."""
    runs = (token for token in _typed(term) if is_run(token))
    return [re.escape(variant) for run in runs for variant in variants(run)]


def _loose_runs(term: Term) -> Iterator[str]:
    """Stretches of letters that stand in a row in a typed run too."""
    for word in term.words:
        if word.kind == "run" and len(word.tokens[0]) > 1:
            pairs = sorted(set(inner_grams(word.tokens[0])))
            ahead = "|".join(
                f"{re.escape(pair[0])}(?={re.escape(pair[1])})" for pair in pairs
            )
            yield f"(?:{ahead})+."


def compiled(parts: Iterable[str]) -> re.Pattern[str] | None:
    """One pattern out of several, the first that fits; None out of none.

    Each part is a text, or one with a single run of letters behind it: nothing to go
    back for.
    """
    joined = "|".join(dict.fromkeys(parts))
    return re.compile(joined) if joined else None


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


def _whole_words(words: Iterable[str]) -> list[str]:
    return [_whole_word(word) for word in sorted(words)]


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
