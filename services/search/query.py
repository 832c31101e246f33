"""The search request and its parsed term, independent of any engine.

All typed words must match: as a word, by its stem, as a beginning of a word, or inside
of a name. A run of a script without spaces matches anywhere. `*` stands for any
letters, quotes make a phrase, C++ and C# are words; all other punctuation only
separates words. Typing errors are allowed only if nothing matches without them.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field as data_field
from typing import Literal

from services.search.conditions import Condition
from services.search.words import MARKS, SHORTEST_INNER, inner_grams, is_run, pieces
from shared.contracts.errors import Invalid
from shared.text.folding import folded

TITLE_FIELDS = ("title", "keywords")
ROW_FIELDS = ("title", "keywords", "text")
RUN_FIELDS = ("title", "keywords", "about", "text")
#: How much the other fields add to the score of the best one.
TIE = 0.1
#: The boost of a match by field. `stems` has the stemmed words of title and text.
BOOSTS = {"title": 6.0, "keywords": 4.0, "about": 1.0, "text": 1.5, "stems": 0.8}
#: The boost of a match of a word's beginning, by field.
PREFIX_BOOSTS = {"title": 2.0, "words": 0.3}
#: The boost if the term equals a title or name, or occurs in it as a phrase.
WHOLE_BOOST = 20.0
PHRASE_BOOST = 6.0
#: The boost of a match inside of a name, and of one with typing errors.
INNER_BOOST = 0.25
FUZZY_BOOST = 0.2
SHORTEST_PREFIX = 2
#: From the first length on one typing error is allowed, from the second on two.
FORGIVEN = (4, 8)

DEFAULT_LIMIT, LONGEST_PAGE = 25, 100
LONGEST_TERM = 100
#: The limit after folding, which turns a ligature into several letters.
LONGEST_FOLDED = 200
#: The most digits of a number: Python raises an error for very long ones.
LONGEST_NUMBER = 12
DEEPEST = 100_000
#: The cost of a term grows with its words, and most with wildcards inside of words.
MOST_WORDS = 24
MOST_WILDCARDS, MOST_STARS = 2, 8
#: Up to so many words, a query is cheap.
FEW_WORDS = 4
STOP_WORDS = frozenset(
    {"a", "an", "and", "are", "as", "at", "be", "by", "do", "for", "from", "how"}
    | {"in", "is", "it", "of", "on", "or", "the", "this", "to", "what", "where"}
    | {"which", "who", "why", "with"}
)

WordKind = Literal["word", "run", "prefix", "pattern", "phrase"]
Step = Literal["exact", "forgiving", "most"]

_CHUNK = re.compile(r'"([^"]*)"|(\S+)')
_STARS = re.compile(r"\*+")
_WORD_WITH_STARS = re.compile(rf"[\w*{MARKS}]+")


@dataclass(frozen=True, slots=True)
class Word:
    """One required word; only a phrase has several tokens, only a pattern has `*`.

    A run is a word of a script without spaces; phrases may contain runs.
    """

    kind: WordKind
    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Term:
    """A parsed search term.

    If it is `empty`, everything matches; if it has no words but is not empty, nothing
    matches. `typed` has all typed words, including stop words.
    """

    words: tuple[Word, ...] = ()
    empty: bool = True
    typed: tuple[str, ...] = ()

    @property
    def plain(self) -> tuple[str, ...]:
        """The single words and runs in their order, for phrase matches."""
        return tuple(w.tokens[0] for w in self.words if w.kind in ("word", "run"))

    @property
    def wholes(self) -> tuple[str, ...]:
        """The normalized titles and names that equal this term (field `whole`)."""
        titles = {" ".join(self.plain), " ".join(self.typed)}
        return tuple(sorted(titles - {""}))


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A request for a page of results.

    `readable` is the policy's condition, `filters` are the caller's. With `within`
    "title" only titles and names are searched (for suggestions).
    """

    term: Term = data_field(default_factory=Term)
    types: tuple[str, ...] = ()
    filters: tuple[tuple[str, tuple[str, ...]], ...] = ()
    readable: Condition | None = None
    page: int = 0
    limit: int = DEFAULT_LIMIT
    within: Literal["all", "title"] = "all"


