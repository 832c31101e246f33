"""JSON text to plain values: bounded in size, depth and number of elements.

The parser is orjson: it stops at 1,024 levels, and refuses NaN and half surrogates.
Whole numbers beyond 64 bits are read as floats, as JavaScript and the YAML reader do:
no store accepts them as integers.
"""

import re
from dataclasses import dataclass
from typing import Any

import orjson

from shared.contracts.errors import Invalid, TooLarge
from shared.guards.trees import check_tree

_DIGITS = "[0-9]{19}"
_MANY_DIGITS = re.compile(_DIGITS)
_MANY_DIGITS_IN_BYTES = re.compile(_DIGITS.encode())
_INT64_LIMIT = 2**63


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

    Raises:
        Invalid: if it is not JSON, or nested too deeply.
        TooLarge: if the text is over the limit.
    """
    if len(data) > limits.size:
        raise TooLarge(f"{label}: {len(data)} bytes, at most {limits.size}")
    try:
        value = orjson.loads(data)
    except (orjson.JSONDecodeError, UnicodeEncodeError) as error:
        raise Invalid(f"{label}: not JSON: {error}") from error
    if _may_exceed(data, limits):
        check_tree(value, label=label, nodes=limits.nodes, depth=limits.depth)
    return with_doubles(value) if _has_many_digits(data) else value


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


def _has_many_digits(data: bytes | str) -> bool:
    """Whether a number of the text may be beyond 64 bits."""
    if isinstance(data, str):
        return _MANY_DIGITS.search(data) is not None
    return _MANY_DIGITS_IN_BYTES.search(data) is not None


def _may_exceed(data: bytes | str, limits: JsonLimits) -> bool:
    """Whether the value may be over the limits, judged by brackets and commas."""
    if isinstance(data, str):
        brackets, commas = data.count("[") + data.count("{"), data.count(",")
    else:
        brackets, commas = data.count(b"[") + data.count(b"{"), data.count(b",")
    return brackets > limits.depth or brackets + commas + 1 > limits.nodes
