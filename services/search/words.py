"""Splits texts into words, in the same way for the index and for queries.

Letters, digits and their marks make words. Scripts that are written without spaces have
runs instead of words: a run is indexed as pairs of adjacent letters and found where its
pairs are adjacent. Korean is treated like that too, because particles are attached to
its words. The names of languages such as C++ and C# are words with their signs. Both
engines get complete words and only split at spaces.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import groupby

from shared.text.folding import folded

#: Longer words (hashes, base64) are cut, in the index and in queries.
WORD_CHARACTERS = 64
#: A typed word is searched inside of longer words from this length on.
SHORTEST_INNER = 4
#: The most word endings that are indexed of a record: more than prose has.
ENDINGS_LIMIT = 10_000


def _ranges(pairs: Iterable[tuple[int, int]]) -> str:
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in pairs)


#: Han, kana, Hangul, Thai, Lao, Burmese, Khmer, Tibetan and their neighbours, for use
#: between brackets of a regular expression.
UNSPACED = _ranges(
    [
        *((0x0E01, 0x0E4E), (0x0E81, 0x0EDF), (0x0F00, 0x0FBC), (0x1000, 0x109F)),
        *((0x1100, 0x11FF), (0x1780, 0x17D3), (0x1950, 0x19DF), (0x1A20, 0x1AAD)),
        *((0x3005, 0x3007), (0x3021, 0x3035), (0x303B, 0x303C), (0x3041, 0x309F)),
        *((0x30A1, 0x30FA), (0x30FC, 0x312F), (0x31A0, 0x31FF), (0x3400, 0x4DBF)),
        *((0x4E00, 0x9FFF), (0xA960, 0xA97F), (0xA9E0, 0xA9FE), (0xAA60, 0xAA7F)),
        *((0xAA80, 0xAADF), (0xAC00, 0xD7FB), (0xF900, 0xFAFF), (0x20000, 0x3FFFF)),
    ]
)


def _marks() -> Iterator[tuple[int, int]]:
    all_codes = range(0x0900, 0x11FFF)
    marks = [code for code in all_codes if unicodedata.category(chr(code))[0] == "M"]
    for _, row in groupby(enumerate(marks), lambda pair: pair[1] - pair[0]):
        group = [code for _, code in row]
        yield group[0], group[-1]


#: Combining marks that belong to letters; folded texts have no accents.
MARKS = _ranges(_marks())
WORD = re.compile(rf"\w[\w{MARKS}]*")
#: The rest of a word; and the characters between which no word begins.
REST_OF_WORD = re.compile(rf"(?:[^\W_]|[{MARKS}])*")
LETTERS, DIGITS = re.compile(r"[^\W\d_]+"), re.compile(r"\d+")
_NO_DIGITS = re.compile(r"\D+")
_ASCII_WORD = re.compile(r"[A-Za-z0-9]+")
#: One letter with signs that belong to it: C++, c#, F#, also before a version.
_SIGNED = r"[A-Za-z](?:\+\+|#)(?![^\W\d_]|[+#])"
_ASCII_PIECE = re.compile(rf"{_SIGNED}|[A-Za-z0-9]+")
_PIECE = re.compile(rf"{_SIGNED}|{WORD.pattern}")
_SIGNED_WORD = re.compile(rf"(?<![^\W_]){_SIGNED}")
_RUN = re.compile(f"[{UNSPACED}]+")
#: Boundaries inside of written words: camelCase, HTTPServer, v2.
_UPPER, _LOWER = "A-ZÀ-ÖØ-ÞА-Я", "a-zß-öø-ÿа-я"
_CAMEL_CASE_BOUNDARY = re.compile(
    rf"(?<=[{_LOWER}0-9])(?=[{_UPPER}])|(?<=[{_UPPER}])(?=[{_UPPER}][{_LOWER}])"
)
_DIGIT_BOUNDARY = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
#: Korean particles; and Katakana words, which may end with a long vowel mark.
_PARTICLES = ("에서는", "에서", "에게", "으로", "까지", "부터", "처럼", "보다")
_LETTER_PARTICLES = "을를이가은는의에로와과도만"
_HANGUL = re.compile("[가-힣]+")
_KATAKANA = re.compile("[ァ-ヺー]+")


def pieces(plain: str) -> list[str]:
    """The words and runs of a folded text, in their order."""
    if plain.isascii():
        return [word[:WORD_CHARACTERS] for word in _ASCII_PIECE.findall(plain)]
    plain = _RUN.sub(r" \g<0> ", plain.replace("_", " "))
    words = _PIECE.findall(plain)
    return [piece if is_run(piece) else piece[:WORD_CHARACTERS] for piece in words]


def blank_runs(plain: str) -> str:
    """The text with spaces in place of its runs; its length stays the same."""
    if plain.isascii():
        return plain
    return _RUN.sub(lambda run: " " * len(run[0]), plain)


def is_run(piece: str) -> bool:
    """Whether a piece is of a script that is written without spaces."""
    return piece[0] >= "\u0e01" and _RUN.match(piece) is not None


def grams(run: str) -> list[str]:
    """The pairs of adjacent letters and the last letter: the indexed tokens of a run.

    Each letter begins a gram, so that a single letter matches as a prefix.
    """
    return [run[at : at + 2] for at in range(len(run))]


def inner_grams(run: str) -> list[str]:
    """The grams that are adjacent wherever the run occurs."""
    return grams(run)[:-1] if len(run) > 1 else [run]


def tokens(pieces: list[str]) -> list[str]:
    """The indexed tokens of the pieces of a text, in their order."""
    if all(map(str.isascii, pieces)):
        return pieces
    return list(phrase_tokens(pieces, whole=True))


def words_of(pieces: list[str]) -> list[str]:
    """The pieces that are words and not runs."""
    if all(map(str.isascii, pieces)):
        return pieces
    return [piece for piece in pieces if not is_run(piece)]


def phrase_tokens(pieces: Iterable[str], *, whole: bool = False) -> Iterator[str]:
    """The tokens of a phrase of pieces; unless `whole`, the last run may be longer."""
    tokens = list(pieces)
    for number, piece in enumerate(tokens, 1):
        if not is_run(piece):
            yield piece
        elif whole or number < len(tokens):
            yield from grams(piece)
        else:
            yield from inner_grams(piece)


def parts(text: str) -> set[str]:
    """The words inside of a text's compound words, as in `orderService` and `c++`."""
    words: set[str] = set()
    if "++" in text or "#" in text:
        words.update(word[0].lower() for word in _SIGNED_WORD.findall(text))
    pattern = _ASCII_WORD if text.isascii() else WORD
    for word in set(pattern.findall(text.replace("_", " "))):
        if len(word) <= WORD_CHARACTERS and not _is_simple(word):
            words.update(_parts(word))
    return words