def parse_term(text: str) -> Term:
    """Parse a typed search term.

    Raises:
        Invalid: if it is too long, or has too many words or wildcards.
    """
    if len(text) > LONGEST_TERM:
        raise Invalid(
            f'term: The term length "{len(text)}" is greater than "{LONGEST_TERM}"'
        )
    words: list[Word] = []
    plain = folded(text)
    if len(plain) > LONGEST_FOLDED:
        raise Invalid("term: has too many ligatures and signs made of several letters")
    everything = not plain.strip()
    for phrase, chunk in _CHUNK.findall(plain):
        if phrase:
            words += _phrase(phrase)
        elif "*" in chunk:
            patterns = _patterns(chunk)
            words += patterns
            everything = everything or (not patterns and not chunk.strip("*"))
        else:
            words += [_single(piece) for piece in pieces(chunk)]
    required = _without_stop_words(words)
    _check_effort(required)
    typed = () if "*" in plain else tuple(pieces(plain))
    return Term(required, empty=everything and not words, typed=typed)


def _single(piece: str) -> Word:
    return Word("run" if is_run(piece) else "word", (piece,))


def _check_effort(words: tuple[Word, ...]) -> None:
    tokens = [token for word in words for token in word.tokens]
    if len(tokens) > MOST_WORDS:
        raise Invalid(f"term: must have at most {MOST_WORDS} words")
    patterns = [word.tokens[0] for word in words if word.kind == "pattern"]
    if len(patterns) > MOST_WILDCARDS:
        raise Invalid(f"term: at most {MOST_WILDCARDS} words may have * inside")
    if any(token.count("*") > MOST_STARS for token in patterns):
        raise Invalid(f"term: a word may have at most {MOST_STARS} times *")


def _phrase(text: str) -> list[Word]:
    tokens = tuple(pieces(text))
    if len(tokens) < 2:
        return [_single(piece) for piece in tokens]
    return [Word("phrase", tokens)]


def _patterns(chunk: str) -> list[Word]:
    """Parse words with `*`: `mono*` is a prefix, others are patterns of one word.

    Runs match anywhere, so `*` beside them has no meaning.
    """
    words: list[Word] = []
    for part in _parts_with_stars(chunk):
        if "*" not in part:
            words.append(_single(part))
        elif any(is_run(piece) for piece in pieces(part)):
            words += [_single(piece) for piece in pieces(part)]
        elif "*" not in part.rstrip("*"):
            words.append(Word("prefix", (part.rstrip("*"),)))
        else:
            words.append(Word("pattern", (_STARS.sub("*", part),)))
    return words


def _parts_with_stars(chunk: str) -> list[str]:
    """The words of a chunk, with adjacent `*`."""
    parts = _WORD_WITH_STARS.findall(chunk.replace("_", " "))
    return [part for part in parts if part.strip("*")]


def _without_stop_words(words: list[Word]) -> tuple[Word, ...]:
    """The distinct words without stop words, unless all are stop words."""
    significant = [
        word
        for word in words
        if word.kind != "word" or word.tokens[0] not in STOP_WORDS
    ]
    return tuple(dict.fromkeys(significant or words))


def is_costly(term: Term) -> bool:
    """Whether an engine may have to scan many words of its index for this term."""
    return len(term.words) > FEW_WORDS or any(
        word.kind in ("pattern", "prefix") or _is_single_letter(word)
        for word in term.words
    )


def _is_single_letter(word: Word) -> bool:
    """Whether a run has one letter, which matches all pairs that begin with it."""
    return word.kind == "run" and len(word.tokens[0]) == 1


