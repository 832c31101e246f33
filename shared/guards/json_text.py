"""JSON text to plain values: bounded in size, depth and number of elements.

The parser is orjson: it stops at 1,024 levels, and refuses NaN and half surrogates.
Whole numbers beyond 64 bits are read as floats, as JavaScript and the YAML reader do:
no store accepts them as integers.
"""

import re
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import orjson

from shared.contracts.errors import Invalid, TooLarge
from shared.guards.trees import check_tree, too_deep, too_many_elements

_INT64_LIMIT = 2**63
#: Each digit to a zero, everything else to a space: a search for zeros takes a tenth of
#: the time of a pattern, and no other thread runs meanwhile.
_DIGITS = bytes(ord("0") if chr(byte).isdecimal() else 32 for byte in range(256))
_MANY_DIGITS = b"0" * 19
#: What an element begins or ends with, and the quotes around what only looks so.
_STRUCTURE = b'"[{,'
_NO_STRUCTURE = bytes(byte for byte in range(256) if byte not in _STRUCTURE)
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NO_BRACKETS = bytes(
    byte for byte in range(256) if byte not in _STEPS and byte != ord('"')
)
_TEXTS = re.compile(rb'"[^"]*"')


@dataclass(frozen=True, slots=True)
class JsonLimits:
    """Limits on the size, the depth and the number of elements of a text."""

    size: int = 1024 * 1024
    depth: int = 100
    nodes: int = 200_000


def load_json(
    data: bytes | str, *, label: str, limits: JsonLimits = JsonLimits()
) -> Any:
    """The value of the JSON text `data`; of a repeated key the last one counts.

    A text with more than twice the elements that are allowed is not parsed at all.

    Raises:
        Invalid: if it is not JSON, or nested too deeply.
        TooLarge: if the text is over the limit.
    """
    if len(data) > limits.size:
        raise TooLarge(f"{label}: {len(data)} bytes, at most {limits.size}")
    try:
        text = data.encode() if isinstance(data, str) else data
        # An element is at least one character.
        elements = _count_elements(text, limits) if len(text) > limits.nodes else 0
        if elements > 2 * limits.nodes:
            raise too_many_elements(label, limits.nodes)
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if _nesting(error.doc[: error.pos].encode()) > limits.depth:
            raise too_deep(label, limits.depth) from error
        # The parser says so of many a text that ends within lists of lists.
        reason = str(error).replace("failed to allocate memory", "unexpected end")
        raise Invalid(f"{label}: not JSON: {reason}") from error
    except UnicodeEncodeError as error:
        raise Invalid(f"{label}: not JSON: {error}") from error
    if elements > limits.nodes or _brackets(text) > limits.depth:
        check_tree(value, label=label, nodes=limits.nodes, depth=limits.depth)
    return with_doubles(value) if _MANY_DIGITS in text.translate(_DIGITS) else value


def with_doubles(value: Any) -> Any:
    """Convert whole numbers beyond 64 bits to floats, in place; returns the value."""
    holder = [value]
    containers: list[Any] = [holder]
    while containers:
        container = containers.pop()
        items = (
            container.items() if isinstance(container, dict) else enumerate(container)
        )
        for key, item in list(items):
            if isinstance(item, list | dict):
                containers.append(item)
            elif isinstance(item, int) and not -_INT64_LIMIT <= item < _INT64_LIMIT:
                container[key] = float(item)
    return holder[0]


def _count_elements(text: bytes, limits: JsonLimits) -> int:
    """The elements of a text, an empty list or object counted as two.

    Counted without a parser: brackets and commas that stand in no string. Up to where a
    text is no JSON, which is as far as a parser goes, nothing is left out.
    """
    unescaped = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    structure = unescaped.translate(None, _NO_STRUCTURE)
    quotes = structure.count(b'"')
    if quotes > 8 * limits.nodes or len(structure) - quotes < limits.nodes:
        # An element has a key and a text at the most, which are four quotes.
        return max(len(structure) - quotes, quotes // 4) + 1
    return len(_TEXTS.sub(b"", structure)) + 1


def _nesting(text: bytes) -> int:
    """The levels of lists and objects of a text that is JSON up to its end."""
    unescaped = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    structure = _TEXTS.sub(b"", unescaped.translate(None, _NO_BRACKETS))
    # The text may end within a string.
    levels = accumulate(_STEPS[byte] for byte in structure.partition(b'"')[0])
    return max(levels, default=0)


def _brackets(text: bytes) -> int:
    return text.count(b"[") + text.count(b"{")
