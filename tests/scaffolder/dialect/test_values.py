"""JavaScript's view of values: truth, text, equality, order, and the types' names."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scaffolder.dialect.failure import TemplateRenderError
from services.scaffolder.dialect.json_text import plain
from services.scaffolder.dialect.values import (
    UNDEFINED,
    Pattern,
    less,
    less_or_equal,
    loose_equal,
    strict_equal,
    text,
    truthy,
    type_name,
)
from tests.scaffolder.dialect.expressions import evaluate, render

NAN = float("nan")
LIST: list[Any] = [1]
RECORD: dict[str, Any] = {}
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-99, 99),
    st.text(max_size=3),
    st.just(UNDEFINED),
)


@pytest.mark.parametrize(
    "value", [True, 1, -1, 0.5, "0", "false", " ", [], {}, [0], float("inf")]
)
def test_truthy_values_are_javascripts(value: Any) -> None:
    """Empty lists and objects are true in JavaScript."""
    assert truthy(value)
    assert render("{% if v %}yes{% else %}no{% endif %}", v=value) == "yes"


@pytest.mark.parametrize("value", [False, 0, -0.0, "", None, NAN])
def test_falsy_values_are_javascripts(value: Any) -> None:
    """A missing value is false too."""
    assert not truthy(value)
    assert not truthy(UNDEFINED)
    assert render("{% if v %}yes{% else %}no{% endif %}", v=value) == "no"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([1, [2, [None, 3]], "a"], "1,2,,3,a"),
        ([], ""),
        ([None], ""),
        ({}, "[object Object]"),
        ([{}, {}], "[object Object],[object Object]"),
        (True, "true"),
        (None, "null"),
        (UNDEFINED, "undefined"),
        (1.0, "1"),
        (Pattern("a+", "g"), "/a+/g"),
    ],
)
def test_the_text_of_a_value_is_javascripts(value: Any, expected: str) -> None:
    """As `String(value)` has it."""
    assert text(value) == expected


#: Two values, whether `==` holds, and whether `===` does.
EQUALITY = [
    (1, 1.0, True, True),
    (1, "1", True, False),
    (1, True, True, False),
    (0, "", True, False),
    (0, False, True, False),
    ("", False, True, False),
    ("a", "a", True, True),
    ("a", "A", False, False),
    (None, UNDEFINED, True, False),
    (None, None, True, True),
    (None, 0, False, False),
    (None, False, False, False),
    (NAN, NAN, False, False),
    ([1], "1", True, False),
    ([1], 1, True, False),
    ([1, 2], "1,2", True, False),
    ([], "", True, False),
    ([], 0, True, False),
    ({}, "[object Object]", True, False),
    ([1], [1], False, False),
    (LIST, LIST, True, True),
    ({}, {}, False, False),
    (RECORD, RECORD, True, True),
    (LIST, RECORD, False, False),
    (True, True, True, True),
    (True, "true", False, False),
]


@pytest.mark.parametrize(("left", "right", "loose", "strict"), EQUALITY)
def test_loose_and_strict_equality_are_javascripts(
    left: Any, right: Any, loose: bool, strict: bool
) -> None:
    """In both directions: lists and objects are equal to themselves alone."""
    assert loose_equal(left, right) is loose
    assert loose_equal(right, left) is loose
    assert strict_equal(left, right) is strict
    assert strict_equal(right, left) is strict


#: Two values, whether the first is less, and whether it is greater.
ORDER = [
    (1, 2, True, False),
    ("1", 2, True, False),
    ("10", "9", True, False),
    ("10", 9, False, True),
    ("a", "b", True, False),
    ("B", "a", True, False),
    ("a", 1, False, False),
    (None, 1, True, False),
    (UNDEFINED, 1, False, False),
    (True, 2, True, False),
    ([2], 3, True, False),
    ([10], [9], True, False),
    ({}, 1, False, False),
    (NAN, 1, False, False),
    (1, 1, False, False),
]


@pytest.mark.parametrize(("left", "right", "is_less", "is_greater"), ORDER)
def test_values_are_ordered_as_in_javascript(
    left: Any, right: Any, is_less: bool, is_greater: bool
) -> None:
    """Two texts are compared as texts, everything else as numbers."""
    assert less(left, right) is is_less
    assert less(right, left) is is_greater


@given(SCALARS, SCALARS)
def test_equality_is_symmetric_and_strict_implies_loose(left: Any, right: Any) -> None:
    """`a === b` means `a == b`, and the sides may be exchanged."""
    assert loose_equal(left, right) == loose_equal(right, left)
    assert strict_equal(left, right) == strict_equal(right, left)
    if strict_equal(left, right):
        assert loose_equal(left, right)


@given(SCALARS, SCALARS)
def test_no_value_is_both_less_and_greater(left: Any, right: Any) -> None:
    """A value that is less is also less or equal."""
    assert not (less(left, right) and less(right, left))
    if less(left, right):
        assert less_or_equal(left, right)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "null"), (UNDEFINED, "undefined"), (True, "boolean"), (1, "number"),
        (1.5, "number"), ("a", "string"), ([], "array"), ({}, "record"),
        (Pattern("a", ""), "object"),
    ],
)  # fmt: skip
def test_the_type_of_a_value_has_a_name(value: Any, name: str) -> None:
    """It is used in errors."""
    assert type_name(value) == name


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 + 2", 3),
        ("1 + '2'", "12"),
        ("'a' + null", "anull"),
        ("'a' + nosuch", "aundefined"),
        ("1 + null", 1),
        ("1 + nosuch", None),
        ("true + true", 2),
        ("[] + []", ""),
        ("[1] + 1", "11"),
        ("{} + 1", "[object Object]1"),
        ("1 + r/a/g", "1/a/g"),
    ],
)
def test_plus_joins_texts_and_adds_numbers(expression: str, expected: Any) -> None:
    """It joins where a side is a text, or becomes one."""
    assert evaluate(expression) == expected


@pytest.mark.parametrize("expression", ["range ~ ''", "range + 1"])
def test_a_function_has_no_text(expression: str) -> None:
    """JavaScript would show its source."""
    with pytest.raises(TemplateRenderError, match="Callable values cannot be coerced"):
        evaluate(expression)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([1, UNDEFINED], [1, None]),
        ({"a": UNDEFINED, "b": 1}, {"b": 1}),
        (NAN, None),
        (float("inf"), None),
        (2.0, 2),
        (2**60, 2**60),
        (2**64, 2.0**64),
        (Pattern("a", ""), {}),
        ({"a": [{"b": NAN}]}, {"a": [{"b": None}]}),
    ],
)
def test_values_convert_to_json_as_in_javascript(value: Any, expected: Any) -> None:
    """What JSON does not know becomes null, or is left out of an object."""
    assert plain(value) == expected
