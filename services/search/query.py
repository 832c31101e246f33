"""The abstract query: what a person typed and chose, free of any engine's language.

Typed words are all wanted; each matches as itself, as its stem, or as a beginning of
a word. `*` stands for any letters, quotes keep words together; all other marks only
separate words. Only if nothing matches so are typing errors forgiven.
"""

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field as data_field
from typing import Literal

from services.search.conditions import Condition
from shared.contracts.errors import Invalid

#: Where a word may be, and what it counts there. `stems` holds title and text reduced.
BOOSTS = {"title": 6.0, "keywords": 4.0, "about": 1.0, "text": 1.5, "stems": 0.8}
#: A word that only begins so, by field.
PREFIX_BOOSTS = {"title": 2.0, "words": 0.3}
#: The whole of what was typed is the whole title or name, or stands there in a row.
WHOLE_BOOST = 20.0
PHRASE_BOOST = 6.0
#: Of a word that is not quite the one typed.
FUZZY_BOOST = 0.2
SHORTEST_PREFIX = 2
#: Words this long are forgiven one slip, and two from the second length on.
FORGIVEN = (4, 8)

DEFAULT_LIMIT, LONGEST_PAGE = 25, 100
LONGEST_TERM = 100
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

WordKind = Literal["word", "prefix", "pattern", "phrase"]
Step = Literal["exact", "forgiving", "most"]

_CHUNK = re.compile(r'"([^"]*)"|(\S+)')
_TOKEN = re.compile(r"[^\W_]+")
_PATTERN = re.compile(r"[^\W_*]+|\*+")


@dataclass(frozen=True, slots=True)
class Word:
    """One wanted word: `tokens` has several only in a phrase; `*` only in a pattern."""

    kind: WordKind
    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Term:
    """What was typed. `empty` asks for everything; no words, but not empty: nothing."""

    words: tuple[Word, ...] = ()
    empty: bool = True

    @property
    def plain(self) -> tuple[str, ...]:
        """The single words in their order, for whole titles and rows of words."""
        return tuple(word.tokens[0] for word in self.words if word.kind == "word")


@dataclass(frozen=True, slots=True)
class Question:
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


def folded(text: str) -> str:
    """Lower case without accents: how words are compared."""
    if text.isascii():
        return text.lower()
    parts = unicodedata.normalize("NFKD", text.lower())
    return "".join(part for part in parts if not unicodedata.combining(part))


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
    everything = not text.strip()
    for phrase, chunk in _CHUNK.findall(folded(text)):
        if phrase:
            words += _phrase(phrase)
        elif "*" in chunk:
            found = _patterns(chunk)
            words += found
            everything = everything or (not found and not chunk.strip("*"))
        else:
            words += [Word("word", (token,)) for token in _TOKEN.findall(chunk)]
    wanted = _wanted(words)
    _check_effort(wanted)
    return Term(wanted, empty=everything and not words)


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
    tokens = tuple(_TOKEN.findall(text))
    if len(tokens) < 2:
        return [Word("word", tokens)] if tokens else []
    return [Word("phrase", tokens)]


def _patterns(chunk: str) -> list[Word]:
    """`mono*` is a beginning; a star elsewhere is a pattern over one word."""
    found: list[Word] = []
    for part in re.split(r"[^\w*]+|_+", chunk):
        if not part.strip("*"):
            continue
        if "*" not in part:
            found.append(Word("word", (part,)))
        elif "*" not in part.rstrip("*"):
            found.append(Word("prefix", (part.rstrip("*"),)))
        else:
            pattern = "".join(
                "*" if piece.startswith("*") else piece
                for piece in _PATTERN.findall(part)
            )
            found.append(Word("pattern", (pattern,)))
    return found


def _wanted(words: list[Word]) -> tuple[Word, ...]:
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
        word.kind in ("pattern", "prefix") for word in term.words
    )


def slips(token: str) -> int:
    """How many typing errors are forgiven in this word."""
    if token.isdigit():
        return 0
    return sum(len(token) >= length for length in FORGIVEN)


def steps(term: Term) -> tuple[Step, ...]:
    """How to ask, until something is found: as typed, forgiving, then with gaps."""
    forgiving = any(
        word.kind == "word" and slips(word.tokens[0]) for word in term.words
    )
    found: list[Step] = ["exact"]
    if forgiving:
        found.append("forgiving")
    if len(term.words) > 2:
        found.append("most")
    return tuple(found)


def parse_question(
    pairs: Iterable[tuple[str, str]], *, readable: Condition | None = None
) -> Question:
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
    return Question(
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
