"""JSON pointers (RFC 6901) as the fragments of foreign references: `#/a/b~1c`."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from shared.guards.numbers import whole_number

#: What a pointer that leads nowhere stands for.
ABSENT: Any = object()
#: Longer ways lead nowhere.
MOST_STEPS = 100


def value_at(document: Any, pointer: str) -> Any:
    """What a pointer (`""` or `/…`) means in a document; `ABSENT` if nothing."""
    value = document
    for step in pointer.split("/", MOST_STEPS)[1:]:
        value = step_into(value, step)
    return value


def step_into(value: Any, step: str) -> Any:
    """What one step of a pointer means in a value; `ABSENT` if nothing."""
    key = step_name(step)
    if isinstance(value, Mapping):
        return value.get(key, ABSENT)
    if isinstance(value, list):
        place = whole_number(key, limit=len(value) - 1)
        if place is not None:
            return value[place]
    return ABSENT


def last_name(pointer: str) -> str:
    """The key that a pointer ends with."""
    return step_name(pointer.rpartition("/")[2])


def step_name(step: str) -> str:
    """The key that a step spells; it may be percent-encoded, being part of a URI."""
    return unquote(step).replace("~1", "/").replace("~0", "~")


def escaped_step(name: str) -> str:
    """A key as a step of a pointer."""
    return name.replace("~", "~0").replace("/", "~1")
