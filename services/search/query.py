"""The abstract query: what a person typed and chose, free of any engine's language.

Typed words are all wanted; each matches as itself, as its stem, as a beginning of
a word, or inside of a name. What is typed in a script without spaces matches wherever
it is written. `*` stands for any letters, quotes keep words together; all other marks
only separate words. Only if nothing matches so are typing errors forgiven.
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

#: Where a word may be, and what it counts there. `stems` holds title and text reduced.
BOOSTS = {"title": 6.0, "keywords": 4.0, "about": 1.0, "text": 1.5, "stems": 0.8}
#: A word that only begins so, by field.
PREFIX_BOOSTS = {"title": 2.0, "words": 0.3}
#: The whole of what was typed is the whole title or name, or stands there in a row.
WHOLE_BOOST = 20.0
PHRASE_BOOST = 6.0
#: Of a word that stands inside of a name, or is not quite the one typed.
INNER_BOOST = 0.25
FUZZY_BOOST = 0.2
SHORTEST_PREFIX = 2
#: Words this long are forgiven one slip, and two from the second length on.
FORGIVEN = (4, 8)

DEFAULT_LIMIT, LONGEST_PAGE = 25, 100
LONGEST_TERM = 100
#: The same in letters that are compared: a ligature is several.
LONGEST_FOLDED = 200
#: Digits of a number: Python takes longer ones for an attack, and says so by an error.
LONGEST_NUMBER = 12
DEEPEST = 100_000
#: What an engine spends on a term grows with its words, most with stars inside them.
MOST_WORDS = 24
MOST_WILDCARDS, MOST_STARS = 2, 8
#: Words that an engine looks up in a moment.
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
_STARRED = re.compile(rf"[\w*{MARKS}]+")


@dataclass(frozen=True, slots=True)
class Word:
    """One wanted word: `tokens` has several only in a phrase; `*` only in a pattern.

    A run is written without spaces, and may be one inside of a phrase too.
    """

    kind: WordKind
    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Term:
    """What was typed. `empty` asks for everything; no words, but not empty: nothing.

    `typed` has all of it in words, with the little ones.
    """

    words: tuple[Word, ...] = ()
    empty: bool = True
    typed: tuple[str, ...] = ()

    @property
    def plain(self) -> tuple[str, ...]:
        """The single words and runs in their order, for rows of words."""
        return tuple(w.tokens[0] for w in self.words if w.kind in ("word", "run"))

    @property
    def wholes(self) -> tuple[str, ...]:
        """Whole titles and names that this may be, as `whole` has them."""
        found = {" ".join(self.plain), " ".join(self.typed)}
        return tuple(sorted(found - {""}))


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A page of results that somebody wants.

    `readable` is what the policy lets them see, `filters` what they chose. A question
    `within` "title" looks at titles and names alone (for suggestions).
    """

    term: Term = data_field(default_factory=Term)
    types: tuple[str, ...] = ()
    filters: tuple[tuple[str, tuple[str, ...]], ...] = ()
    readable: Condition | None = None
    page: int = 0
    limit: int = DEFAULT_LIMIT
    within: Literal["all", "title"] = "all"


