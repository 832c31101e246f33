"""Arithmetic of JavaScript's numbers: never an error, never a number that grows."""

import contextlib
import copy
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scaffolder.dialect import arithmetic
from services.scaffolder.dialect.calling import Call, perform
from services.scaffolder.dialect.failure import TemplateLimitError, ValueFailure
from services.scaffolder.dialect.methods import NUMBER
from services.scaffolder.dialect.methods_list import LIST
from services.scaffolder.dialect.methods_text import TEXT
from services.scaffolder.dialect.template import BUILT_IN
from services.scaffolder.dialect.values import UNDEFINED, number_text, to_number
from tests.scaffolder.dialect.expressions import evaluate

INFINITE, NAN = math.inf, math.nan
#: The two operands, and the results of `-`, `*`, `/`, `%`, `**` and `//`.
OPERATIONS = [
    (7, 2, 5, 14, 3.5, 1, 49, 3),
    (-7, 2, -9, -14, -3.5, -1, 49, -4),
    (7, -2, 9, -14, -3.5, 1, 1 / 49, -4),
    (0, 5, -5, 0, 0, 0, 0, 0),
    (5, 0, 5, 0, INFINITE, NAN, 1, INFINITE),
    (-5, 0, -5, 0, -INFINITE, NAN, 1, -INFINITE),
    (0, 0, 0, 0, NAN, NAN, 1, NAN),
    ("6", "3", 3, 18, 2, 0, 216, 2),
    (" 6 ", 3, 3, 18, 2, 0, 216, 2),
    ("", 3, -3, 0, 0, 0, 0, 0),
    (None, 3, -3, 0, 0, 0, 0, 0),
    (True, 2, -1, 2, 0.5, 1, 1, 0),
    ([4], 2, 2, 8, 2, 0, 16, 2),
    ("a", 2, NAN, NAN, NAN, NAN, NAN, NAN),
    ([1, 2], 2, NAN, NAN, NAN, NAN, NAN, NAN),
    ({}, 2, NAN, NAN, NAN, NAN, NAN, NAN),
    (UNDEFINED, 2, NAN, NAN, NAN, NAN, NAN, NAN),
    (INFINITE, 2, INFINITE, INFINITE, INFINITE, NAN, INFINITE, INFINITE),
    (2, INFINITE, -INFINITE, INFINITE, 0, 2, INFINITE, 0),
    (10, 400, -390, 4000, 0.025, 10, INFINITE, 0),
    (-10, 401, -411, -4010, -10 / 401, -10, -INFINITE, -1),
    (0, -1, 1, 0, -0.0, 0, INFINITE, 0),
    (-8, 0.5, -8.5, -4, -16, -0.0, NAN, -16),
    (2**53, 1, 2.0**53 - 1, 2.0**53, 2.0**53, 0, 2.0**53, 2.0**53),
]
NAMES = ("subtract", "multiply", "divide", "modulo", "power", "floor_divide")
FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)


def same(left: float, right: float) -> bool:
    return left == right or (math.isnan(left) and math.isnan(right))


@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: f"{row[0]!r}-{row[1]!r}")
def test_operations_have_javascripts_results(row: tuple[Any, ...]) -> None:
    """Texts, lists, null and undefined are converted to numbers first."""
    left, right, *expected = row
    results = [getattr(arithmetic, name)(left, right) for name in NAMES]
    for name, result, exact in zip(NAMES, results, expected, strict=True):
        assert same(result, exact), (name, result)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("12", 12), ("1.5", 1.5), ("-.5", -0.5), ("5.", 5), ("1e3", 1000),
        ("0x1F", 31), ("0b101", 5), ("0o17", 15), ("Infinity", INFINITE),
        ("-Infinity", -INFINITE), ("\n12\t", 12), ("", 0), ("  ", 0), (None, 0),
        (True, 1), (False, 0), ([], 0), (["7"], 7), ([[3]], 3),
    ],
)  # fmt: skip
def test_numeric_texts_convert_to_numbers(value: Any, number: float) -> None:
    """The forms that JavaScript's `Number` reads."""
    assert to_number(value) == number


