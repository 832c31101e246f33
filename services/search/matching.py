"""Which words of a text a term means, in time that grows with the text alone.

Words and beginnings of words are one regular expression that never goes back; words
with stars are matched piece by piece; misspelt ones are compared within a budget.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from services.search.query import Term, folded, slips

#: The fields of a document that are looked at.
HIGHLIGHTED = ("title", "text", "entityTitle", "name")
#: So many fields' characters are compared word by word with a misspelt one.
LONGEST_FORGIVEN = 4000
#: So many words of a page are compared with misspelt ones, letter by letter.
MOST_COMPARED = 2000
_WORD = re.compile(r"[^\W_]+")


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
    """The words to mark: those of an expression without stars, and wildcards."""

    expression: re.Pattern[str] | None
    wildcards: tuple[Wildcard, ...] = ()

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where the words begin and end, in their order."""
        if not self.wildcards:
            if self.expression is not None:
                yield from (match.span() for match in self.expression.finditer(text))
            return
        for match in _WORD.finditer(text):
            word = match[0].lower()
            if any(wildcard.matches(word) for wildcard in self.wildcards) or (
                self.expression is not None and self.expression.fullmatch(word)
            ):
                yield match.span()


@lru_cache(maxsize=512)
def matcher_of(term: Term, stems: tuple[tuple[str, str], ...] = ()) -> Matcher:
    """What to mark: words that begin with a typed one, or with its stem."""
    wildcards = tuple(
        Wildcard(tuple(word.tokens[0].split("*")))
        for word in term.words
        if word.kind == "pattern"
    )
    return Matcher(compiled(beginnings(term, stems)), wildcards)


def beginnings(term: Term, stems: tuple[tuple[str, str], ...]) -> list[str]:
    """The typed words without stars, as expressions for whole words."""
    reduced = dict(stems)
    found: list[str] = []
    for word in term.words:
        for token in () if word.kind == "pattern" else word.tokens:
            beginning = token
            stem = reduced.get(token, token)
            # A stem like "librari" is no beginning of "library".
            if len(stem) > 3 and token.startswith(stem):
                beginning = stem
            whole = len(token) == 1
            found.append(re.escape(beginning) + ("" if whole else r"[^\W_]*"))
    return found


def compiled(parts: Iterable[str]) -> re.Pattern[str] | None:
    """One pattern for whole words out of several; None out of none.

    Each part is a text, or one with a single run of letters behind it: nothing to go
    back for.
    """
    joined = "|".join(sorted(set(parts), key=len, reverse=True))
    if not joined:
        return None
    return re.compile(rf"(?<![^\W_])(?:{joined})(?![^\W_])", re.IGNORECASE)


def forgiven(term: Term, documents: Sequence[Mapping[str, Any]]) -> list[str]:
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
                return sorted(found)
            left -= 1
            if _near(token, written):
                found.add(re.escape(written))
    return sorted(found)


def _written(documents: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The words of each document's beginning, each once."""
    seen: set[str] = set()
    for document in documents:
        text = " ".join(str(document.get(name) or "") for name in HIGHLIGHTED)
        words = dict.fromkeys(_WORD.findall(folded(text[:LONGEST_FORGIVEN])))
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
