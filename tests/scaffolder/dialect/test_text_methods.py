"""The methods of texts and numbers: JavaScript's `String` and `Number`, as on MDN."""

from typing import Any

import pytest

from services.scaffolder.dialect.failure import TemplateRenderError
from services.scaffolder.dialect.values import UNDEFINED
from tests.scaffolder.dialect.expressions import evaluate

TEXTS = [
    ("'abc'.charAt(1)", "b"),
    ("'abc'.charAt()", "a"),
    ("'abc'.charAt(3)", ""),
    ("'abc'.charAt(-1)", ""),
    ("'abc'.charCodeAt(0)", 97),
    ("'abc'.charCodeAt(9)", None),
    ("'a'.concat('b', 1, null)", "ab1null"),
    ("'a'.concat([1, 2])", "a1,2"),
    ("'abc'.endsWith('bc')", True),
    ("'abc'.endsWith('ab')", False),
    ("'abc'.endsWith('ab', 2)", True),
    ("'abc'.startsWith('bc', 1)", True),
    ("'abc'.startsWith('bc')", False),
    ("'abc'.startsWith('')", True),
    ("'abc'.includes('b')", True),
    ("'abc'.includes('a', 1)", False),
    ("'abcabc'.indexOf('c')", 2),
    ("'abcabc'.indexOf('c', 3)", 5),
    ("'abc'.indexOf('x')", -1),
    ("'abc'.indexOf('', 9)", 3),
    ("'abcabc'.lastIndexOf('c')", 5),
    ("'abcabc'.lastIndexOf('c', 4)", 2),
    ("'abc'.lastIndexOf('x')", -1),
    ("'aXbX'.replace('X', '-')", "a-bX"),
    ("'abc'.replace('x', '-')", "abc"),
    ("'abc'.replace('b', '[$&]')", "a[b]c"),
    ("'abc'.replace('b', '$$')", "a$c"),
    ("'abc'.replace('b', '$`')", "aac"),
    ("'abc'.replace('b', \"$'\")", "acc"),
    ("'1 2 1'.replace(1, 'x')", "x 2 1"),
    ("'abcdef'.slice(2)", "cdef"),
    ("'abcdef'.slice(2, 4)", "cd"),
    ("'abcdef'.slice(-3, -1)", "de"),
    ("'abcdef'.slice(4, 2)", ""),
    ("'abcdef'.substring(2, 4)", "cd"),
    ("'abcdef'.substring(4, 2)", "cd"),
    ("'abcdef'.substring(-3, 2)", "ab"),
    ("'abcdef'.substring(3)", "def"),
    ("'a-b-c'.split('-')", ["a", "b", "c"]),
    ("'a-b-c'.split('-', 2)", ["a", "b"]),
    ("'abc'.split('')", ["a", "b", "c"]),
    ("'abc'.split()", ["abc"]),
    ("''.split('-')", [""]),
    ("'-a-'.split('-')", ["", "a", ""]),
    ("'aBc'.toLowerCase()", "abc"),
    ("'aBc'.toUpperCase()", "ABC"),
    ("'  a '.trim()", "a"),
    ("'  a '.trimStart()", "a "),
    ("'  a '.trimEnd()", "  a"),
    ("'abc'.length", 3),
    ("'abc'[1]", "b"),
    ("'abc'['1']", "b"),
    ("'abc'['01']", UNDEFINED),
    ("'abc'[1.5]", UNDEFINED),
    ("'abc'[true]", UNDEFINED),
    ("'abc'[3]", UNDEFINED),
    ("face.length", 2),
    ("'abc'.padStart", UNDEFINED),
]
NUMBERS = [
    ("(1.005).toFixed(2)", "1.00"),
    ("(2.5).toFixed()", "3"),
    ("(-2.5).toFixed(0)", "-3"),
    ("(0.5).toFixed(0)", "1"),
    ("(1.45).toFixed(1)", "1.4"),
    ("(8.345).toFixed(2)", "8.35"),
    ("(-0.0000001).toFixed(2)", "-0.00"),
    ("(-0).toFixed(2)", "0.00"),
    ("(1.255).toFixed(2)", "1.25"),
    ("(10.235).toFixed(2)", "10.23"),
    ("(123456789012345).toFixed(3)", "123456789012345.000"),
    ("(2.5).toPrecision(1)", "3"),
    ("(25).toPrecision(1)", "3e+1"),
    ("(0).toPrecision(3)", "0.00"),
    ("(2.5).toExponential(0)", "3e+0"),
    ("(0.1).toExponential()", "1e-1"),
    ("(100).toExponential()", "1e+2"),
    ("(1 / 0).toExponential(2)", "Infinity"),
    ("(10 ** 21).toFixed(2)", "1e+21"),
    ("(1 / 0).toFixed(2)", "Infinity"),
    ("(3).toFixed(2)", "3.00"),
    ("(123.456).toPrecision(4)", "123.5"),
    ("(0.000123).toPrecision(2)", "0.00012"),
    ("(0.00000123).toPrecision(2)", "0.0000012"),
    ("(0.000000123).toPrecision(2)", "1.2e-7"),
    ("(123456).toPrecision(2)", "1.2e+5"),
    ("(5).toPrecision(3)", "5.00"),
    ("(1.5).toPrecision()", "1.5"),
    ("(1 / 0).toPrecision(3)", "Infinity"),
    ("(123456).toExponential(2)", "1.23e+5"),
    ("(0.00015).toExponential(1)", "1.5e-4"),
    ("(77).toExponential()", "7.7e+1"),
    ("(0).toExponential()", "0e+0"),
    ("(255).toString(16)", "ff"),
    ("(255).toString(2)", "11111111"),
    ("(-255).toString(36)", "-73"),
    ("(0).toString(2)", "0"),
    ("(0.5).toString(2)", "0.1"),
    ("(255.5).toString(16)", "ff.8"),
    ("(255).toString()", "255"),
    ("(1 / 0).toString(2)", "Infinity"),
]


