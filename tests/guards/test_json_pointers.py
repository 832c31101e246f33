"""Foreign references follow JSON pointers in one way, RFC 6901's."""

from typing import Any

import pytest
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from shared.guards.json_pointers import (
    ABSENT,
    MOST_STEPS,
    escaped_step,
    last_name,
    value_at,
)

#: The document of RFC 6901, section 5.
DOCUMENT: Any = {
    "foo": ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
}


@pytest.mark.parametrize(
    "pointer",
    [
        *("", "/foo", "/foo/0", "/", "/a~1b", "/c%25d", "/e%5Ef", "/g%7Ch"),
        *("/i%5Cj", "/k%22l", "/%20", "/m~0n"),
    ],
)
def test_pointers_resolve_as_in_the_reference_library(pointer: str) -> None:
    """Each example of the RFC resolves to the value that `referencing` finds."""
    resolver: Any = Registry().resolver_with_root(Resource(DOCUMENT, DRAFT7))
    assert value_at(DOCUMENT, pointer) == resolver.lookup(f"#{pointer}").contents


@pytest.mark.parametrize(
    "pointer", ["/nobody", "/foo/2", "/foo/-1", "/foo/²", "/foo/bar", "/a/b", "/foo/-"]
)
def test_a_pointer_to_a_missing_value_is_absent(pointer: str) -> None:
    """Nothing is guessed, and no index counts from the end."""
    assert value_at(DOCUMENT, pointer) is ABSENT


def test_a_pointer_to_null_resolves_to_null() -> None:
    """`null` is a value, not the absence of one."""
    assert value_at({"a": None}, "/a") is None


def test_an_endless_pointer_is_absent() -> None:
    """A pointer is followed for at most a hundred steps."""
    deep: Any = {}
    deep["a"] = deep
    assert value_at(deep, "/a" * MOST_STEPS) is deep
    assert value_at(deep, "/a" * (MOST_STEPS + 1)) is ABSENT


def test_an_escaped_key_is_read_back() -> None:
    """A written step is read as the same key."""
    for key in DOCUMENT:
        assert last_name(f"#/x/{escaped_step(key).replace('%', '%25')}") == key
