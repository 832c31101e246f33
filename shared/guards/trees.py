"""Limits on JSON-like values: depth, number of elements, amount of text.

A value is counted as its JSON text: an object that is referenced twice counts twice.
"""

from typing import Any

from shared.contracts.errors import Invalid

NODES = 200_000
DEPTH = 100


class TooManyElements(Invalid):
    """A value consists of more values than its limit."""


def too_many_elements(label: str, nodes: int) -> TooManyElements:
    """The error of a value that consists of more than `nodes` values."""
    return TooManyElements(f"{label}: more than {nodes} elements")


def too_deep(label: str, depth: int) -> Invalid:
    """The error of a value with more than `depth` levels of lists and objects."""
    return Invalid(f"{label}: nested deeper than {depth}")


def check_tree(
    value: Any,
    *,
    label: str,
    nodes: int = NODES,
    depth: int = DEPTH,
    text: int | None = None,
) -> None:
    """Refuse a value that is too deep or too large.

    Args:
        value: Made of dict, list and scalars; may share or contain itself.
        label: Names the value in errors.
        nodes: The most values that it may consist of.
        depth: The most levels of lists and objects.
        text: The most characters of its texts and keys together.

    Raises:
        Invalid: naming the limit.
    """
    level = [value]
    nodes_left, text_left, levels = nodes, text, 0
    while level:
        nodes_left -= len(level)
        if nodes_left < 0:
            raise too_many_elements(label, nodes)
        if text_left is not None:
            text_left -= _text_size(level)
            if text_left < 0:
                raise Invalid(f"{label}: more than {text} characters of text")
        level = _children(level, nodes_left)
        levels += bool(level)
        if levels > depth:
            raise too_deep(label, depth)


def _children(level: list[Any], limit: int) -> list[Any]:
    """The items of all lists and objects of a level; stops soon after `limit`."""
    children: list[Any] = []
    for item in level:
        if isinstance(item, dict):
            children.extend(item.values())
        elif isinstance(item, list | tuple):
            children.extend(item)
        if len(children) > limit:
            break
    return children


def _text_size(level: list[Any]) -> int:
    size = 0
    for item in level:
        if isinstance(item, str):
            size += len(item)
        elif isinstance(item, dict):
            size += sum(len(key) for key in item if isinstance(key, str))
    return size
