"""Nunjucks' filters on numbers, and `dump`."""

import math
import re
from typing import Any

from services.scaffolder.dialect import json_text
from services.scaffolder.dialect.arithmetic import integer
from services.scaffolder.dialect.calling import Call, Operation
from services.scaffolder.dialect.filters_list import dump_indent
from services.scaffolder.dialect.values import (
    UNDEFINED,
    is_nullish,
    number,
    text,
    to_number,
)

_FLOAT = re.compile(r"\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_LARGEST_BASE = 36
_LONGEST = 400


def absolute(call: Call) -> Any:
    """The number without its sign."""
    return number(abs(to_number(call.value)))


def dump(call: Call) -> Any:
    """The value as JSON; with a number or text, indented by it."""
    if call.value is UNDEFINED:
        return UNDEFINED
    return json_text.written(call.value, dump_indent(call.arg(0)), call.budget)


def whole(call: Call) -> Any:
    """JavaScript's `parseInt`: the leading digits, in a base (10)."""
    base = integer(call.arg(1, 10)) or 10
    source = (
        ""
        if isinstance(call.value, bool) or is_nullish(call.value)
        else text(call.value)
    )
    if not 2 <= base <= _LARGEST_BASE:
        return call.arg(0)
    match = re.match(
        rf"\s*([+-]?)(?:0[xX](?={'.' if base == 16 else '(?!)'}))?"
        rf"([{_DIGITS[:base]}]+)",
        source[:_LONGEST],
        re.IGNORECASE,
    )
    if match is None:
        return call.arg(0)
    value = int(match[2], base)
    return number(-value if match[1] == "-" else value)


def decimal(call: Call) -> Any:
    """JavaScript's `parseFloat`."""
    source = (
        ""
        if isinstance(call.value, bool) or is_nullish(call.value)
        else text(call.value)
    )
    match = _FLOAT.match(source[:_LONGEST])
    return number(float(match[1])) if match else call.arg(0)


def rounded(call: Call) -> Any:
    """Rounded to so many decimals: to the nearest, `ceil` or `floor`."""
    value = to_number(call.value)
    factor = 10.0 ** max(-300, min(300, integer(call.arg(0, 0))))
    scaled = value * factor
    if not math.isfinite(scaled):
        return scaled
    method = call.arg(1)
    if method == "ceil":
        result = math.ceil(scaled)
    elif method == "floor":
        result = math.floor(scaled)
    else:
        result = math.floor(scaled + 0.5)
    return number(result / factor)


FILTERS: dict[str, Operation] = {
    "abs": absolute,
    "dump": dump,
    "float": decimal,
    "int": whole,
    "round": rounded,
}
