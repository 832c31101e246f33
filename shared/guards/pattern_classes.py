r"""Character classes of JavaScript's regular expressions, for RE2 and for `regex`.

`\d`, `\w`, `\s` and their opposites are translated to ranges, because the engines do
not agree on them; everything else is one escaped character, a range or a property.
"""

import re

from shared.contracts.errors import Invalid

_LAST = "\U0010ffff"
_WORD = "0-9A-Z_a-z"
_SPACE = "\\t-\\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
#: The content of the brackets of each class, for both engines.
CLASSES = {
    "d": "0-9",
    "D": f"\\x00-\\/:-{_LAST}",
    "w": _WORD,
    "W": f"\\x00-\\/:-\\@\\[-\\^`{{-{_LAST}",
    "s": _SPACE,
    "S": (
        "\\x00-\\x08\\x0e-\\x1f!-\x9f\xa1-\u167f\u1681-\u1fff\u200b-\u2027\u202a-\u202e"
        f"\u2030-\u205e\u2060-\u2fff\u3001-\ufefe\uff00-{_LAST}"
    ),
}
#: The weight of a table of ranges, in plain characters.
CLASS_WEIGHTS = {"s": 15, "S": 30}
PROPERTY_WEIGHT = 60
DOT = "[^\\n\\r\u2028\u2029]"
ANYTHING = "(?s:.)"
NOTHING = f"[^\\x00-{_LAST}]"
_CONTROLS = {"f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_HEX = re.compile(r"x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|u\{([0-9A-Fa-f]{1,6})\}")
_LOW = re.compile(r"\\u([Dd][C-Fc-f][0-9A-Fa-f]{2})")
_PROPERTY = re.compile(
    r"[pP]\{(?:(gc|General_Category|sc|Script)=)?([A-Za-z_]{1,40})\}"
)
_CATEGORIES = {
    "Letter": "L",
    "Uppercase_Letter": "Lu",
    "Lowercase_Letter": "Ll",
    "Titlecase_Letter": "Lt",
    "Modifier_Letter": "Lm",
    "Other_Letter": "Lo",
    "Mark": "M",
    "Nonspacing_Mark": "Mn",
    "Spacing_Mark": "Mc",
    "Number": "N",
    "Decimal_Number": "Nd",
    "Letter_Number": "Nl",
    "Other_Number": "No",
    "Punctuation": "P",
    "Dash_Punctuation": "Pd",
    "Symbol": "S",
    "Separator": "Z",
    "Math_Symbol": "Sm",
    "Currency_Symbol": "Sc",
    "Space_Separator": "Zs",
    "Other": "C",
    "Control": "Cc",
    "Format": "Cf",
}


class NotAPattern(Invalid):
    """The text is not a regular expression of JavaScript's, or it is too large."""


def literal(character: str) -> str:
    """The escaped form of one character, valid inside and outside of a class."""
    if character.isascii() and not character.isalnum() and character not in "_ ":
        if character.isprintable():
            return "\\" + character
        return f"\\x{ord(character):02x}"
    # Half a surrogate pair occurs in no text that is matched.
    return "\ufffd" if "\ud800" <= character <= "\udfff" else character


def property_of(source: str, at: int) -> tuple[str, int]:
    r"""`\p{…}` for both engines, and its end; `at` is the position of the `p`."""
    match = _PROPERTY.match(source, at)
    if match is None:
        raise NotAPattern("invalid property name")
    name = match[2]
    if not (match[1] or "").startswith("s"):
        name = _CATEGORIES.get(name, name)
    return f"\\{source[at]}{{{name}}}", match.end()


def character_of(source: str, at: int) -> tuple[str, int]:
    r"""The character that an escape stands for, and its end; `at` is after the `\`."""
    letter = source[at]
    if letter in _CONTROLS:
        return _CONTROLS[letter], at + 1
    if letter == "0" and not source[at + 1 : at + 2].isdigit():
        return "\0", at + 1
    if letter == "c" and source[at + 1 : at + 2].isalpha() and source[at + 1].isascii():
        return chr(ord(source[at + 1]) % 32), at + 2
    match = _HEX.match(source, at)
    if match is None:
        return letter, at + 1
    code, end = int(match[1] or match[2] or match[3], 16), match.end()
    low = _LOW.match(source, end) if 0xD800 <= code < 0xDC00 else None
    if low is not None:
        code = 0x10000 + ((code - 0xD800) << 10) + int(low[1], 16) - 0xDC00
        end = low.end()
    if code > 0x10FFFF:
        raise NotAPattern("invalid Unicode escape")
    return chr(code), end


class ClassReader:
    """Reads one `[…]`; `at` is the position after the bracket."""

    def __init__(self, source: str, at: int, *, has_properties: bool) -> None:
        self._source = source
        self._position = at
        self._has_properties = has_properties
        self.weight = 0

    def read(self) -> tuple[str, int]:
        """The class for both engines, and the position after it."""
        is_negated = self._source.startswith("^", self._position)
        self._position += is_negated
        members: list[str] = []
        while not self._source.startswith("]", self._position):
            members.append(self._member())
        end = self._position + 1
        if not members:
            return ANYTHING if is_negated else NOTHING, end
        return f"[{'^' * is_negated}{''.join(members)}]", end

    def _member(self) -> str:
        self.weight += 1
        low, is_set = self._atom()
        is_range = self._source.startswith("-", self._position) and not (
            self._source.startswith("-]", self._position)
        )
        if not is_range:
            return low if is_set else literal(low)
        self._position += 1
        high, is_other_set = self._atom()
        if is_set or is_other_set:
            # `[\w-.]`: the dash is literal if one side is a set.
            sides = (
                low if is_set else literal(low),
                high if is_other_set else literal(high),
            )
            return "\\-".join(sides)
        if low > high:
            raise NotAPattern("range out of order in character class")
        return f"{literal(low)}-{literal(high)}"

    def _atom(self) -> tuple[str, bool]:
        """A character, or the bracket content of a set; whether it is a set."""
        if self._position >= len(self._source):
            raise NotAPattern("unterminated character class")
        character = self._source[self._position]
        self._position += 1
        if character != "\\":
            return character, False
        letter = self._source[self._position : self._position + 1]
        if letter in CLASSES and letter:
            self._position += 1
            self.weight += CLASS_WEIGHTS.get(letter, 1)
            return CLASSES[letter], True
        if letter in {"p", "P"} and self._has_properties:
            text, self._position = property_of(self._source, self._position)
            self.weight += PROPERTY_WEIGHT
            return text, True
        if letter == "b":
            self._position += 1
            return "\b", False
        if not letter:
            raise NotAPattern("\\ at the end")
        character, self._position = character_of(self._source, self._position)
        return character, False
