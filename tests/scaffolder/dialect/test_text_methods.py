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
    ("'abc'.anchor", UNDEFINED),
    ("'abc'.at(-1)", "c"),
    ("'abc'.at(3)", UNDEFINED),
    ("'abc'.codePointAt(1)", 98),
    ("'abc'.codePointAt(9)", UNDEFINED),
    ("face.codePointAt(0)", 128512),
    ("'a b c'.replaceAll(' ', '-')", "a-b-c"),
    ("'Foo Bar'.replaceAll('o', '[$&$`]')", "F[oF][oFo] Bar"),
    ("'abc'.replaceAll('', '-')", "-a-b-c-"),
    ("'ab'.replaceAll('', '<$`>')", "<>a<a>b<ab>"),
    ("'abc'.replaceAll('x', '$&')", "abc"),
    ("'aab'.replaceAll(r/a/g, '0')", "00b"),
    ("'oo'.replaceAll('o')", "undefinedundefined"),
    ("'ab'.repeat(2.9)", "abab"),
    ("'ab'.repeat(0)", ""),
    ("''.repeat(10 ** 15)", ""),
    ("'7'.padStart(3, '0')", "007"),
    ("'Foo'.padStart(8, 'ab')", "ababaFoo"),
    ("'a'.padEnd(3)", "a  "),
    ("'abc'.padEnd(2)", "abc"),
    ("'abc'.padEnd(9, '')", "abc"),
    ("face.padStart(3)", " \U0001f600"),
    ("'a'.padEnd(5, face)", "a\U0001f600\U0001f600"),
    ("'abcdef'.substr(2, 2)", "cd"),
    ("'abcdef'.substr(-3, 2)", "de"),
    ("'abcdef'.substr(1)", "bcdef"),
    ("'abcdef'.substr(1, -1)", ""),
    ("'Foo Bar'.search('B')", 4),
    ("'Foo Bar'.search(r/o+/g)", 1),
    ("'Foo Bar'.search(r/x/)", -1),
    ("'foo'.match(r/(o)(x)?/)", ["o", "o", None]),
    ("'foo'.match(r/(o)(x)?/)[2] | default('none')", "none"),
    ("'foo'.match(r/o/g)", ["o", "o"]),
    ("'foo'.match(r/x/g)", None),
    ("'foo'.match(r/x/)", None),
    ("'a.b'.match('.')", ["a"]),
    ("'foo'.match()", [""]),
    ("r/o/g.exec('foo')", ["o"]),
    ("'e\u0301'.normalize()", "\u00e9"),
    ("'\u00e9'.normalize('NFD')", "e\u0301"),
    ("'\ufb01'.normalize('NFKC')", "fi"),
    ("'a'.localeCompare('A')", -1),
    ("'a'.localeCompare('a')", 0),
    ("'a'.localeCompare('\u00e1')", -1),
    ("'\u00e9'.localeCompare('z')", -1),
    ("'Foo Bar'.localeCompare('foo bar')", 1),
    ("'_'.localeCompare('a')", -1),
    ("'a-b'.localeCompare('ab')", -1),
    ("'10'.localeCompare('9')", -1),
    ("'aB'.toLocaleUpperCase()", "AB"),
    ("'aB'.toLocaleLowerCase()", "ab"),
    ("' a '.trimLeft() ~ ' a '.trimRight()", "a  a"),
    ("'abc'.toString()", "abc"),
    ("'abc'.valueOf()", "abc"),
    ("'abc'.hasOwnProperty('length')", True),
    ("'abc'.hasOwnProperty(3)", False),
]
#: What every value can do.
VALUES = [
    ("true.toString()", "true"),
    ("true.valueOf()", True),
    ("{a: 1}.toString()", "[object Object]"),
    ("{a: 1}.valueOf()", {"a": 1}),
    ("{a: 1}.hasOwnProperty('a')", True),
    ("{a: 1}.hasOwnProperty('toString')", False),
    ("{toString: 1}.toString", 1),
    ("(3).valueOf() + 1", 4),
    ("r/a/g.toString()", "/a/g"),
    ("true.hasOwnProperty('length')", False),
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
    ("(1234567.8915).toLocaleString()", "1,234,567.892"),
    ("(1.0005).toLocaleString('en-US')", "1.001"),
    ("(1000).toLocaleString()", "1,000"),
    ("(-0.0001).toLocaleString()", "-0"),
    ("(1 / 0).toLocaleString()", "∞"),
    ("(0 / 0).toLocaleString()", "NaN"),
    ("(10 ** 300).toLocaleString().length", 401),
]


@pytest.mark.parametrize(("expression", "expected"), TEXTS)
def test_text_methods_have_javascripts_results(expression: str, expected: Any) -> None:
    """Each has JavaScript's result; a length counts UTF-16 units."""
    assert evaluate(expression, face="\U0001f600") == expected


@pytest.mark.parametrize(("expression", "expected"), VALUES)
def test_every_value_has_the_methods_of_an_object(
    expression: str, expected: Any
) -> None:
    """A member or method of its own comes first."""
    assert evaluate(expression) == expected


@pytest.mark.parametrize(("expression", "expected"), NUMBERS)
def test_number_methods_have_javascripts_results(
    expression: str, expected: Any
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
        ("true.trim()", "resolved to undefined and cannot be called"),
        ("nothing.toString()", "resolved to undefined and cannot be called"),
        ("'a'.repeat(-1)", "cannot be repeated less than 0 times"),
        ("'a'.repeat(10 ** 9)", "output limit"),
        ("'a'.padEnd(10 ** 7)", "A width is over 1000000"),
        ("'a'.replaceAll(r/a/, 'b')", "a pattern with the flag g"),
        ("'a'.normalize('X')", "one of NFC, NFD, NFKC, NFKD"),
        ("('e' ~ '\u0301'.repeat(101)).normalize('NFD')", "over 100 marks in a row"),
        ("('e' ~ '\u0301'.repeat(101)).localeCompare('e')", "over 100 marks in a row"),
        ("(1).toLocaleString('de-DE')", "as en-US does, no other way"),
    ],
)
def test_a_wrong_argument_is_an_error_with_the_rule(expression: str, rule: str) -> None:
    """JavaScript throws there too; the error has the place as well."""
    with pytest.raises(TemplateRenderError, match=f"line 1, column .*{rule}"):
        evaluate(expression)