@pytest.mark.parametrize(("expression", "expected"), TEXTS)
def test_text_methods_have_javascripts_results(expression: str, expected: Any) -> None:
    """Each has JavaScript's result; a length counts UTF-16 units."""
    assert evaluate(expression, face="\U0001f600") == expected


@pytest.mark.parametrize(("expression", "expected"), NUMBERS)
def test_number_methods_have_javascripts_results(
    expression: str, expected: str
) -> None:
    """Digits, exponents and bases are those of JavaScript."""
    assert evaluate(expression) == expected


@pytest.mark.parametrize(
    ("expression", "rule"),
    [
        ("(1).toFixed(101)", "Digits must be between 0 and 100"),
        ("(1).toFixed(-1)", "Digits must be between 0 and 100"),
        ("(1).toPrecision(0)", "Digits must be between 1 and 100"),
        ("(1).toExponential(101)", "Digits must be between 0 and 100"),
        ("(1).toString(1)", "A base must be between 2 and 36"),
        ("(1).toString(37)", "A base must be between 2 and 36"),
        ("'a'.includes(r/a/)", "A pattern is not accepted here"),
        ("'a'.startsWith(r/a/)", "A pattern is not accepted here"),
        ("'a'.lastIndexOf(r/a/)", "A pattern is not accepted here"),
        ("(1).slice(1)", "resolved to undefined and cannot be called"),
        ("true.toString()", "resolved to undefined and cannot be called"),
    ],
)
def test_a_wrong_argument_is_an_error_with_the_rule(expression: str, rule: str) -> None:
    """JavaScript throws there too; the error has the place as well."""
    with pytest.raises(TemplateRenderError, match=f"line 1, column .*{rule}"):
        evaluate(expression)