@pytest.mark.parametrize(
    "value",
    ["12px", "1,5", "0x", "-0x1", "1_000", "infinity", "NaN", "--1", ["a"], [1, 2], {}],
)
def test_non_numeric_values_convert_to_nan(value: Any) -> None:
    """They are NaN, and no error."""
    assert math.isnan(to_number(value))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (-0.0, "0"), (1, "1"), (-1.5, "-1.5"), (0.1, "0.1"),
        (100.0, "100"), (1e21, "1e+21"), (1e20, "100000000000000000000"),
        (1.5e300, "1.5e+300"), (1e-6, "0.000001"), (1e-7, "1e-7"),
        (1.25e-9, "1.25e-9"), (2**64, "18446744073709552000"),
        (0.1 + 0.2, "0.30000000000000004"),
        (INFINITE, "Infinity"), (-INFINITE, "-Infinity"), (NAN, "NaN"),
        (123456789.125, "123456789.125"), (10**400, "Infinity"),
        (-(10**400), "-Infinity"),
    ],
)  # fmt: skip
def test_numbers_are_printed_as_javascript_prints_them(value: float, text: str) -> None:
    """Whole numbers without a fraction, large and small ones with an exponent."""
    assert number_text(value) == text


@given(FINITE)
def test_a_printed_number_is_read_as_the_same_number(value: float) -> None:
    """Printing loses nothing, whatever the number is."""
    assert to_number(number_text(value)) == value


@given(FINITE, FINITE)
def test_a_remainder_has_the_sign_of_the_left_side(left: float, right: float) -> None:
    """Its absolute value is smaller than the right side."""
    result = arithmetic.modulo(left, right)
    if right == 0:
        assert math.isnan(result)
    else:
        assert abs(result) < abs(right)
        assert result == 0 or (result > 0) == (left > 0)


@given(st.integers(-(2**52), 2**52), st.integers(1, 2**20))
def test_whole_numbers_divide_into_floor_and_remainder(left: int, right: int) -> None:
    """The floor goes down for negative numbers, as Nunjucks' `Math.floor` does."""
    assert evaluate(f"({left}) // {right}") == left // right
    assert evaluate(f"({left}) % {right}") == math.fmod(left, right)


@pytest.mark.parametrize(
    ("value", "index"),
    [(1.9, 1), (-1.9, -1), ("3", 3), ("a", 0), (None, 0), (INFINITE, 2**53)],
)
def test_an_index_is_a_whole_number(value: Any, index: int) -> None:
    """A fraction is cut off; what is no number counts as zero."""
    assert arithmetic.integer(value) == index
    assert arithmetic.integer(-INFINITE) == -(2**53)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [("-'3'", -3), ("+'3'", 3), ("-null", 0), ("+[]", 0), ("-{}", None), ("- -2", 2)],
)
def test_signs_convert_to_numbers(expression: str, expected: Any) -> None:
    """NaN is null in JSON."""
    assert evaluate(expression) == expected


#: Whole numbers of JSON may have any length; JavaScript's are infinite from 2**1024.
HUGE = 10**400
TABLES = {"": (TEXT, "text"), "list": (LIST, [1, [2]]), "number": (NUMBER, HUGE)}


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in TABLES for name in TABLES[kind][0]]
)
@pytest.mark.parametrize("argument", [HUGE, -HUGE, "1e300", "-1e300"])
def test_a_number_of_any_size_fails_no_method(
    kind: str, name: str, argument: Any
) -> None:
    table, subject = TABLES[kind]
    for arguments in ([argument], [1, argument], [argument, argument]):
        call = Call(copy.copy(subject), arguments)
        with contextlib.suppress(ValueFailure, TemplateLimitError):
            perform(name, table[name], call)


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_number_of_any_size_fails_no_filter(name: str) -> None:
    for subject in ("text", [1, 2], HUGE):
        for arguments in ([], [HUGE], [-HUGE, "1e300"], ["e", "x", HUGE]):
            call = Call(copy.copy(subject), arguments)
            with contextlib.suppress(ValueFailure, TemplateLimitError):
                perform(name, BUILT_IN[name], call)


def test_a_number_over_javascripts_is_infinite() -> None:
    assert evaluate("n / 2", n=HUGE) is None
    assert evaluate("'a'.charAt(n)", n=HUGE) == ""
    assert evaluate("n.toFixed(2)", n=HUGE) == "Infinity"
    assert evaluate("''.repeat('1e300')") == ""
