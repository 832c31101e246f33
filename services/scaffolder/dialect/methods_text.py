"""The JavaScript methods of texts.

A position counts characters, a width UTF-16 units, as `length` does.
"""

import math
import unicodedata
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from services.scaffolder.dialect import patterns
from services.scaffolder.dialect.arithmetic import integer
from services.scaffolder.dialect.calling import Call, Operation
from services.scaffolder.dialect.failure import ValueFailure
from services.scaffolder.dialect.limits import OPERAND
from services.scaffolder.dialect.values import UNDEFINED, Pattern, length, text
from shared.guards import text_search
from shared.guards.patterns import Spans
from shared.guards.unicode_forms import Form, normalized

_FORMS: dict[str, Form] = {"NFC": "NFC", "NFD": "NFD", "NFKC": "NFKC", "NFKD": "NFKD"}
#: The most characters that one becomes in any of the forms.
_EXPANSION = 18
#: Marks in a row: sorting them takes the square of their number.
_MOST_MARKS = 100
#: Signs in the order of the Unicode collation: before digits and letters.
_SIGNS = " _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$"
_COLLATION = {ord(sign): chr(rank) for rank, sign in enumerate(_SIGNS, 1)}


def _bounded(value: Any, size: int, default: int) -> int:
    """An index of `slice`: negative counts from the end."""
    at = integer(value) if value is not UNDEFINED else default
    return max(0, size + at) if at < 0 else min(at, size)


def _clamped(value: Any, size: int, default: int) -> int:
    at = integer(value) if value is not UNDEFINED else default
    return max(0, min(at, size))


def _char_at(call: Call) -> str:
    at = integer(call.arg(0, 0))
    return call.value[at] if 0 <= at < len(call.value) else ""


def _char_code_at(call: Call) -> Any:
    at = integer(call.arg(0, 0))
    return ord(call.value[at]) if 0 <= at < len(call.value) else math.nan


def _concat(call: Call) -> str:
    parts = [call.value, *map(text, call.args)]
    call.afford(sum(map(len, parts)))
    return "".join(parts)


def _searched_text(call: Call) -> str:
    if isinstance(call.arg(0), Pattern):
        raise ValueFailure("A pattern is not accepted here")
    return text(call.arg(0))


def _includes(call: Call) -> bool:
    return _index_of(call) >= 0


def _starts_with(call: Call) -> bool:
    at = _clamped(call.arg(1), len(call.value), 0)
    return bool(call.value.startswith(_searched_text(call), at))


def _ends_with(call: Call) -> bool:
    end = _clamped(call.arg(1), len(call.value), len(call.value))
    return bool(call.value[:end].endswith(_searched_text(call)))


def _index_of(call: Call) -> int:
    at = _clamped(call.arg(1), len(call.value), 0)
    return text_search.find_first(call.value, _searched_text(call), at)


def _last_index_of(call: Call) -> int:
    searched = _searched_text(call)
    at = _clamped(call.arg(1), len(call.value), len(call.value))
    return text_search.find_last(call.value, searched, at + len(searched))


def _replace(call: Call) -> str:
    old, new = call.arg(0), text(call.arg(1))
    if not isinstance(old, Pattern):
        old = text(old)
        at = text_search.find_first(call.value, old)
        if at < 0:
            return str(call.value)
        span = [(at, at + len(old))]
        call.afford(len(call.value) + patterns.expanded_size(new, call.value, span))
        new = patterns.expanded(new, call.value, span, {})
        return str(call.value[:at] + new + call.value[at + len(old) :])
    return patterns.replace(old, call.value, new, call.budget)


def _slice(call: Call) -> str:
    size = len(call.value)
    start = _bounded(call.arg(0), size, 0)
    return str(call.value[start : _bounded(call.arg(1), size, size)])


def _split(call: Call) -> list[Any]:
    by = call.arg(0)
    call.budget.write(len(call.value))
    if by is UNDEFINED:
        parts: list[Any] = [call.value]
    elif isinstance(by, Pattern):
        parts = patterns.split(by, call.value)
    else:
        by = text(by)
        call.afford_items(text_search.count(call.value, by) + 1)
        parts = text_search.split(call.value, by) if by else list(call.value)
    limit = call.arg(1)
    if limit is not UNDEFINED and integer(limit) >= 0:
        parts = parts[: integer(limit)]
    return parts


def _substring(call: Call) -> str:
    size = len(call.value)
    ends = (_clamped(call.arg(0), size, 0), _clamped(call.arg(1), size, size))
    return str(call.value[min(ends) : max(ends)])


def _at(call: Call) -> Any:
    at = integer(call.arg(0, 0))
    at = at + len(call.value) if at < 0 else at
    return call.value[at] if 0 <= at < len(call.value) else UNDEFINED


def _code_point_at(call: Call) -> Any:
    at = integer(call.arg(0, 0))
    return ord(call.value[at]) if 0 <= at < len(call.value) else UNDEFINED


