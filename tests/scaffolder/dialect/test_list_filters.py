"""Nunjucks' filters on lists, objects and numbers, by its documentation."""

from typing import Any

import pytest

from services.scaffolder.dialect.failure import TemplateRenderError
from services.scaffolder.dialect.values import UNDEFINED
from tests.scaffolder.dialect.expressions import evaluate, render

CREW = [
    {"name": "mia", "age": 40, "active": True, "at": {"port": "rye"}},
    {"name": "Leo", "age": 22, "active": False, "at": {"port": "ayr"}},
    {"name": "ada", "age": 22, "active": True, "at": {"port": "rye"}},
]
LISTS = [
    ("[1, 2, 3, 4, 5] | batch(2)", [[1, 2], [3, 4], [5]]),
    ("[1, 2, 3] | batch(2, 'x')", [[1, 2], [3, "x"]]),
    ("[1, 2] | batch(2, 'x')", [[1, 2]]),
    ("[] | batch(2, 'x')", []),
    ("'abc' | batch(2)", [["a", "b"], ["c"]]),
    ("{} | batch(2)", []),
    ("[1, 2, 3, 4, 5] | slice(3)", [[1, 2], [3, 4], [5]]),
    ("[1, 2, 3, 4] | slice(3, 'x')", [[1, 2], [3, "x"], [4, "x"]]),
    ("[1] | slice(3)", [[1], [], []]),
    ("[3, 1, 2] | first", 3),
    ("'abc' | first", "a"),
    ("[] | first", UNDEFINED),
    ("{'0': 'zero'} | first", "zero"),
    ("1 | first", UNDEFINED),
    ("[3, 1, 2] | last", 2),
    ("'abc' | last", "c"),
    ("'' | last", UNDEFINED),
    ("[1, 2] | length", 2),
    ("{a: 1} | length", 1),
    ("'abc' | length", 3),
    ("null | length", 0),
    ("nosuch | length", 0),
    ("5 | length", UNDEFINED),
    ("'ab' | list", ["a", "b"]),
    ("{a: 1, b: 2} | list", [{"key": "a", "value": 1}, {"key": "b", "value": 2}]),
    ("[1] | list", [1]),
    ("[1, 2, 3] | reverse", [3, 2, 1]),
    ("'abc' | reverse", "cba"),
    ("5 | reverse", []),
    ("[1, 2] | join", "12"),
    ("[1, null, 2] | join('-')", "1--2"),
    ("crew | join(', ', 'name')", "mia, Leo, ada"),
    ("crew | join('/', 'at.port')", "rye/ayr/rye"),
    ("['only'] | random", "only"),
    ("[] | random", UNDEFINED),
    ("[0, 1, '', 'a', [], null] | select", [1, "a", []]),
    ("[1, 2, 3, 4] | select('odd')", [1, 3]),
    ("[1, 2, 3, 4] | select('divisibleby', 4)", [4]),
    ("[0, 1, ''] | reject", [0, ""]),
    ("[1, 2, 3] | reject('even')", [1, 3]),
    ("['a', 'B'] | reject('lower')", ["B"]),
    ("crew | selectattr('active') | join(',', 'name')", "mia,ada"),
    ("crew | rejectattr('active') | join(',', 'name')", "Leo"),
    ("crew | selectattr('at.port') | length", 3),
    ("crew | rejectattr('nosuch') | length", 3),
    ("[1, 2, 3.5] | sum", 6.5),
    ("crew | sum('age')", 84),
    ("crew | sum('age', 16)", 100),
    ("[] | sum", 0),
    ("['a', 'b'] | sum", "00ab"),
    ("[3, 1, 2] | sort", [1, 2, 3]),
    ("[3, 1, 2] | sort(true)", [3, 2, 1]),
    ("['b', 'C', 'a'] | sort", ["a", "b", "C"]),
    ("['b', 'C', 'a'] | sort(false, true)", ["C", "a", "b"]),
    ("['b', 'C', 'a'] | sort(case_sensitive=true)", ["C", "a", "b"]),
    ("crew | sort(attribute='age') | join(',', 'name')", "Leo,ada,mia"),
    ("crew | sort(true, false, 'age') | join(',', 'name')", "mia,Leo,ada"),
    ("crew | sort(attribute='name') | join(',', 'name')", "ada,Leo,mia"),
    ("crew | sort(false, false, 'at.port') | first | pick('name')", "Leo"),
    ("[[2], [1]] | sort", [[1], [2]]),
    ("{b: 1, A: 2} | dictsort", [["A", 2], ["b", 1]]),
    ("{b: 1, A: 2} | dictsort(true)", [["A", 2], ["b", 1]]),
    ("{a: 1, B: 2} | dictsort(true)", [["B", 2], ["a", 1]]),
    ("{a: 2, b: 1} | dictsort(false, 'value')", [["b", 1], ["a", 2]]),
    ("nosuch | default('x')", "x"),
    ("null | default('x')", None),
    ("0 | default('x')", 0),
    ("0 | default('x', true)", "x"),
    ("null | d('x', true)", "x"),
    ("'a' | d('x', true)", "a"),
]
NUMBERS = [
    ("-3 | abs", 3),
    ("'-3.5' | abs", 3.5),
    ("'a' | abs", None),
    ("'12px' | int", 12),
    ("'3.9' | int", 3),
    ("' -7' | int", -7),
    ("'x' | int", UNDEFINED),
    ("'x' | int(9)", 9),
    ("null | int(9)", 9),
    ("true | int(9)", 9),
    ("'ff' | int(0, 16)", 255),
    ("'0xff' | int(0, 16)", 255),
    ("'0x1' | int(9)", 0),
    ("'12' | int(9, 99)", 9),
    ("'1.50x' | float", 1.5),
    ("'.5' | float", 0.5),
    ("'1e3' | float", 1000),
    ("'x' | float(9)", 9),
    ("false | float(9)", 9),
    ("2.5 | round", 3),
    ("-2.5 | round", -2),
    ("2.345 | round(2)", 2.35),
    ("2.341 | round(2, 'ceil')", 2.35),
    ("2.349 | round(2, 'floor')", 2.34),
    ("1234 | round(-2)", 1200),
    ("'a' | round", None),
]
DUMPS = [
    ("{a: [1, 'x', null]} | dump", '{"a":[1,"x",null]}'),
    ("{a: 1} | dump(2)", '{\n  "a": 1\n}'),
    ("{a: 1} | dump('--')", '{\n--"a": 1\n}'),
    ("[[], {}] | dump(1)", "[\n [],\n {}\n]"),
    ("[1] | dump(99)", "[\n          1\n]"),
    ("'a\"b' | dump", '"a\\"b"'),
    ("nosuch | dump", UNDEFINED),
    ("[nosuch] | dump", "[null]"),
    ("{a: nosuch} | dump", "{}"),
    ("1.0 | dump", "1"),
    ("true | dump", "true"),
]


