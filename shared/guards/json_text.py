"""JSON text to plain values: bounded in size, depth and number of elements.

The parser is orjson: it stops at 1,024 levels by itself, refuses NaN and half
surrogates. Whole numbers that no signed integer of 64 bits holds are read as floats,
as JavaScript reads them and as the YAML reader does: no store takes them otherwise.
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
_BEYOND = 2**63


@dataclass(frozen=True, slots=True)
class JsonLimits:
    """How large a text may be, and what it holds."""

    size: int = 1024 * 1024
    depth: int = 100
    nodes: int = 200_000


def load_json(
    data: bytes | str, *, label: str, limits: JsonLimits = JsonLimits()
) -> Any:
    """The value that `data` holds; of a key that comes twice the last holds.

    Raises:
        Invalid: if it is no JSON, or nested too deeply.
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
    """`value` with whole numbers beyond 64 bits as floats; changes it in place."""
    holder = [value]
    containers: list[Any] = [holder]
    while containers:
        held = containers.pop()
        items = held.items() if isinstance(held, dict) else enumerate(held)
        for key, item in list(items):
            if isinstance(item, list | dict):
                containers.append(item)
            elif isinstance(item, int) and not -_BEYOND <= item < _BEYOND:
                held[key] = float(item)
    return holder[0]


def _has_many_digits(data: bytes | str) -> bool:
    """Whether a number of the text may be beyond 64 bits."""
    if isinstance(data, str):
        return _MANY_DIGITS.search(data) is not None
    return _MANY_DIGITS_IN_BYTES.search(data) is not None


def _may_exceed(data: bytes | str, limits: JsonLimits) -> bool:
    """Whether counting brackets and commas leaves a doubt; cheaper than a walk."""
    if isinstance(data, str):
        opened, commas = data.count("[") + data.count("{"), data.count(",")
    else:
        opened, commas = data.count(b"[") + data.count(b"{"), data.count(b",")
    return opened > limits.depth or opened + commas + 1 > limits.nodes