def _substr(call: Call) -> str:
    size = len(call.value)
    start = _bounded(call.arg(0), size, 0)
    return str(call.value[start : start + max(0, integer(call.arg(1, size)))])


def _repeat(call: Call) -> str:
    count = integer(call.arg(0))
    if count < 0:
        raise ValueFailure("A text cannot be repeated less than 0 times")
    call.afford(count * len(call.value))
    return str(call.value * count)


def _padding(call: Call) -> str:
    fill, width = text(call.arg(1, " ")), integer(call.arg(0, 0))
    missing = width - length(call.value)
    if missing <= 0 or not fill:
        return ""
    if width > OPERAND:
        raise ValueFailure(f"A width is over {OPERAND}")
    call.afford(missing + len(fill))
    units = (fill * (missing // len(fill) + 1)).encode("utf-16-le", "surrogatepass")
    return units[: 2 * missing].decode("utf-16-le", "ignore")


def _replace_all(call: Call) -> str:
    old, new, value = call.arg(0), text(call.arg(1)), call.value
    if isinstance(old, Pattern):
        if "g" not in old.flags:
            raise ValueFailure("replaceAll takes a pattern with the flag g")
        return patterns.replace(old, value, new, call.budget)
    old = text(old)
    if "$" in new:
        return patterns.replaced(value, _spans(call, old), {}, new, call.budget)
    call.afford(len(value) + text_search.count(value, old) * len(new))
    return text_search.replace(value, old, new)


def _spans(call: Call, searched: str) -> Iterator[Spans]:
    """The place of each occurrence, as the only group of a match."""
    call.afford_items(patterns.MATCH * text_search.count(call.value, searched))
    if not searched:
        yield from ([(at, at)] for at in range(len(call.value) + 1))
        return
    at = 0
    for part in text_search.split(call.value, searched)[:-1]:
        at += len(part)
        yield [(at, at + len(searched))]
        at += len(searched)


def _pattern(call: Call) -> Pattern:
    source = call.arg(0, "")
    return source if isinstance(source, Pattern) else Pattern(text(source), "")


def _match(call: Call) -> list[Any] | None:
    return patterns.match_texts(_pattern(call), call.value)


def _search(call: Call) -> int:
    matches, _ = patterns.spans(_pattern(call), call.value, 1)
    return matches[0][0][0] if matches else -1


def _normalize(call: Call) -> str:
    form = _FORMS.get(text(call.arg(0, "NFC")))
    if form is None:
        raise ValueFailure(f"The form must be one of {', '.join(_FORMS)}")
    return _normalized(call, call.value, form)


def _normalized(call: Call, value: str, form: Form) -> str:
    if value.isascii():
        return str(value)
    call.afford_items(len(value))
    call.afford(_EXPANSION * len(value))
    for is_mark, marks in groupby(map(_is_mark, value)):
        if is_mark and sum(marks) > _MOST_MARKS:
            raise ValueFailure(f"A text has over {_MOST_MARKS} marks in a row")
    return normalized(value, form)


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M"


def _locale_compare(call: Call) -> int:
    left, right = (_collated(call, part) for part in (call.value, text(call.arg(0))))
    return (left > right) - (left < right)


def _collated(call: Call, value: str) -> tuple[str, str, str]:
    """What a text is sorted by: its letters, then their marks, small ones first."""
    call.budget.read(4 * len(value))
    marked = _normalized(call, value, "NFD").translate(_COLLATION)
    folded = marked.casefold()
    if folded.isascii():
        return folded, folded, marked.swapcase()
    letters = "".join(sign for sign in folded if not _is_mark(sign))
    return letters, folded, marked.swapcase()


def _lower(call: Call) -> str:
    return str(call.value.lower())


def _upper(call: Call) -> str:
    return str(call.value.upper())


def _trim_end(call: Call) -> str:
    return str(call.value.rstrip())


def _trim_start(call: Call) -> str:
    return str(call.value.lstrip())


TEXT: dict[str, Operation] = {
    "at": _at,
    "charAt": _char_at,
    "charCodeAt": _char_code_at,
    "codePointAt": _code_point_at,
    "concat": _concat,
    "endsWith": _ends_with,
    "includes": _includes,
    "indexOf": _index_of,
    "lastIndexOf": _last_index_of,
    "localeCompare": _locale_compare,
    "match": _match,
    "normalize": _normalize,
    "padEnd": lambda call: call.value + _padding(call),
    "padStart": lambda call: _padding(call) + call.value,
    "repeat": _repeat,
    "replace": _replace,
    "replaceAll": _replace_all,
    "search": _search,
    "slice": _slice,
    "split": _split,
    "startsWith": _starts_with,
    "substr": _substr,
    "substring": _substring,
    "toLocaleLowerCase": _lower,
    "toLocaleUpperCase": _upper,
    "toLowerCase": _lower,
    "toUpperCase": _upper,
    "trim": lambda call: call.value.strip(),
    "trimEnd": _trim_end,
    "trimLeft": _trim_start,
    "trimRight": _trim_end,
    "trimStart": _trim_start,
}
