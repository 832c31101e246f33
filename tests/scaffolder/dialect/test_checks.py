"""What may follow `is`: Nunjucks' tests, each with what passes and what does not."""

from typing import Any

import pytest

from services.scaffolder.dialect.checks import CHECKS
from services.scaffolder.dialect.failure import TemplateRenderError
from tests.scaffolder.dialect.expressions import evaluate

#: The test, expressions that pass it, and expressions that do not.
TESTS = [
    ("callable", ["range", "cycler"], ["1", "'range'", "nosuch"]),
    ("defined", ["1", "null", "''", "[]"], ["nosuch", "{}.a"]),
    ("undefined", ["nosuch", "{}.a"], ["null", "0"]),
    ("divisibleby(3)", ["9", "0", "'6'"], ["10", "nosuch", "'a'"]),
    ("divisibleby(0)", [], ["9", "0"]),
    ("eq(1)", ["1", "1.0"], ["'1'", "true", "2"]),
    ("equalto('a')", ["'a'"], ["'A'", "['a']"]),
    ("sameas(null)", ["null"], ["nosuch", "0", "''"]),
    ("ne(1)", ["'1'", "2", "null"], ["1"]),
    ("escaped", ["'<' | escape", "'<' | safe"], ["'&lt;'", "'a'"]),
    ("even", ["0", "2", "-4", "'2'"], ["1", "2.5", "'a'"]),
    ("odd", ["1", "'3'"], ["2", "1.5", "nosuch"]),
    ("falsy", ["0", "''", "null", "nosuch", "0 / 0"], ["[]", "{}", "'0'"]),
    ("truthy", ["[]", "{}", "'0'", "1"], ["0", "''", "null", "0 / 0"]),
    ("ge(2)", ["2", "3", "'2'"], ["1", "'a'"]),
    ("gt(2)", ["3", "'10'"], ["2", "nosuch"]),
    ("greaterthan(2)", ["3"], ["2"]),
    ("le(2)", ["2", "1", "null"], ["3", "nosuch"]),
    ("lt(2)", ["1", "''"], ["2", "'a'"]),
    ("lessthan('b')", ["'a'", "'B'"], ["'b'", "1"]),
    ("iterable", ["[]", "'text'"], ["1", "null"]),
    ("lower", ["'abc'", "''", "'1'"], ["'aBc'"]),
    ("upper", ["'ABC'", "''"], ["'aBC'"]),
    ("mapping", ["{}", "{a: 1}"], ["[]", "'a'", "null"]),
    ("none", ["null", "none"], ["nosuch", "0"]),
    ("null", ["null"], ["nosuch", "''"]),
    ("number", ["1", "1.5", "0 / 0"], ["'1'", "true", "null"]),
    ("string", ["''", "'a'", "1 ~ ''"], ["1", "['a']"]),
]
CASES = [
    (f"{'(' + operand + ')'} is {test}", expected)
    for test, passing, failing in TESTS
    for expected, group in ((True, passing), (False, failing))
    for operand in group
]


@pytest.mark.parametrize(("expression", "expected"), CASES)
def test_a_test_passes_what_nunjucks_passes(expression: str, expected: bool) -> None:
    """Also where a text stands for a number, as JavaScript converts it."""
    assert evaluate(expression) is expected
    assert evaluate(expression.replace(" is ", " is not ")) is not expected


def test_every_test_of_the_dialect_is_covered() -> None:
    """A test that is added to the dialect is added to this table."""
    assert {test.partition("(")[0] for test, _, _ in TESTS} == set(CHECKS)


@pytest.mark.parametrize("name", ["lower", "upper"])
@pytest.mark.parametrize("operand", ["1", "['a']", "null"])
def test_the_case_of_a_value_that_is_no_text_is_an_error(
    name: str, operand: str
) -> None:
    """Nunjucks calls a method of texts there, which other values do not have."""
    with pytest.raises(TemplateRenderError, match="Test input must be a string"):
        evaluate(f"{operand} is {name}")


@pytest.mark.parametrize("expression", ["1 is nosuch", "[1] | select('nosuch')"])
def test_an_unknown_test_is_named(expression: str) -> None:
    """After `is` and as the argument of a filter."""
    with pytest.raises(TemplateRenderError, match='Unknown template test "nosuch"'):
        evaluate(expression)


def test_a_test_may_have_arguments_of_any_kind() -> None:
    """They are expressions, evaluated once."""
    values: dict[str, Any] = {"n": 12, "by": {"three": 3}}
    assert evaluate("n is divisibleby(by.three)", **values) is True
    assert evaluate("n is divisibleby(by.three + 2)", **values) is False
