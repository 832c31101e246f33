"""Nunjucks' filters on lists and objects."""

import functools
import math
from collections.abc import Callable
from typing import Any

from services.scaffolder.dialect.arithmetic import integer
from services.scaffolder.dialect.calling import Call, Operation
from services.scaffolder.dialect.checks import passes
from services.scaffolder.dialect.failure import ValueFailure
from services.scaffolder.dialect.limits import check_operand, in_force
from services.scaffolder.dialect.values import (
    UNDEFINED,
    Keywords,
    Record,
    SafeText,
    add,
    interpolated_text,
    is_nullish,
    is_number,
    length,
    less,
    text,
    to_number,
    truthy,
)

_LONGEST_PATH = 1_000
_LONGEST_INDEX = 15
#: The cost of an item that is tested, compared or grouped.
_ITEM = 6


def attribute(value: Any, path: Any) -> Any:
    """The value at a dotted path, undefined where there is none."""
    name = text(path)
    if len(name) > _LONGEST_PATH:
        raise ValueFailure(f"an attribute's path is over {_LONGEST_PATH} characters")
    in_force().read(len(name))
    for key in name.split("."):
        if isinstance(value, dict):
            value = value.get(key, UNDEFINED)
        elif isinstance(value, list) and _is_index(key) and int(key) < len(value):
            value = value[int(key)]
        else:
            return UNDEFINED
    return value


def _items(call: Call) -> list[Any]:
    """The items of a list or text; an object has none.

    Raises:
        ValueFailure: for anything else.
    """
    if isinstance(call.value, list):
        call.afford_items(_ITEM * len(call.value))
        return call.value
    if isinstance(call.value, str):
        call.afford_items(_ITEM * len(call.value))
        return list(call.value)
    if isinstance(call.value, dict):
        return []
    raise ValueFailure("a sequence is required")


def _positive(call: Call, label: str) -> int:
    size = to_number(call.arg(0, 0))
    if not math.isfinite(size) or size < 1 or size != int(size):
        raise ValueFailure(f"{label} must be a positive integer")
    call.afford_items(int(size))
    return int(size)


def batch(call: Call) -> list[Any]:
    """Rows of a size; the last one is filled up if there is a filler."""
    size, items = _positive(call, "Batch size"), _items(call)
    rows = [items[at : at + size] for at in range(0, len(items), size)]
    filler = call.arg(1)
    if rows and truthy(filler):
        rows[-1] = rows[-1] + [filler] * (size - len(rows[-1]))
    return rows


def slices(call: Call) -> list[Any]:
    """Columns, as many as the argument says, of lengths as equal as possible."""
    count, items = _positive(call, "Slice count"), _items(call)
    size, extra = divmod(len(items), count)
    rows: list[Any] = []
    at = 0
    for index in range(count):
        end = at + size + (index < extra)
        row = items[at:end]
        if truthy(call.arg(1)) and index >= extra:
            row = [*row, call.arg(1)]
        rows.append(row)
        at = end
    return rows


def default(call: Call) -> Any:
    """A value in place of undefined; with `true`, in place of any false value."""
    if truthy(call.arg(1, False)):
        return call.value if truthy(call.value) else call.arg(0)
    return call.arg(0) if call.value is UNDEFINED else call.value


def dictsort(call: Call) -> list[Any]:
    """An object's pairs by key or by value."""
    if not isinstance(call.value, dict):
        raise ValueFailure("dictsort requires a record")
    by = call.arg(1, "key")
    if not isinstance(by, str) or by not in {"key", "value"}:
        raise ValueFailure("dictsort can only sort by key or value")
    pairs = [[key, value] for key, value in call.value.items()]
    index = 0 if by == "key" else 1
    exact = truthy(call.arg(0, False))
    return _sorted(call, pairs, lambda pair: pair[index], exact=exact)


def first(call: Call) -> Any:
    """The first item or character."""
    if isinstance(call.value, (list, str)):
        return call.value[0] if call.value else UNDEFINED
    return call.value.get("0", UNDEFINED) if isinstance(call.value, dict) else UNDEFINED


def last(call: Call) -> Any:
    """The last item or character."""
    if isinstance(call.value, (list, str)) and call.value:
        return call.value[-1]
    return UNDEFINED


def groupby(call: Call) -> Record:
    """Lists by the text of an attribute; whole numbers come first, in order."""
    groups: Record = {}
    for item in _items(call):
        key = text(attribute(item, call.arg(0)))
        call.budget.read(len(key))
        groups.setdefault(key, []).append(item)
    numbers = sorted((key for key in groups if _is_index(key)), key=int)
    names = [key for key in groups if not _is_index(key)]
    return {key: groups[key] for key in (*numbers, *names)}


def _is_index(key: str) -> bool:
    is_short = len(key) <= _LONGEST_INDEX
    return is_short and key.isascii() and key.isdigit() and str(int(key)) == key