def _is_simple(word: str) -> bool:
    if not word.isalpha():
        return word.isdigit()
    return word.islower() or word.istitle() or word.isupper()


@lru_cache(maxsize=4096)
def _parts(word: str) -> tuple[str, ...]:
    humps = _CAMEL_CASE_BOUNDARY.sub(" ", word)
    pieces_of_word = [
        *pieces(folded(humps)),
        *pieces(folded(_DIGIT_BOUNDARY.sub(" ", humps))),
    ]
    return tuple(dict.fromkeys(words_of(pieces_of_word)))


def endings(words: Iterable[str]) -> list[str]:
    """The endings of each word, from its second letter, its third, and so on."""
    distinct = {
        word[at:]
        for word in words
        if len(word) > SHORTEST_INNER and not is_run(word)
        for at in range(1, len(word) - SHORTEST_INNER + 1)
    }
    return sorted(distinct)[:ENDINGS_LIMIT]


def without_digits(words: Iterable[str]) -> Iterator[str]:
    """The words without digits; hashes and numbers have no meaningful endings."""
    return (word for word in words if _NO_DIGITS.fullmatch(word))


def variants(run: str) -> tuple[str, ...]:
    """A typed run, and its form without a final particle or long vowel mark."""
    if _HANGUL.fullmatch(run):
        for particle in _PARTICLES:
            if run.endswith(particle) and len(run) - len(particle) > 1:
                return run, run[: -len(particle)]
        if len(run) > 2 and run[-1] in _LETTER_PARTICLES:
            return run, run[:-1]
    if len(run) > 3 and run[-1] == "ー" and _KATAKANA.fullmatch(run):
        return run, run[:-1]
    return (run,)
