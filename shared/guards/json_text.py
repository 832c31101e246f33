"""JSON text to plain values: bounded in size, depth and number of elements.

The parser is orjson: it stops at 1,024 levels by itself, refuses NaN and half
surrogates, and reads whole numbers over 64 bits as floats.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from shared.contracts.errors import Invalid, TooLarge
from shared.guards.trees import check_tree


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
    return value


def _may_exceed(data: bytes | str, limits: JsonLimits) -> bool:
    """Whether counting brackets and commas leaves a doubt; cheaper than a walk."""
    if isinstance(data, str):
        opened, commas = data.count("[") + data.count("{"), data.count(",")
    else:
        opened, commas = data.count(b"[") + data.count(b"{"), data.count(b",")
    return opened > limits.depth or opened + commas + 1 > limits.nodes
