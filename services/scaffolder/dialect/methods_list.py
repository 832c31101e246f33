"""The JavaScript methods of lists.

A method that changes a list changes a copy of the template's value: `MUTATORS` tells
the evaluator when to make one.
"""

import functools
import re
from typing import Any

from services.scaffolder.dialect.arithmetic import integer
from services.scaffolder.dialect.calling import Call, Operation
from services.scaffolder.dialect.failure import ValueFailure
from services.scaffolder.dialect.values import (
    UNDEFINED,
    interpolated_text,
    pay_comparison,
    strict_equal,
    text,
)


def _index(value: Any, size: int, default: int) -> int:
    at = integer(value) if value is not UNDEFINED else default
    return max(0, size + at) if at < 0 else min(at, size)


def _at(call: Call) -> Any:
    at = integer(call.arg(0, 0))
    at = at + len(call.value) if at < 0 else at
    return call.value[at] if 0 <= at < len(call.value) else UNDEFINED


def _concat(call: Call) -> list[Any]:
    joined = list(call.value)
    for part in call.args:
        if isinstance(part, list):
            call.afford_items(len(part))
        joined += part if isinstance(part, list) else [part]
    return joined


def _copy_within(call: Call) -> Any:
    size = len(call.value)
    to, start = (_index(call.arg(n), size, 0) for n in (0, 1))
    part = call.value[start : _index(call.arg(2), size, size)]
    part = part[: size - to]
    call.value[to : to + len(part)] = part
    return call.value


def _fill(call: Call) -> Any:
    size = len(call.value)
    start, end = _index(call.arg(1), size, 0), _index(call.arg(2), size, size)
    for at in range(start, end):
        call.value[at] = call.arg(0)
    return call.value


def _flat(call: Call) -> list[Any]:
    return _flattened(call, call.value, integer(call.arg(0, 1)))


def _flattened(call: Call, items: list[Any], depth: int) -> list[Any]:
    flat: list[Any] = []
    call.afford_items(len(items))
    for item in items:
        if isinstance(item, list) and depth > 0:
            flat += _flattened(call, item, depth - 1)
        else:
            flat.append(item)
    return flat


def _same(left: Any, right: Any) -> bool:
    both_nan = left != left and right != right  # noqa: PLR0124 - NaN is itself here
    return both_nan or strict_equal(left, right)


def _includes(call: Call) -> bool:
    items = call.value[_index(call.arg(1), len(call.value), 0) :]
    return any(_same(item, call.arg(0)) for item in items)


def _index_of(call: Call) -> int:
    start = _index(call.arg(1), len(call.value), 0)
    for at in range(start, len(call.value)):
        if strict_equal(call.value[at], call.arg(0)):
            return at
    return -1


def _last_index_of(call: Call) -> int:
    for at in reversed(range(len(call.value))):
        if strict_equal(call.value[at], call.arg(0)):
            return at
    return -1


def _join(call: Call) -> str:
    glue, parts = (
        text(call.arg(0, ",")),
        [interpolated_text(item) for item in call.value],
    )
    call.afford(sum(map(len, parts)) + len(glue) * len(parts))
    return glue.join(parts)


def _pop(call: Call) -> Any:
    return call.value.pop() if call.value else UNDEFINED


def _push(call: Call) -> int:
    call.value.extend(call.args)
    return len(call.value)


def _reverse(call: Call) -> Any:
    call.value.reverse()
    return call.value


def _shift(call: Call) -> Any:
    return call.value.pop(0) if call.value else UNDEFINED


def _slice(call: Call) -> Any:
    size = len(call.value)
    start, end = _index(call.arg(0), size, 0), _index(call.arg(1), size, size)
    return call.value[start:end]


def _sort(call: Call) -> Any:
    if call.arg(0) is not UNDEFINED:
        raise ValueFailure("sort accepts no callback")

    call.afford_items(2 * len(call.value) * max(1, len(call.value).bit_length()))
    call.value[:] = sorted(call.value, key=lambda item: _BY_TEXT(text(item)))
    return call.value


def _text_order(left: str, right: str) -> int:
    pay_comparison(left, right)
    return (left > right) - (left < right)


#: Sorts texts: each comparison is paid for, and lets other threads run.
_BY_TEXT = functools.cmp_to_key(_text_order)


def _splice(call: Call) -> Any:
    size = len(call.value)
    start = _index(call.arg(0), size, 0)
    count = integer(call.arg(1)) if len(call.args) > 1 else size
    end = min(size, start + max(0, count))
    removed = list(call.value[start:end])
    call.value[start:end] = call.args[2:]
    return removed


def _unshift(call: Call) -> int:
    call.value[:0] = call.args
    return len(call.value)


def _copied(operation: Operation) -> Operation:
    """The operation on a copy of the list."""
    return lambda call: operation(Call(list(call.value), call.args, call.budget))


def _to_spliced(call: Call) -> list[Any]:
    items = list(call.value)
    _splice(Call(items, call.args, call.budget))
    return items


def _with(call: Call) -> list[Any]:
    size, at = len(call.value), integer(call.arg(0, 0))
    if not -size <= at < size:
        raise ValueFailure(f"The list has no item {at}")
    items = list(call.value)
    items[at] = call.arg(1)
    return items


def _entries(call: Call) -> list[Any]:
    call.afford_items(2 * len(call.value))
    return [[at, item] for at, item in enumerate(call.value)]


def _append(call: Call) -> Any:
    return _push(Call(call.value, call.args[:1], call.budget))


def _count(call: Call) -> int:
    return sum(strict_equal(item, call.arg(0)) for item in call.value)


LIST: dict[str, Operation] = {
    "append": _append,
    "at": _at,
    "concat": _concat,
    "copyWithin": _copy_within,
    "count": _count,
    "entries": _entries,
    "fill": _fill,
    "flat": _flat,
    "includes": _includes,
    "indexOf": _index_of,
    "join": _join,
    "keys": lambda call: list(range(len(call.value))),
    "lastIndexOf": _last_index_of,
    "pop": _pop,
    "push": _push,
    "reverse": _reverse,
    "shift": _shift,
    "slice": _slice,
    "sort": _sort,
    "splice": _splice,
    "toReversed": _copied(_reverse),
    "toSorted": _copied(_sort),
    "toSpliced": _to_spliced,
    "unshift": _unshift,
    "values": lambda call: list(call.value),
    "with": _with,
}
MUTATORS = frozenset(
    {
        "append",
        "copyWithin",
        "fill",
        "pop",
        "push",
        "reverse",
        "shift",
        "sort",
        "splice",
        "unshift",
    }
)
MUTATES = re.compile("|".join(sorted(MUTATORS)))
