"""The words of a text, as the index and the questions to it have them.

Letters, digits and the marks that belong to them make words. Scripts that are written
without spaces give no words but runs: a run is indexed as every two letters in a row,
and found where its own pairs stand in a row. So is Korean, whose particles are written
on to the word. Both engines are given words that are ready: they only split at spaces.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import groupby

from shared.text.folding import folded

#: Longer words (hashes, base64) are cut, in the index as in the question.
LONGEST_WORD = 64
#: A typed piece of a word is looked for inside of words from so many letters on.
SHORTEST_INNER = 4
#: So many endings of a record's words are indexed: more than prose has.
MOST_ENDINGS = 10_000


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
    codes = range(0x0900, 0x11FFF)
    marks = [code for code in codes if unicodedata.category(chr(code))[0] == "M"]
    for _, row in groupby(enumerate(marks), lambda pair: pair[1] - pair[0]):
        found = [code for _, code in row]
        yield found[0], found[-1]


#: Marks that belong to letters: accents are gone from folded texts.
MARKS = _ranges(_marks())
WORD = re.compile(rf"\w[\w{MARKS}]*")
#: How a word goes on, and what a word has no beginning inside of.
REST = re.compile(rf"(?:[^\W_]|[{MARKS}])*")
LETTERS, DIGITS = re.compile(r"[^\W\d_]+"), re.compile(r"\d+")
_NO_DIGITS = re.compile(r"\D+")
_ASCII_WORD = re.compile(r"[A-Za-z0-9]+")
_RUN = re.compile(f"[{UNSPACED}]+")
#: Where written words are several: camelCase, HTTPServer, v2.
_UPPER, _LOWER = "A-ZÀ-ÖØ-ÞА-Я", "a-zß-öø-ÿа-я"
_HUMP = re.compile(
    rf"(?<=[{_LOWER}0-9])(?=[{_UPPER}])|(?<=[{_UPPER}])(?=[{_UPPER}][{_LOWER}])"
)
_DIGITS = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
#: Korean particles, and the long vowel that Japanese words end with or not.
_PARTICLES = ("에서는", "에서", "에게", "으로", "까지", "부터", "처럼", "보다")
_LETTER_PARTICLES = "을를이가은는의에로와과도만"
_HANGUL = re.compile("[가-힣]+")
_KATAKANA = re.compile("[ァ-ヺー]+")


def pieces(plain: str) -> list[str]:
    """The words and runs of a folded text, in their order."""
    if plain.isascii():
        return [word[:LONGEST_WORD] for word in _ASCII_WORD.findall(plain)]
    plain = _RUN.sub(r" \g<0> ", plain.replace("_", " "))
    found = WORD.findall(plain)
    return [piece if is_run(piece) else piece[:LONGEST_WORD] for piece in found]


def blank_runs(plain: str) -> str:
    """The text with spaces in place of its runs: every other letter at its place."""
    if plain.isascii():
        return plain
    return _RUN.sub(lambda run: " " * len(run[0]), plain)


def is_run(piece: str) -> bool:
    """Whether a piece is of a script that is written without spaces."""
    return piece[0] >= "\u0e01" and _RUN.match(piece) is not None


def grams(run: str) -> list[str]:
    """Every two letters in a row, and the last one: what a run is in the index.

    Every letter begins a gram, so that a single one is found as a beginning.
    """
    return [run[at : at + 2] for at in range(len(run))]


def inner_grams(run: str) -> list[str]:
    """The grams that stand in a row wherever the run is written."""
    return grams(run)[:-1] if len(run) > 1 else [run]


def tokens(pieces: list[str]) -> list[str]:
    """What the pieces of a text are in the index, in their order."""
    if all(map(str.isascii, pieces)):
        return pieces
    return list(in_a_row(pieces, whole=True))


def words_of(pieces: list[str]) -> list[str]:
    """The pieces that are words, of scripts that have words."""
    if all(map(str.isascii, pieces)):
        return pieces
    return [piece for piece in pieces if not is_run(piece)]


def in_a_row(found: Iterable[str], *, whole: bool = False) -> Iterator[str]:
    """Pieces as they stand in the index; the last run may go on, unless it is whole."""
    listed = list(found)
    for number, piece in enumerate(listed, 1):
        if not is_run(piece):
            yield piece
        elif whole or number < len(listed):
            yield from grams(piece)
        else:
            yield from inner_grams(piece)


def parts(text: str) -> set[str]:
    """The words inside of a text's written words: `orderService`, `v2`, `k8s`."""
    found: set[str] = set()
    pattern = _ASCII_WORD if text.isascii() else WORD
    for word in set(pattern.findall(text.replace("_", " "))):
        if len(word) <= LONGEST_WORD and not _is_simple(word):
            found.update(_parts(word))
    return found


def _is_simple(word: str) -> bool:
    if not word.isalpha():
        return word.isdigit()
    return word.islower() or word.istitle() or word.isupper()


@lru_cache(maxsize=4096)
def _parts(word: str) -> tuple[str, ...]:
    humps = _HUMP.sub(" ", word)
    both = [*pieces(folded(humps)), *pieces(folded(_DIGITS.sub(" ", humps)))]
    return tuple(dict.fromkeys(words_of(both)))


def endings(words: Iterable[str]) -> list[str]:
    """How each word goes on from its second letter, from its third, and so on."""
    distinct = {
        word[at:]
        for word in words
        if len(word) > SHORTEST_INNER and not is_run(word)
        for at in range(1, len(word) - SHORTEST_INNER + 1)
    }
    return sorted(distinct)[:MOST_ENDINGS]


def without_digits(words: Iterable[str]) -> Iterator[str]:
    """The words that may be put together of others: hashes and numbers are not."""
    return (word for word in words if _NO_DIGITS.fullmatch(word))


def variants(run: str) -> tuple[str, ...]:
    """A typed run, and what it is without the particle or long vowel at its end."""
    if _HANGUL.fullmatch(run):
        for particle in _PARTICLES:
            if run.endswith(particle) and len(run) - len(particle) > 1:
                return run, run[: -len(particle)]
        if len(run) > 2 and run[-1] in _LETTER_PARTICLES:
            return run, run[:-1]
    if len(run) > 3 and run[-1] == "ー" and _KATAKANA.fullmatch(run):
        return run, run[:-1]
    return (run,)