def parse_term(text: str) -> Term:
    """The words in what somebody typed.

    Raises:
        Invalid: if it is longer than a term may be, or has too many words or stars.
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
            found = _patterns(chunk)
            words += found
            everything = everything or (not found and not chunk.strip("*"))
        else:
            words += [_single(piece) for piece in pieces(chunk)]
    wanted = _without_stop_words(words)
    _check_effort(wanted)
    typed = () if "*" in plain else tuple(pieces(plain))
    return Term(wanted, empty=everything and not words, typed=typed)


def _single(piece: str) -> Word:
    return Word("run" if is_run(piece) else "word", (piece,))


def _check_effort(words: tuple[Word, ...]) -> None:
    tokens = [token for word in words for token in word.tokens]
    if len(tokens) > MOST_WORDS:
        raise Invalid(f"term: must have at most {MOST_WORDS} words")
    starred = [word.tokens[0] for word in words if word.kind == "pattern"]
    if len(starred) > MOST_WILDCARDS:
        raise Invalid(f"term: at most {MOST_WILDCARDS} words may have * inside")
    if any(token.count("*") > MOST_STARS for token in starred):
        raise Invalid(f"term: a word may have at most {MOST_STARS} times *")


def _phrase(text: str) -> list[Word]:
    found = tuple(pieces(text))
    if len(found) < 2:
        return [_single(piece) for piece in found]
    return [Word("phrase", found)]


def _patterns(chunk: str) -> list[Word]:
    """`mono*` is a beginning; a star elsewhere is a pattern over one word.

    Runs are found anywhere: stars beside them say nothing more.
    """
    found: list[Word] = []
    for part in _starred(chunk):
        if "*" not in part:
            found.append(_single(part))
        elif any(is_run(piece) for piece in pieces(part)):
            found += [_single(piece) for piece in pieces(part)]
        elif "*" not in part.rstrip("*"):
            found.append(Word("prefix", (part.rstrip("*"),)))
        else:
            found.append(Word("pattern", (_STARS.sub("*", part),)))
    return found


def _starred(chunk: str) -> list[str]:
    """The words of a chunk with the stars that touch them."""
    found = _STARRED.findall(chunk.replace("_", " "))
    return [part for part in found if part.strip("*")]


def _without_stop_words(words: list[Word]) -> tuple[Word, ...]:
    """Without the little words, unless there are no others; each once."""
    telling = [
        word
        for word in words
        if word.kind != "word" or word.tokens[0] not in STOP_WORDS
    ]
    return tuple(dict.fromkeys(telling or words))


def is_costly(term: Term) -> bool:
    """Whether an engine may look through many words to answer this."""
    return len(term.words) > FEW_WORDS or any(
        word.kind in ("pattern", "prefix") or _is_single_letter(word)
        for word in term.words
    )


def _is_single_letter(word: Word) -> bool:
    """Whether a run is found as all the pairs that begin with it."""
    return word.kind == "run" and len(word.tokens[0]) == 1


def inner(word: Word) -> str | None:
    """What is looked for inside of longer words too, if this word is long enough."""
    token = word.tokens[0]
    if word.kind != "word" or len(token) < SHORTEST_INNER or token.isdigit():
        return None
    return token


def loose_grams(run: str) -> tuple[tuple[str, ...], int]:
    """A run's grams, and how many of them a text has at least that is nearly meant."""
    found = tuple(dict.fromkeys(inner_grams(run)))
    return found, max(min(2, len(found)), (len(found) + 1) // 2)


def slips(token: str) -> int:
    """How many typing errors are forgiven in this word."""
    if token.isdigit():
        return 0
    return sum(len(token) >= length for length in FORGIVEN)


def steps(term: Term) -> tuple[Step, ...]:
    """How to ask, until something is found: as typed, forgiving, then with gaps."""
    forgiving = any(_is_forgiven(word) for word in term.words)
    found: list[Step] = ["exact"]
    if forgiving:
        found.append("forgiving")
    if len(term.words) > 2:
        found.append("most")
    return tuple(found)


def _is_forgiven(word: Word) -> bool:
    if word.kind == "run":
        return len(word.tokens[0]) > 2
    return word.kind == "word" and slips(word.tokens[0]) > 0


def parse_question(
    pairs: Iterable[tuple[str, str]], *, readable: Condition | None = None
) -> SearchRequest:
    """The question in a query string, by Backstage's parameter names.

    Lists are written `types[]=a`, `types[0]=a` or `types=a`, filters `filters[k]=v`,
    their lists `filters[k][]=v`. Unknown parameters are ignored.

    Raises:
        Invalid: if a number, a cursor or a length breaks its rule.
    """
    term, cursor, limit = "", "", str(DEFAULT_LIMIT)
    types: list[str] = []
    filters: dict[str, list[str]] = {}
    for name, value in pairs:
        base, keys = _bracketed(name)
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


def _bracketed(name: str) -> tuple[str, list[str]]:
    base, _, rest = name.partition("[")
    return base, [key.rstrip("]") for key in rest.split("[")] if rest else []


def page_size(text: str, longest: int, *, field: str = "pageLimit") -> int:
    """The number of results wanted; none is a way to ask for the total alone.

    Raises:
        Invalid: unless it is a whole number up to `longest`.
    """
    if not text.isascii() or not text.isdigit() or len(text) > LONGEST_NUMBER:
        raise Invalid(f"{field}: must be a whole number, not {text[:20]!r}")
    if int(text) > longest:
        raise Invalid(f'{field}: The page limit "{text}" is greater than "{longest}"')
    return int(text)


def cursor_of(page: int) -> str:
    """The cursor that leads to a page."""
    return base64.b64encode(str(page).encode()).decode()


def page_of(cursor: str, limit: int) -> int:
    """The page a cursor leads to; the first one without a cursor.

    Raises:
        Invalid: if this server never gave such a cursor.
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
