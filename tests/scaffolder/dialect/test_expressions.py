"""The dialect: what an expression is worth."""

from typing import Any

import pytest

from services.scaffolder.dialect.json_rendering import rendered
from services.scaffolder.dialect.template import TemplateDialect
from services.scaffolder.dialect.values import UNDEFINED
from tests.scaffolder.dialect.expressions import CONTEXT, DIALECT, VALUES, value

KEEPS_TYPE = [
    ("${{ p.count }}", 4),
    ("${{ p.price }}", 2.5),
    ("${{ p.yes }}", True),
    ("${{ p.nothing }}", None),
    ("${{ p.tags }}", ["red", "blue", "red"]),
    ("${{ p.spot }}", {"row": 7, "at": {"seat": "F"}}),
    ("${{ p.unknown }}", UNDEFINED),
    ("${{ p.unknown.deeper.still }}", UNDEFINED),
    ("${{ '17' }}", "17"),
    ("${{ '{\"a\": 1}' }}", '{"a": 1}'),
    ("row ${{ p.spot.row }}", "row 7"),
    (" ${{ p.count }}", " 4"),
    ("${{ p.count }}${{ p.count }}", "44"),
    ("${{ p.count }}{# said #}", 4),
    ("$${{ p.count }}", "$4"),
    ("{{ p.count }}", "{{ p.count }}"),
]
TEXTS = [
    ("<${{ p.tags }}>", "<red,blue,red>"),
    ("<${{ p.spot }}>", "<[object Object]>"),
    ("<${{ p.nothing }}${{ p.unknown }}>", "<>"),
    ("<${{ p.yes }}>", "<true>"),
    ("<${{ 6 / 2 }}>", "<3>"),
    ("<${{ 10 ** 21 }}>", "<1e+21>"),
    ("<${{ 1 / 3 }}>", "<0.3333333333333333>"),
    ("<${{ p.nothing ~ '' }}>", "<null>"),
]
ARITHMETIC = [
    ("${{ p.count + 1 }}", 5),
    ("${{ 'v' + p.count }}", "v4"),
    ("${{ '1' + 1 }}", "11"),
    ("${{ p.digits * 2 }}", 34),
    ("${{ 7 // 2 }}", 3),
    ("${{ -7 // 2 }}", -4),
    ("${{ -5 % 3 }}", -2),
    ("${{ 2 ** 3 ** 2 }}", 64),
    ("${{ 10 / 4 // 2 }}", 5),
    ("${{ 1 / 0 }}", None),
    ("${{ 'a' ~ 1 + 2 }}", "a12"),
    ("${{ true + 1 }}", 2),
    ("${{ -1 | abs }}", 1),
    ("${{ [1] + [2] }}", "12"),
]
LOGIC = [
    ("${{ p.count === 4 }}", True),
    ("${{ p.digits === 17 }}", False),
    ("${{ p.digits == 17 }}", True),
    ("${{ p.count !== 5 }}", True),
    ("${{ 1 < 2 < 3 }}", True),
    ("${{ 3 > 2 > 1 }}", False),
    ("${{ not 1 == 2 }}", False),
    ("${{ not (1 == 2) }}", True),
    ("${{ p.empty or 'other' }}", "other"),
    ("${{ p.yes and p.count }}", 4),
    ("${{ 'red' in p.tags }}", True),
    ("${{ 'sea' in p.name }}", True),
    ("${{ 'row' in p.spot }}", True),
    ("${{ 'x' not in p.tags }}", True),
    ("${{ 'y' if [] else 'n' }}", "y"),
    ("${{ 'y' if 0 else 'n' }}", "n"),
    ("${{ 'y' if p.no }}", ""),
    ("${{ p.unknown is defined }}", False),
    ("${{ p.name is string }}", True),
    ("${{ p.count is divisibleby(2) }}", True),
    ("${{ p.count is not odd }}", True),
    ("${{ null == p.unknown }}", True),
    ("${{ undefined }}", UNDEFINED),
    ("${{ True }}", UNDEFINED),
]
MEMBERS = [
    ("${{ p.tags[1] }}", "blue"),
    ("${{ p.tags[-1] }}", UNDEFINED),
    ("${{ p.tags[0:2] }}", ["red", "blue"]),
    ("${{ p.tags[::-1] }}", ["red", "blue", "red"]),
    ("${{ p.name[0:2] }}", ["s", "e"]),
    ("${{ p['spot']['at'].seat }}", "F"),
    ("${{ p.name.length }}", 15),
    ("${{ p.name.split('-') }}", ["seat", "Pricer Two"]),
    ("${{ p.name.toUpperCase() }}", "SEAT-PRICER TWO"),
    ("${{ p.name.includes('Pri') }}", True),
    ("${{ p.name.startsWith('seat') }}", True),
    ("${{ p.name.replace('e', 'E') }}", "sEat-Pricer Two"),
    ("${{ p.name.substring(5) }}", "Pricer Two"),
    ("${{ p.name.slice(-3) }}", "Two"),
    ("${{ p.tags.indexOf('blue') }}", 1),
    ("${{ p.tags.concat(['x']) }}", ["red", "blue", "red", "x"]),
    ("${{ p.price.toFixed(2) }}", "2.50"),
    ("${{ (255).toString(16) }}", "ff"),
    ("${{ 'a,b'.split(',').reverse().join('+') }}", "b+a"),
    ("${{ {a: p.count, 'b c': 1} }}", {"a": 4, "b c": 1}),
]
FILTERS = [
    ("${{ p.name | upper }}", "SEAT-PRICER TWO"),
    ("${{ p.name | title }}", "Seat-pricer Two"),
    ("${{ p.name | replace(r/[A-Z]/g, '_') }}", "seat-_ricer _wo"),
    ("${{ p.name | replace(r/(\\w+)-(\\w+)/, '$2.$1') }}", "Pricer.seat Two"),
    ("${{ p.unknown | default('d') }}", "d"),
    ("${{ p.empty | default('d') }}", ""),
    ("${{ p.empty | default('d', true) }}", "d"),
    ("${{ p.tags | join('+') }}", "red+blue+red"),
    ("${{ p.crew | join(',', 'who') }}", "mia,leo"),
    ("${{ p.crew | sort(false, false, 'age') | first }}", VALUES["crew"][1]),
    ("${{ ['b', 'A'] | sort }}", ["A", "b"]),
    ("${{ ['b', 'A'] | sort(reverse=true) }}", ["b", "A"]),
    ("${{ p.spot | dump }}", '{"row":7,"at":{"seat":"F"}}'),
    ("${{ p.spot.at | dump(2) }}", '{\n  "seat": "F"\n}'),
    ("${{ p.tags | length }}", 3),
    ("${{ p.digits | int + 1 }}", 18),
    ("${{ '2.75x' | float }}", 2.75),
    ("${{ 2.345 | round(1, 'ceil') }}", 2.4),
    ("${{ 2.5 | round }}", 3),
    ("${{ [1, 2, 3] | sum }}", 6),
    ("${{ [0, 1, ''] | select }}", [1]),
    ("${{ [1, 2] | reject('odd') }}", [2]),
    ("${{ [1, 2, 3] | batch(2, 'z') }}", [[1, 2], [3, "z"]]),
    ("${{ [1, 2, 3] | slice(2) }}", [[1, 2], [3]]),
    ("${{ {b: 1, a: 2} | dictsort }}", [["a", 2], ["b", 1]]),
    (
        "${{ p.crew | groupby('age') }}",
        {"22": [VALUES["crew"][1]], "40": [VALUES["crew"][0]]},
    ),
    ("${{ p.lines | indent(2) }}", "first\n  second"),
    ("${{ p.lines | nl2br }}", "first<br />\nsecond"),
    ("${{ 'one two three' | truncate(8) }}", "one two..."),
    ("${{ p.markup | escape }}", "&lt;i&gt;&amp;&#39;&quot;&lt;/i&gt;"),
    ("${{ p.markup | escape | escape }}", "&lt;i&gt;&amp;&#39;&quot;&lt;/i&gt;"),
    ("${{ p.markup | striptags }}", "&'\""),
    ("${{ 'a b/c' | urlencode }}", "a%20b%2Fc"),
    (
        "${{ 'see https://a.example/x.' | urlize }}",
        'see <a href="https://a.example/x">https://a.example/x</a>',
    ),
    ("${{ 'abc' | reverse }}", "cba"),
    ("${{ 'x' | center(3) }}", " x "),
]
OWN_FILTERS = [
    (
        "${{ 'git.example?owner=a%2Fb&repo=r' | parseRepoUrl }}",
        {"host": "git.example", "owner": "a/b", "repo": "r"},
    ),
    ("${{ 'git.example?owner=o&repo=r' | projectSlug }}", "o/r"),
    ("${{ 'git.example?repo=r' | parseRepoUrl | pick('repo') }}", "r"),
    (
        "${{ 'group:stage' | parseEntityRef }}",
        {"kind": "group", "namespace": "default", "name": "stage"},
    ),
    (
        "${{ 'stage' | parseEntityRef({defaultKind: 'group'}) | pick('kind') }}",
        "group",
    ),
]
BLOCKS = [
    ("{% if p.no %}a{% elseif p.yes %}b{% else %}c{% endif %}", "b"),
    ("{% if p.yes %}5{% endif %}", 5),
    ("{% if p.no %}5{% endif %}", UNDEFINED),
    ("{% for t in p.tags %}${{ loop.index }}${{ t }},{% endfor %}", "1red,2blue,3red,"),
    ("{% for t in [] %}x{% else %}none{% endfor %}", "none"),
    ("{% for k, v in p.spot.at %}${{ k }}=${{ v }}{% endfor %}", "seat=F"),
    (
        "{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + i %}{% endfor %}${{ x }}",
        "4",
    ),
    ("{% set x %}a${{ p.count }}{% endset %}${{ x }}", "a4"),
    (
        "{% macro m(a, b=2) %}${{ a ~ b }}{% endmacro %}${{ m(1) }}${{ m(b=3,a=0) }}",
        "1203",
    ),
    (
        "{% macro m() %}[${{ caller() }}]{% endmacro %}{% call m() %}in{% endcall %}",
        "[in]",
    ),
    (
        "{% switch p.count %}{% case 3 %}{% case 4 %}few{% default %}no{% endswitch %}",
        "few",
    ),
    ("{% filter upper %}abc{% endfilter %}", "ABC"),
    ("{% raw %}${{ p.count }}{% endraw %}", "${{ p.count }}"),
    (
        "{% set j = joiner(';') %}{% for t in p.tags %}${{ j() }}${{ t }}{% endfor %}",
        "red;blue;red",
    ),
    (
        "{% set c = cycler('a', 'b') %}${{ c.next() }}${{ c.next() }}${{ c.next() }}",
        "aba",
    ),
    ("{% for i in range(0, 6, 3) %}${{ i }},{% endfor %}", "0,3,"),
]


