"""Marks the matched words in a document's fields.

The tags are Backstage's custom: an angle-bracketed id that no document contains, which
clients replace by their own markup.
"""

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from services.search.query import Step, Term, folded, slips

HIGHLIGHTED = ("title", "text", "entityTitle", "name")
_WORD = re.compile(r"[^\W_]+")
#: So many fields' characters are compared word by word with a misspelt one.
LONGEST_FORGIVEN = 4000


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
    pattern = pattern_of(term, stems)
    if step != "exact" and pattern is not None:
        pattern = compiled([*forgiven(term, documents), pattern.pattern])
    return [highlights(document, pattern, tags) for document in documents]


def highlights(
    document: Mapping[str, Any], pattern: re.Pattern[str] | None, tags: Tags
) -> dict[str, str]:
    """The fields in which the pattern is found, with every match between the tags."""
    if pattern is None:
        return {}
    found: dict[str, str] = {}
    for name in HIGHLIGHTED:
        text = document.get(name)
        if isinstance(text, str) and text:
            marked, count = _marked(text, pattern, tags)
            if count:
                found[name] = marked
    return found


def _marked(text: str, pattern: re.Pattern[str], tags: Tags) -> tuple[str, int]:
    if text.isascii():
        pre, post = tags.pre, tags.post
        return pattern.subn(lambda match: f"{pre}{match[0]}{post}", text)
    # Matched on the folded text, cut out of the written one.
    plain, places = _folded_places(text)
    parts: list[str] = []
    end = count = 0
    for match in pattern.finditer(plain):
        start, stop = places[match.start()], places[match.end()]
        parts += (text[end:start], tags.pre, text[start:stop], tags.post)
        end, count = stop, count + 1
    return "".join(parts) + text[end:], count


def _folded_places(text: str) -> tuple[str, list[int]]:
    plain: list[str] = []
    places: list[int] = []
    for index, char in enumerate(text):
        for part in folded(char):
            plain.append(part)
            places.append(index)
    places.append(len(text))
    return "".join(plain), places


@lru_cache(maxsize=512)
def pattern_of(
    term: Term, stems: tuple[tuple[str, str], ...] = ()
) -> re.Pattern[str] | None:
    """What to mark: words that begin with a typed one, or with its stem."""
    reduced = dict(stems)
    found: list[str] = []
    for word in term.words:
        if word.kind == "pattern":
            found.append(word.tokens[0].replace("*", r"[^\W_]*"))
            continue
        for token in word.tokens:
            beginning = token
            stem = reduced.get(token, token)
            # A stem like "librari" is no beginning of "library".
            if len(stem) > 3 and token.startswith(stem):
                beginning = stem
            whole = len(token) == 1
            found.append(re.escape(beginning) + ("" if whole else r"[^\W_]*"))
    return compiled(found)


def compiled(parts: Iterable[str]) -> re.Pattern[str] | None:
    """One pattern for whole words out of several; None out of none."""
    joined = "|".join(sorted(set(parts), key=len, reverse=True))
    if not joined:
        return None
    return re.compile(rf"(?<![^\W_])(?:{joined})(?![^\W_])", re.IGNORECASE)


def forgiven(term: Term, documents: Sequence[Mapping[str, Any]]) -> list[str]:
    """The words in these documents that a misspelt one may have meant."""
    found: set[str] = set()
    tokens = [word.tokens[0] for word in term.words if word.kind == "word"]
    for document in documents:
        text = " ".join(str(document.get(name) or "") for name in HIGHLIGHTED)
        for written in set(_WORD.findall(folded(text[:LONGEST_FORGIVEN]))):
            if any(_near(token, written) for token in tokens):
                found.add(re.escape(written))
    return sorted(found)


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