def join(call: Call) -> str:
    """The items as one text; of objects, an attribute."""
    if not isinstance(call.value, list):
        raise ValueFailure("join requires an array")
    items, key = call.value, call.arg(1)
    if truthy(key):
        items = [attribute(item, key) for item in items]
    glue = interpolated_text(call.arg(0, ""))
    parts = [interpolated_text(item) for item in items]
    call.afford(sum(map(len, parts)) + len(glue) * len(parts))
    return glue.join(parts)


def size(call: Call) -> Any:
    """How many items, members or UTF-16 units there are."""
    value = call.value
    if is_nullish(value):
        return 0
    if isinstance(value, str):
        return length(value)
    return len(value) if isinstance(value, (list, dict)) else UNDEFINED


def listed(call: Call) -> list[Any]:
    """A list of characters, items, or key and value of members."""
    value = call.value
    if isinstance(value, str):
        call.afford_items(len(value))
        return list(value)
    if isinstance(value, dict):
        return [{"key": key, "value": item} for key, item in value.items()]
    if isinstance(value, list):
        return value
    raise ValueFailure("list requires an iterable value")


def random(call: Call) -> Any:
    """Any of the items."""
    value = call.value
    if not isinstance(value, (list, str)) or not value:
        return UNDEFINED
    return call.budget.choose(value)


def reverse(call: Call) -> Any:
    """The items or characters from the end."""
    if isinstance(call.value, str):
        return call.value[::-1]
    return call.value[::-1] if isinstance(call.value, list) else []


def _selection(passing: bool) -> Operation:
    def chosen(call: Call) -> list[Any]:
        name = text(call.arg(0, "truthy"))
        items = _items(call)
        return [
            item
            for item in items
            if passes(name, Call(item, call.args[1:], call.budget)) is passing
        ]

    return chosen


def _selection_by_attribute(passing: bool) -> Operation:
    def chosen(call: Call) -> list[Any]:
        if not isinstance(call.value, list):
            raise ValueFailure("an array is required")
        call.afford_items(_ITEM * len(call.value))
        return [
            item
            for item in call.value
            if truthy(attribute(item, call.arg(0))) is passing
        ]

    return chosen


def sort(call: Call) -> list[Any]:
    """By value or attribute, in any case unless `case_sensitive`; stable."""
    named = call.args[-1] if call.args and isinstance(call.args[-1], Keywords) else {}
    plain = [arg for arg in call.args if not isinstance(arg, Keywords)]
    names = ("reverse", "case_sensitive", "attribute")
    backward, exact, key = (
        plain[index] if index < len(plain) else named.get(name, UNDEFINED)
        for index, name in enumerate(names)
    )

    def pick(item: Any) -> Any:
        return attribute(item, key) if truthy(key) else item

    return _sorted(call, _items(call), pick, exact=truthy(exact), back=truthy(backward))


def _sorted(
    call: Call,
    items: list[Any],
    pick: Callable[[Any], Any],
    *,
    exact: bool,
    back: bool = False,
) -> list[Any]:
    call.afford_items(2 * len(items) * max(1, len(items).bit_length()))
    keys = [_sort_key(call, pick(item), exact=exact) for item in items]

    def compare(left: int, right: int) -> int:
        a, b = keys[left], keys[right]
        order = -1 if less(a, b) else 1 if less(b, a) else 0
        return -order if back else order

    order = sorted(range(len(items)), key=functools.cmp_to_key(compare))
    return [items[at] for at in order]


def _sort_key(call: Call, value: Any, *, exact: bool) -> Any:
    """The value that an item is compared by; made once, as it may be long."""
    if isinstance(value, (list, dict)):
        return text(value)
    if exact or not isinstance(value, str):
        return value
    check_operand(value, "sort")
    call.budget.write(len(value))
    return value.lower()


def total(call: Call) -> Any:
    """The sum of the items, or of an attribute of each."""
    items, key = _items(call), call.arg(0)
    result: Any = 0
    for item in items:
        result = add(result, attribute(item, key) if truthy(key) else item)
    return add(call.arg(1, 0), result)


def dump_indent(value: Any) -> str:
    """The indentation of `dump(value)`: at most ten characters."""
    if is_number(value):
        return " " * max(0, min(10, integer(value)))
    return (
        value[:10] if isinstance(value, str) and not isinstance(value, SafeText) else ""
    )


FILTERS: dict[str, Operation] = {
    "batch": batch,
    "d": default,
    "default": default,
    "dictsort": dictsort,
    "first": first,
    "groupby": groupby,
    "join": join,
    "last": last,
    "length": size,
    "list": listed,
    "random": random,
    "reject": _selection(passing=False),
    "rejectattr": _selection_by_attribute(passing=False),
    "reverse": reverse,
    "select": _selection(passing=True),
    "selectattr": _selection_by_attribute(passing=True),
    "slice": slices,
    "sort": sort,
    "sum": total,
}