@pytest.mark.parametrize(("expression", "expected"), LISTS + NUMBERS)
def test_filters_have_nunjucks_results(expression: str, expected: Any) -> None:
    """As the documentation of Nunjucks shows them."""
    result = evaluate(expression, crew=CREW)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(("expression", "expected"), DUMPS)
def test_dump_is_json_stringify(expression: str, expected: Any) -> None:
    """With an indentation of at most ten characters."""
    assert evaluate(expression) == expected


def test_groups_are_ordered_as_in_javascript() -> None:
    """Whole numbers first and ascending, other names in their order."""
    rows = [{"k": key} for key in ("b", 10, "a", 2, "01", "b")]
    groups = evaluate("rows | groupby('k')", rows=rows)
    assert list(groups) == ["2", "10", "b", "a", "01"]
    assert len(groups["b"]) == 2
    assert list(evaluate("crew | groupby('at.port')", crew=CREW)) == ["rye", "ayr"]
    assert list(evaluate("crew | groupby('nosuch')", crew=CREW)) == ["undefined"]


def test_an_attribute_may_be_an_index() -> None:
    """A number in a path is an item of a list; beyond it there is nothing."""
    rows = [{"l": [3, 4]}, {"l": [1]}]
    assert evaluate("rows | join(',', 'l.0')", rows=rows) == "3,1"
    assert evaluate("rows | join(',', 'l.1')", rows=rows) == "4,"


def test_a_sorted_list_is_another_one() -> None:
    """The values of the run stay in their order."""
    values = [3, 1, 2]
    assert (
        render("${{ l | sort | dump }} ${{ l | dump }}", l=values) == "[1,2,3] [3,1,2]"
    )
    assert values == [3, 1, 2]


@pytest.mark.parametrize(
    ("expression", "rule"),
    [
        ("[1] | batch(0)", "Batch size must be a positive integer"),
        ("[1] | batch('a')", "Batch size must be a positive integer"),
        ("[1] | slice(1.5)", "Slice count must be a positive integer"),
        ("[1] | slice('Infinity')", "Slice count must be a positive integer"),
        ("5 | select", "a sequence is required"),
        ("null | batch(1)", "a sequence is required"),
        ("'abc' | join", "join requires an array"),
        ("'abc' | selectattr('a')", "an array is required"),
        ("5 | list", "list requires an iterable value"),
        ("[1] | dictsort", "dictsort requires a record"),
        ("crew | sum(path)", "an attribute's path is over 1000 characters"),
    ],
)
def test_a_wrong_value_is_an_error_with_the_rule(expression: str, rule: str) -> None:
    """It names the filter, the type of its value, and the rule."""
    words = rf'Filter "\w+" failed for \w+ input: {rule}'
    with pytest.raises(TemplateRenderError, match=words):
        evaluate(expression, crew=CREW, path="a." * 600)


def test_an_unknown_filter_is_named_with_its_place() -> None:
    """Line and column are those of the filter's name."""
    with pytest.raises(TemplateRenderError) as raised:
        render("first\n${{ 1 | abs | nosuch }}")
    assert raised.value.reason == 'Unknown template filter "nosuch"'
    assert (raised.value.line, raised.value.column) == (2, 15)
