"""The folded form in which texts are compared: without case, accents and variants.

Indexed texts and queries both go through `folded`, so they always agree. The rules in
their order: compatibility forms become plain ones (full-width letters, ligatures), case
is folded, accents are removed where they are an addition (Latin, Greek, Cyrillic,
Hebrew, Arabic) and stay where they are a part of the letter (kana, Thai, Indic scripts,
Hangul), letters with strokes and digraphs become the letters that people type instead,
digits of all scripts become 0 to 9.
"""

import re
import unicodedata

from shared.guards.unicode_forms import composed, decomposed, is_composed

#: The number of cached characters: more than the scripts of one page have.
FOLD_CACHE_SIZE = 20_000
#: Where a combining mark is an accent; all others belong to their letter.
_ACCENTS = (
    *((0x0300, 0x036F), (0x0483, 0x0489), (0x0591, 0x05C7), (0x0610, 0x061A)),
    *((0x064B, 0x065F), (0x0670, 0x0670), (0x06D6, 0x06ED), (0x1AB0, 0x1AFF)),
    *((0x1DC0, 0x1DFF), (0x20D0, 0x20FF), (0x2DE0, 0x2DFF), (0xFE00, 0xFE0F)),
    *((0xFE20, 0xFE2F), (0xE0100, 0xE01EF)),
)
#: Letters that people type as others although neither name nor decomposition says so.
_TYPED = {
    "ı": "i",
    "ð": "d",
    "þ": "th",
    "ŋ": "n",
    "ĸ": "k",
    "ƿ": "w",
    "\u0649": "\u064a",
    "\u06cc": "\u064a",
    "\u06a9": "\u0643",
    "\u0629": "\u0647",
    "\u0640": "",
    "\u200b": " ",
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u300c\u300d", '"'),
    **dict.fromkeys("\u2018\u2019\u02b9\u02bb\u02bc\u02bd\u02be\u02bf", "'"),
}
#: The name of a letter contains its base letter without stroke, hook or tail.
_LATIN = re.compile(r"LATIN SMALL (?:LETTER|LIGATURE) ([A-Z]{1,2})(?: WITH .+)?")


class _Folds(dict[int, str]):
    """The folded form of each character, computed once."""

    def __missing__(self, code: int) -> str:
        if len(self) >= FOLD_CACHE_SIZE:
            self.clear()
        self[code] = plain = _fold(chr(code))
        return plain


_FOLDS = _Folds()


def folded(text: str) -> str:
    """The folded form of a text; folding it again changes nothing."""
    if text.isascii():
        return text.lower()
    return composed(text.translate(_FOLDS))


def folded_places(text: str) -> tuple[str, list[tuple[int, int]] | None]:
    """The folded text, and the span in `text` that each of its characters comes from.

    The list is None if every character keeps its position.
    """
    if text.isascii():
        return text.lower(), None
    folds = list(map(_FOLDS.__getitem__, map(ord, text)))
    plain = "".join(folds)
    is_whole = is_composed(plain)
    if is_whole and set(map(len, folds)) == {1}:
        return plain, None
    origins = [at for at, fold in enumerate(folds) for _ in fold]
    if is_whole:
        return plain, [(at, at + 1) for at in origins]
    return _composed_places(plain, origins)


def _composed_places(
    plain: str, origins: list[int]
) -> tuple[str, list[tuple[int, int]]]:
    """Compose each cluster of letter and marks, and merge the spans of its parts."""
    parts: list[str] = []
    places: list[tuple[int, int]] = []
    start = 0
    for end in range(1, len(plain) + 1):
        if end < len(plain) and _is_joining(plain[end]):
            continue
        part = composed(plain[start:end])
        places += [(origins[start], origins[end - 1] + 1)] * len(part)
        parts.append(part)
        start = end
    return "".join(parts), places


def _is_joining(char: str) -> bool:
    is_vowel_or_final = "\u1161" <= char <= "\u1175" or "\u11a8" <= char <= "\u11c2"
    return is_vowel_or_final or unicodedata.category(char)[0] == "M"


def _fold(char: str) -> str:
    plain = "".join(map(decomposed, decomposed(char).casefold()))
    return composed("".join(map(_letter, plain)))


def _letter(char: str) -> str:
    typed = _TYPED.get(char)
    if typed is not None or char.isascii():
        return char.lower() if typed is None else typed
    category, code = unicodedata.category(char), ord(char)
    if category[0] == "M":
        is_accent = any(first <= code <= last for first, last in _ACCENTS)
        return "" if is_accent else char
    if category == "Cf":
        # Soft hyphens, joiners and marks of direction are no letters.
        return ""
    digit = unicodedata.decimal(char, None)
    if digit is not None:
        return str(digit)
    latin = _LATIN.fullmatch(unicodedata.name(char, ""))
    return latin[1].lower() if latin else char
