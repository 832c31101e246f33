"""Nunjucks' tags: conditions, loops, variables, macros, calls, filters, switches."""

from typing import Any

import pytest

from services.scaffolder.dialect.failure import TemplateRenderError
from tests.scaffolder.dialect.expressions import render

CONDITIONS = [
    ("{% if 1 %}a{% endif %}", "a"),
    ("{% if 0 %}a{% endif %}", ""),
    ("{% if 0 %}a{% else %}b{% endif %}", "b"),
    ("{% if 0 %}a{% elif 1 %}b{% else %}c{% endif %}", "b"),
    ("{% if 0 %}a{% elseif 0 %}b{% else %}c{% endif %}", "c"),
    ("{% if 0 %}a{% elif 0 %}b{% endif %}", ""),
    ("{% if 1 %}{% if 0 %}a{% else %}b{% endif %}{% endif %}", "b"),
]
LOOPS = [
    ("{% for i in [1, 2] %}${{ i }};{% endfor %}", "1;2;"),
    ("{% for c in 'ab' %}${{ c }};{% endfor %}", "a;b;"),
    ("{% for i in 5 %}x{% else %}none{% endfor %}", "none"),
    ("{% for i in nosuch %}x{% else %}none{% endfor %}", "none"),
    ("{% for i in {a: 1} %}x{% else %}none{% endfor %}", "none"),
    ("{% for k, v in {a: 1, b: 2} %}${{ k }}${{ v }};{% endfor %}", "a1;b2;"),
    ("{% for a, b in [[1, 2], [3]] %}${{ a }}-${{ b }};{% endfor %}", "1-2;3-;"),
    ("{% for a, b in ['xy'] %}${{ a }}-${{ b }}{% endfor %}", "x-y"),
    ("{% for a, b, c in [[1, 2, 3, 4]] %}${{ a + b + c }}{% endfor %}", "6"),
    ("{% for a, b in [5] %}[${{ a }}${{ b }}]{% endfor %}", "[]"),
    ("{% for i in [1] %}{% endfor %}${{ i }}", ""),
    ("{% for i in [3, 4] %}${{ loop.index }}${{ loop.index0 }}{% endfor %}", "1021"),
    (
        "{% for i in [3, 4] %}${{ loop.revindex }}${{ loop.revindex0 }}{% endfor %}",
        "2110",
    ),
    (
        "{% for i in [3, 4] %}${{ loop.first }},${{ loop.last }} {% endfor %}",
        "true,false false,true ",
    ),
    ("{% for i in [3, 4] %}${{ loop.length }}{% endfor %}", "22"),
    (
        (
            "{% for i in [1, 2] %}{% for j in [3] %}${{ loop.length }}{% endfor %}"
            "${{ loop.length }}{% endfor %}"
        ),
        "1212",
    ),
    (
        "{% for i in l %}{% set x = l.push(i) %}${{ i }}{% endfor %}${{ l.length }}",
        "124",
    ),
]
VARIABLES = [
    ("{% set a = 1 %}${{ a }}", "1"),
    ("{% set a, b = 1 %}${{ a }}${{ b }}", "11"),
    ("{% set a = 1 %}{% set a = a + 1 %}${{ a }}", "2"),
    ("{% set a %}<${{ 1 + 1 }}>{% endset %}${{ a }}${{ a }}", "<2><2>"),
    ("{% if 1 %}{% set a = 1 %}{% endif %}${{ a }}", "1"),
    ("{% for i in [1] %}{% set a = 1 %}{% endfor %}[${{ a }}]", "[]"),
    (
        "{% set a = 0 %}{% for i in [1, 2] %}{% set a = a + i %}{% endfor %}${{ a }}",
        "3",
    ),
    ("{% set l = 5 %}${{ l }}", "5"),
]
MACROS = [
    ("{% macro m(a) %}<${{ a }}>{% endmacro %}${{ m(1) }}${{ m() }}", "<1><>"),
    (
        "{% macro m(a, b=2) %}${{ a }}${{ b }};{% endmacro %}${{ m(1) }}${{ m(1, 3) }}",
        "12;13;",
    ),
    ("{% macro m(a, b=2) %}${{ a }}${{ b }}{% endmacro %}${{ m(b=5, a=4) }}", "45"),
    ("{% macro m(a=1, b) %}${{ a }}${{ b }}{% endmacro %}${{ m(7) }}", "17"),
    ("{% macro m(a, b=a) %}${{ a }}${{ b }}{% endmacro %}${{ m(3) }}", "33"),
    ("{% set x = 1 %}{% macro m() %}${{ x }}{% endmacro %}${{ m() }}", "1"),
    ("{% macro m() %}{% set y = 1 %}{% endmacro %}${{ m() }}[${{ y }}]", "[]"),
    ("{% macro m() %}<b>{% endmacro %}${{ m() | escape }}", "<b>"),
    (
        (
            "{% macro a() %}1{% endmacro %}"
            "{% macro b() %}${{ a() }}2{% endmacro %}${{ b() }}"
        ),
        "12",
    ),
    (
        (
            "{% macro m(t) %}<${{ t }}>${{ caller() }}</${{ t }}>{% endmacro %}"
            "{% call m('p') %}in{% endcall %}"
        ),
        "<p>in</p>",
    ),
    (
        (
            "{% macro m() %}${{ caller(1) }}${{ caller(2) }}{% endmacro %}"
            "{% call(x) m() %}[${{ x }}]{% endcall %}"
        ),
        "[1][2]",
    ),
    (
        (
            "{% set y = 5 %}{% macro m() %}${{ caller() }}{% endmacro %}"
            "{% call m() %}${{ y }}{% endcall %}"
        ),
        "5",
    ),
]
SWITCHES = [
    ("{% switch 2 %}{% case 1 %}a{% case 2 %}b{% default %}c{% endswitch %}", "b"),
    ("{% switch 9 %}{% case 1 %}a{% default %}c{% endswitch %}", "c"),
    ("{% switch 9 %}{% case 1 %}a{% endswitch %}", ""),
    ("{% switch '1' %}{% case 1 %}a{% default %}c{% endswitch %}", "c"),
    ("{% switch 1 %}{% case 1 %}{% case 2 %}b{% default %}c{% endswitch %}", "b"),
    ("{% switch 2 %}{% case 1 %}a{% case 2 %}{% default %}c{% endswitch %}", "c"),
    ("{% switch 1 %}\n {% case 1 %}a{% endswitch %}", "a"),
    (
        (
            "{% switch 1 %}{% case 1 %}{% switch 2 %}{% case 2 %}in{% endswitch %}"
            "{% endswitch %}"
        ),
        "in",
    ),
]
REST = [
    ("{% filter upper %}a${{ 'b' }}{% endfilter %}", "AB"),
    ("{% filter replace('a', 'b') %}aa{% endfilter %}", "bb"),
    ("{% filter indent(2, true) %}a\nb{% endfilter %}", "  a\n  b"),
    ("{% block b %}in{% endblock %}", "in"),
    ("{% block b %}in{% endblock b %}", "in"),
    ("{% raw %}${{ a }}{% if %}{% endraw %}", "${{ a }}{% if %}"),
    ("{% verbatim %}{# c #}{% endverbatim %}", "{# c #}"),
    ("{% raw %}{% raw %}x{% endraw %}{% endraw %}", "{% raw %}x{% endraw %}"),
    ("{%- raw -%} a {% endraw %} b", " a b"),
    ("{# {% if %} #}a", "a"),
    ("${{ 1 }}{% set j = joiner() %}${{ j() }}a${{ j() }}b", "1a,b"),
    ("{% set c = cycler(1, 2) %}${{ c.next() }}${{ c.current }}${{ c.next() }}", "112"),
    ("{% set c = cycler(1, 2) %}${{ c.next() }}${{ c.reset() }}${{ c.next() }}", "11"),
    ("{% set c = cycler() %}[${{ c.next() }}${{ c.current }}]", "[]"),
    ("${{ range(3) | join(',') }} ${{ range(1, 4) | join(',') }}", "0,1,2 1,2,3"),
    ("${{ range(5, 0, -2) | join(',') }} ${{ range(0, 5, 0) | length }}", "5,3,1 5"),
]


