"""Nunjucks' filters on texts, by its documentation."""

from typing import Any

import pytest

from services.scaffolder.dialect.failure import TemplateRenderError
from services.scaffolder.dialect.values import UNDEFINED
from tests.scaffolder.dialect.expressions import evaluate, render

TEXTS = [
    ("'hELLO wORLD' | capitalize", "Hello world"),
    ("'' | capitalize", ""),
    ("null | capitalize", ""),
    ("false | capitalize", ""),
    ("'ab' | center(6)", "  ab  "),
    ("'abc' | center(6)", " abc  "),
    ("'abc' | center(2)", "abc"),
    ("'x' | center | length", 80),
    ("'a\nb' | indent", "a\n    b"),
    ("'a\nb' | indent(2, true)", "  a\n  b"),
    ("'' | indent(2, true)", ""),
    ("'AbC' | lower", "abc"),
    ("'AbC' | upper", "ABC"),
    ("'foo bar baz' | title", "Foo Bar Baz"),
    ("'FOO bar' | title", "Foo Bar"),
    ("'  a  ' | trim", "a"),
    ("'a b c' | wordcount", 3),
    ("'' | wordcount", None),
    ("'one, two-three' | wordcount", 3),
    ("'foo bar baz' | truncate(7)", "foo bar..."),
    ("'foo bar baz' | truncate(5)", "foo..."),
    ("'foo bar baz' | truncate(5, true)", "foo b..."),
    ("'foo bar baz' | truncate(7, true, '!')", "foo bar!"),
    ("'foobarbaz' | truncate(4)", "foob..."),
    ("'foo' | truncate(3)", "foo"),
    ("'a\r\nb\nc' | nl2br", "a<br />\nb<br />\nc"),
    ("null | nl2br", ""),
    ("5 | string", "5"),
    ("[1, 2] | string", "1,2"),
    ("null | safe", ""),
    ("'<b>' | safe | escape", "<b>"),
    ("'<b>' | escape", "&lt;b&gt;"),
    ("'<b>' | e | e", "&lt;b&gt;"),
    ("'<b>' | escape | forceescape", "&amp;lt;b&amp;gt;"),
    ("'a\\\\b' | escape", "a&#92;b"),
    ('"it\'s" | escape', "it&#39;s"),
    ("null | escape", ""),
    ("5 | escape", "5"),
    ("'a&b=c d' | urlencode", "a%26b%3Dc%20d"),
    ("'~(a)*!' | urlencode", "~(a)*!"),
    ("[['a', 1], ['b c', 2]] | urlencode", "a=1&b%20c=2"),
    ("{q: 'x y'} | urlencode", "q=x%20y"),
    ("5 | urlencode", ""),
    ("'ü' | urlencode", "%C3%BC"),
    ("'aaa' | replace('a', 'b')", "bbb"),
    ("'aaa' | replace('a', 'b', 2)", "bba"),
    ("'aaa' | replace('', '-')", "-a-a-a-"),
    ("'a.b' | replace('.', '')", "ab"),
    ("123 | replace(2, 'x')", "1x3"),
    ("[1] | replace('a', 'b')", [1]),
    ("'a' | replace(null, 'b')", "a"),
    ("'aBc' | replace(r/b/i, '-')", "a-c"),
    ("'aaa' | replace(r/a/, 'b')", "baa"),
    ("'aaa' | replace(r/a/g, 'b')", "bbb"),
]
TAGS = [
    ("'<p>one</p> <b>two</b>' | striptags", "one two"),
    ("'a <!-- gone --> b' | striptags", "a b"),
    ("'1 < 2 and 3 > 2' | striptags", "1 < 2 and 3 > 2"),
    ("'<<b>b>x' | striptags", "x"),
    ("'a\n\n\n\nb' | striptags(true)", "a\n\nb"),
    ("'a   b\nc' | striptags", "a b c"),
    ("'a   b\n  c' | striptags(true)", "a b\nc"),
]
LINKS = [
    (
        "'see http://a.example now' | urlize",
        'see <a href="http://a.example">http://a.example</a> now',
    ),
    (
        "'www.example.org' | urlize",
        '<a href="http://www.example.org">www.example.org</a>',
    ),
    ("'a@b.example' | urlize", '<a href="mailto:a@b.example">a@b.example</a>'),
    ("'example.com/x' | urlize", '<a href="http://example.com/x">example.com/x</a>'),
    (
        "'(http://a.example)' | urlize",
        '<a href="http://a.example">http://a.example</a>',
    ),
    (
        "'http://a.example/long' | urlize(10)",
        '<a href="http://a.example/long">http://a.e</a>',
    ),
    (
        "'http://a.example' | urlize(99, true)",
        '<a href="http://a.example" rel="nofollow">http://a.example</a>',
    ),
    ("'nothing here' | urlize", "nothing here"),
]


@pytest.mark.parametrize(("expression", "expected"), TEXTS + TAGS + LINKS)
def test_filters_have_nunjucks_results(expression: str, expected: Any) -> None:
    """As the documentation of Nunjucks shows them."""
    assert evaluate(expression) == expected


@pytest.mark.parametrize(
    "name", ["capitalize", "center", "indent", "lower", "title", "upper", "wordcount"]
)
def test_a_filter_of_texts_takes_no_other_value(name: str) -> None:
    """The error names the filter and the type that it was given."""
    with pytest.raises(TemplateRenderError, match=f'Filter "{name}" failed for number'):
        evaluate(f"5 | {name}")


@pytest.mark.parametrize(
    ("expression", "rule"),
    [
        ("5 | trim", "Filter input must be a string"),
        ("null | string", "string requires a value"),
        ("5 | replace(r/5/, '6')", "replace with a pattern requires a string"),
        ("'a' | replace(r/(/, '')", "Invalid regular expression"),
        ("'a' | replace(r/a/zz, '')", "Invalid regular expression"),
        ("'a' | indent(2000000)", "A width is over 1000000"),
    ],
)
def test_a_wrong_argument_is_an_error_with_the_rule(expression: str, rule: str) -> None:
    """It says what the filter takes."""
    with pytest.raises(TemplateRenderError, match=rule):
        evaluate(expression)


def test_safe_text_stays_safe_through_a_variable() -> None:
    """The mark belongs to the value, not to the expression."""
    source = "{% set s = '<b>' | escape %}${{ s | escape }}${{ s ~ '' | escape }}"
    assert render(source) == "&lt;b&gt;&lt;b&gt;"


def test_filters_are_chained_from_left_to_right() -> None:
    """Each gets the value of the one before it."""
    assert evaluate("' a,b ' | trim | upper | replace(',', '-')") == "A-B"
    assert evaluate("nosuch | default('x') | upper") == "X"
    assert evaluate("nosuch | length | string") == "0"
    assert evaluate("'x' | first | last") == "x"
    assert evaluate("[] | first | default") is UNDEFINED