def infix_token(word: Word) -> str | None:
    """The infix to search in longer words; None if the word is too short."""
    token = word.tokens[0]
    if word.kind != "word" or len(token) < SHORTEST_INNER or token.isdigit():
        return None
    return token


def approximate_grams(run: str) -> tuple[tuple[str, ...], int]:
    """A run's grams, and how many of them a text must have to match approximately."""
    grams = tuple(dict.fromkeys(inner_grams(run)))
    return grams, max(min(2, len(grams)), (len(grams) + 1) // 2)


def fuzziness(token: str) -> int:
    """The most edits (typing errors) between a word and what it matches."""
    if token.isdigit():
        return 0
    return sum(len(token) >= length for length in FORGIVEN)


def steps(term: Term) -> tuple[Step, ...]:
    """The search steps, tried until one matches: exact, with errors, most words."""
    forgiving = any(_is_forgiven(word) for word in term.words)
    steps: list[Step] = ["exact"]
    if forgiving:
        steps.append("forgiving")
    if len(term.words) > 2:
        steps.append("most")
    return tuple(steps)


def _is_forgiven(word: Word) -> bool:
    if word.kind == "run":
        return len(word.tokens[0]) > 2
    return word.kind == "word" and fuzziness(word.tokens[0]) > 0


def parse_question(
    pairs: Iterable[tuple[str, str]], *, readable: Condition | None = None
) -> SearchRequest:
    """Parse a query string with Backstage's parameter names.

    Lists are written `types[]=a`, `types[0]=a` or `types=a`, filters `filters[k]=v`,
    their lists `filters[k][]=v`. Unknown parameters are ignored.

    Raises:
        Invalid: if a number, a cursor or a length breaks its rule.
    """
    term, cursor, limit = "", "", str(DEFAULT_LIMIT)
    types: list[str] = []
    filters: dict[str, list[str]] = {}
    for name, value in pairs:
        base, keys = _split_parameter(name)
        if base == "term":
            term = value
        elif base == "pageCursor":
            cursor = value
        elif base == "pageLimit":
            limit = value
        elif base == "types" and value:
            types.append(value)
        elif base == "filters" and keys and keys[0]:
            filters.setdefault(keys[0], []).append(value)
    size = page_size(limit, LONGEST_PAGE)
    return SearchRequest(
        term=parse_term(term),
        types=tuple(dict.fromkeys(types)),
        filters=tuple((name, tuple(values)) for name, values in filters.items()),
        readable=readable,
        page=page_of(cursor, size),
        limit=size,
    )


def _split_parameter(name: str) -> tuple[str, list[str]]:
    base, _, keys = name.partition("[")
    return base, [key.rstrip("]") for key in keys.split("[")] if keys else []


def page_size(text: str, longest: int, *, field: str = "pageLimit") -> int:
    """Parse the number of results on a page; 0 requests the total only.

    Raises:
        Invalid: unless it is a whole number up to `longest`.
    """
    if not text.isascii() or not text.isdigit() or len(text) > LONGEST_NUMBER:
        raise Invalid(f"{field}: must be a whole number, not {text[:20]!r}")
    if int(text) > longest:
        raise Invalid(f'{field}: The page limit "{text}" is greater than "{longest}"')
    return int(text)


def cursor_of(page: int) -> str:
    """The cursor of a page."""
    return base64.b64encode(str(page).encode()).decode()


def page_of(cursor: str, limit: int) -> int:
    """Parse a cursor to a page number; an empty one is the first page.

    Raises:
        Invalid: if it is not a cursor of this server.
    """
    if not cursor:
        return 0
    try:
        text = base64.b64decode(cursor, validate=True).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise Invalid("pageCursor: is no cursor of this server") from error
    if not text.isdigit() or len(text) > LONGEST_NUMBER:
        raise Invalid("pageCursor: is no cursor of this server")
    if int(text) * limit > DEEPEST:
        raise Invalid(
            f"pageCursor: only the first {DEEPEST} results can be paged through; "
            "search for more words or filter"
        )
    return int(text)