@pytest.mark.parametrize(
    ("source", "expected"),
    CONDITIONS + LOOPS + VARIABLES + MACROS + SWITCHES + REST,
)
def test_tags_render_as_in_nunjucks(source: str, expected: str) -> None:
    """Each tag, alone and within others."""
    assert render(source, l=[1, 2]) == expected


@pytest.mark.parametrize(
    ("source", "reason", "line", "column"),
    [
        ("{% if 1 %}a", "Missing endif tag", 1, 9),
        ("{% for i in [1] %}a", "Missing endfor tag", 1, 17),
        ("a\n{% nosuch %}", 'Unknown template tag "nosuch"', 2, 4),
        ("{% include 'a' %}", 'Unsupported template-loading tag "include"', 1, 4),
        ("{% 5 %}", "A tag's name is expected", 1, 4),
        (
            "{% switch 1 %}x{% case 1 %}{% endswitch %}",
            "Switch content must begin",
            1,
            4,
        ),
        ("{% call 5 %}{% endcall %}", "A call block needs a macro's call", 1, 4),
        ("{% raw %}a", 'Missing "endraw" tag', 1, 1),
        ("a {# b", "Unterminated comment tag", 1, 3),
        ("a\n ${{ b", "Unterminated variable tag", 2, 2),
        ("{% if b", "Unterminated block tag", 1, 1),
        ("${{ 'abc }}", "Unterminated string", 1, 5),
        ("${{ a ? b }}", 'Unexpected character "?"', 1, 7),
        ("${{ 12ab }}", "Invalid numeric literal", 1, 5),
        ("${{ () }}", "Parenthesized expression cannot be empty", 1, 5),
        ("${{ {1: 2} }}", "Dictionary keys must be strings or names", 1, 6),
        ("${{ a[1 2] }}", "A lookup takes one value", 1, 6),
        ("${{ a[1:2:3:4] }}", "A lookup takes one value or a slice", 1, 6),
        ("${{ [1,] }}", 'Unexpected expression token "]"', 1, 5),
        ("${{ if }}", 'Unexpected expression token "if"', 1, 5),
        ("{% if 1 2 %}{% endif %}", 'Unexpected "2"', 1, 9),
    ],
)
def test_a_syntax_error_has_line_and_column(
    source: str, reason: str, line: int, column: int
) -> None:
    """The reason names the mistake and where it begins."""
    with pytest.raises(TemplateRenderError) as raised:
        render(source)
    assert raised.value.reason.startswith(reason)
    assert (raised.value.line, raised.value.column) == (line, column)
    place = f"Template error at line {line}, column {column}: "
    assert raised.value.message.startswith(place + reason)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{% call m() %}{% endcall %}", "Call blocks can target only template macros"),
        (
            "${{ nosuch() }}",
            'value "nosuch" resolved to undefined and cannot be called',
        ),
        ("${{ a.b.c() }}", 'value "a.b.c" resolved to undefined and cannot be called'),
        ("${{ 'x'() }}", 'value "expression" resolved to string and cannot be called'),
        ("${{ cycler(range) }}", "Callable values cannot be arguments"),
        ("${{ 1 in 5 }}", "Membership requires an array, record, or string"),
        ("${{ {constructor: 1} }}", 'Template name "constructor" is reserved'),
        ("${{ __proto__ }}", 'Template name "__proto__" is reserved'),
        ("${{ [1][::0] }}", "Slice step must have finite non-zero numeric coercion"),
        ("${{ range }}", "Callable values cannot be coerced"),
    ],
)
def test_a_failure_while_rendering_names_its_reason(source: str, reason: str) -> None:
    """A template that parses can still fail with the given values."""
    with pytest.raises(TemplateRenderError, match=reason):
        render(source, a={})


MEMBERS: list[tuple[str, Any]] = [
    ("l[1:]", "2,3"), ("l[:1]", "1"), ("l[::2]", "1,3"), ("l[-2:]", "2,3"),
    ("l[::-1]", "3,2,1"), ("'abc'[1:]", "b,c"), ("5[1:]", ""), ("d.a.b", "1"),
    ("d['a']['b']", "1"), ("d.x.y.z", ""), ("d[d.key]", "[object Object]"),
    ("l['1']", "2"), ("l[9]", ""), ("l.nosuch", ""), ("d.a.length", ""),
    ("'b' in d.a", "true"), ("'x' in d.a", "false"), ("2 in l", "true"),
    ("'2' in l", "false"), ("'bc' in 'abc'", "true"), ("2 not in l", "false"),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "expected"), MEMBERS)
def test_members_and_membership_are_as_in_nunjucks(
    expression: str, expected: str
) -> None:
    """Of lists, objects and texts; a missing member is empty."""
    names: dict[str, Any] = {"l": [1, 2, 3], "d": {"a": {"b": 1}, "key": "a"}}
    assert render(f"<${{{{ {expression} }}}}>", **names) == f"<{expected}>"