@pytest.mark.parametrize(
    ("source", "expected"),
    KEEPS_TYPE + TEXTS + ARITHMETIC + LOGIC + MEMBERS + FILTERS + OWN_FILTERS + BLOCKS,
)
def test_expressions_have_nunjucks_values(source: str, expected: Any) -> None:
    """Each expression has the value that a template's author knows from Nunjucks."""
    result = value(source)
    assert result == expected
    assert type(result) is type(expected)


def test_inputs_are_rendered_deeply() -> None:
    """Texts in objects and lists are rendered; undefined members are dropped."""
    value = {"a": ["${{ p.count }}", "${{ p.unknown }}"], "b": "${{ p.unknown }}"}
    assert rendered(DIALECT, value, CONTEXT) == {"a": [4, None]}


def test_cookiecutter_templates_have_their_own_syntax() -> None:
    """Cookiecutter's templates have their braces, words and filter."""
    dialect = TemplateDialect(cookiecutter=True)
    context = {"cookiecutter": {"name": "x", "list": [1]}}
    source = "{{ cookiecutter.name }} {{ True }} {{ cookiecutter.list | jsonify }}"
    assert dialect.text(source, context) == "x true [1]"
    assert dialect.text("{{ cookiecutter.get('no', 3) }}", context) == "3"


WHITESPACE = [
    ("a\n{% if true %}\nb\n{% endif %}\n", {}, "a\n\nb\n\n"),
    ("a\n{% if true %}\nb\n{% endif %}\n", {"trim_blocks": True}, "a\nb\n"),
    ("a\n  {% if true %}\nb{% endif %}", {"lstrip_blocks": True}, "a\n\nb"),
    ("a  {%- if true -%}  b  {%- endif %}", {}, "ab"),
    ("a\r\n${{ 1 }}\r\n", {}, "a\r\n1\r\n"),
    ("x {#- gone -#} y", {}, "xy"),
]


@pytest.mark.parametrize(("source", "rules", "expected"), WHITESPACE)
def test_whitespace_is_kept_unless_trimming_is_requested(
    source: str, rules: Any, expected: str
) -> None:
    """Line ends stay as they are."""
    assert TemplateDialect(**rules).text(source, {}) == expected
