"""The methods of lists: JavaScript's `Array`, as MDN documents them."""

import json
from typing import Any

import pytest

from services.scaffolder.dialect.failure import TemplateRenderError
from services.scaffolder.dialect.methods_list import MUTATORS
from services.scaffolder.dialect.values import UNDEFINED
from tests.scaffolder.dialect.expressions import evaluate, render

READING = [
    ("[1, 2, 3].at(0)", 1),
    ("[1, 2, 3].at(-1)", 3),
    ("[1, 2, 3].at(3)", UNDEFINED),
    ("[1, 2, 3].at(-4)", UNDEFINED),
    ("[1, 2, 3].at('1')", 2),
    ("[1].concat()", [1]),
    ("[1].concat(2, [3, [4]])", [1, 2, 3, [4]]),
    ("[].concat([], [])", []),
    ("[1, [2, [3, [4]]]].flat()", [1, 2, [3, [4]]]),
    ("[1, [2, [3, [4]]]].flat(2)", [1, 2, 3, [4]]),
    ("[1, [2, [3, [4]]]].flat(99)", [1, 2, 3, 4]),
    ("[1, [2]].flat(0)", [1, [2]]),
    ("[1, 2].includes(2)", True),
    ("[1, 2].includes('2')", False),
    ("[1, 2, 3].includes(1, 1)", False),
    ("[1, 2, 3].includes(3, -1)", True),
    ("[0 / 0].includes(0 / 0)", True),
    ("[1, 2, 1].indexOf(1)", 0),
    ("[1, 2, 1].indexOf(1, 1)", 2),
    ("[1, 2, 1].indexOf(1, -2)", 2),
    ("[1, 2, 1].indexOf('1')", -1),
    ("[0 / 0].indexOf(0 / 0)", -1),
    ("[1, 2, 1].lastIndexOf(1)", 2),
    ("[1, 2, 1].lastIndexOf(3)", -1),
    ("[1, 2].join()", "1,2"),
    ("[1, null, 2].join('-')", "1--2"),
    ("[].join('-')", ""),
    ("[[1, 2], [3]].join(';')", "1,2;3"),
    ("[1, 2, 3, 4].slice(1)", [2, 3, 4]),
    ("[1, 2, 3, 4].slice(1, 3)", [2, 3]),
    ("[1, 2, 3, 4].slice(-2)", [3, 4]),
    ("[1, 2, 3, 4].slice(1, -1)", [2, 3]),
    ("[1, 2, 3, 4].slice(9)", []),
    ("[1, 2, 3].length", 3),
    ("[].length", 0),
    ("['a', 'b'].keys()", [0, 1]),
    ("['a', 'b'].values()", ["a", "b"]),
    ("['a', 'b'].entries()", [[0, "a"], [1, "b"]]),
    ("['a', ['b', null]].toString()", "a,b,"),
    ("[1].valueOf()", [1]),
    ("[1].hasOwnProperty(0)", True),
    ("[1].hasOwnProperty('length')", True),
    ("[1].hasOwnProperty(1)", False),
    ("[1, 2].toReversed()", [2, 1]),
    ("['b', 'a'].toSorted()", ["a", "b"]),
    ("[1, 2].with(-1, 'x')", [1, "x"]),
    ("[1, 2].toSpliced(0, 1, 'q', 'r')", ["q", "r", 2]),
]
#: The method's result, and the list after it.
CHANGING = [
    ("[1, 2, 3].pop()", 3, [1, 2]),
    ("[].pop()", UNDEFINED, []),
    ("[1].push(2)", 2, [1, 2]),
    ("[1].push(2, 3)", 3, [1, 2, 3]),
    ("[1].push()", 1, [1]),
    ("[1, 2, 3].shift()", 1, [2, 3]),
    ("[].shift()", UNDEFINED, []),
    ("[3].unshift(1, 2)", 3, [1, 2, 3]),
    ("[1, 2, 3].reverse()", [3, 2, 1], [3, 2, 1]),
    ("[10, 9, 1].sort()", [1, 10, 9], [1, 10, 9]),
    ("['b', 'a', 'C'].sort()", ["C", "a", "b"], ["C", "a", "b"]),
    ("[1, 2, 3].fill(0)", [0, 0, 0], [0, 0, 0]),
    ("[1, 2, 3].fill(0, 1)", [1, 0, 0], [1, 0, 0]),
    ("[1, 2, 3].fill(0, 1, 2)", [1, 0, 3], [1, 0, 3]),
    ("[1, 2, 3].fill(0, -1)", [1, 2, 0], [1, 2, 0]),
    ("[1, 2, 3, 4, 5].copyWithin(0, 3)", [4, 5, 3, 4, 5], [4, 5, 3, 4, 5]),
    ("[1, 2, 3, 4, 5].copyWithin(0, 3, 4)", [4, 2, 3, 4, 5], [4, 2, 3, 4, 5]),
    ("[1, 2, 3, 4, 5].copyWithin(-2, -3, -1)", [1, 2, 3, 3, 4], [1, 2, 3, 3, 4]),
    ("[1, 2, 3].copyWithin(2, 0)", [1, 2, 1], [1, 2, 1]),
    ("[1, 2, 3, 4].splice(1, 2)", [2, 3], [1, 4]),
    ("[1, 2, 3].splice(1)", [2, 3], [1]),
    ("[1, 2, 3].splice(-1)", [3], [1, 2]),
    ("[1, 4].splice(1, 0, 2, 3)", [], [1, 2, 3, 4]),
    ("[1, 2, 3].splice(1, 1, 'x')", [2], [1, "x", 3]),
    ("[1, 2].splice(0, -5)", [], [1, 2]),
]


@pytest.mark.parametrize(("expression", "expected"), READING)
def test_reading_methods_have_javascripts_results(
    expression: str, expected: Any
) -> None:
    """Each has JavaScript's result."""
    result = evaluate(expression)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(("expression", "expected", "after"), CHANGING)
def test_changing_methods_have_javascripts_effects(
    expression: str, expected: Any, after: list[Any]
) -> None:
    """The result is JavaScript's, and so is the changed list."""
    start, _, call = expression.rpartition("].")
    source = f"{{% set l = {start}] %}}{{% set r = l.{call} %}}"
    assert evaluate(expression) == expected
    assert json.loads(render(f"{source}${{{{ l | dump }}}}")) == after


@pytest.mark.parametrize("method", sorted(MUTATORS - {"append"}))
def test_the_values_of_a_run_are_never_changed(method: str) -> None:
    """A template changes its own copy, and sees the change everywhere."""
    values = {"list": [3, 1, 2], "deep": {"list": [3, 1, 2]}}
    arguments = "" if method == "sort" else "0"
    for name in ("list", "deep.list"):
        evaluate(f"{name}.{method}({arguments})", **values)
    assert values == {"list": [3, 1, 2], "deep": {"list": [3, 1, 2]}}


def test_a_changed_copy_is_shared_by_later_expressions() -> None:
    """A later expression of the same template reads the change."""
    source = "${{ l.push(4) }}${{ l.push(5) }}${{ l.shift() }}${{ l | dump }}"
    assert render(source, l=[1, 2, 3]) == "451[2,3,4,5]"


def test_a_changing_method_must_be_called_by_name() -> None:
    """A name that is computed could change a value of the run: it is refused."""
    with pytest.raises(TemplateRenderError, match='"push" changes a list: call it'):
        evaluate("l['pu' ~ 'sh'](1)", l=[1])


@pytest.mark.parametrize(
    "call", ["toReversed()", "toSorted()", "with(0, 9)", "toSpliced(0, 1)"]
)
def test_copying_methods_leave_the_list(call: str) -> None:
    """Their list and the run's value stay as they are."""
    values = [3, 1]
    assert render(f"${{{{ l.{call} }}}} ${{{{ l }}}}", l=values).endswith(" 3,1")
    assert values == [3, 1]


@pytest.mark.parametrize("index", [2, -3])
def test_with_refuses_an_index_outside_of_the_list(index: int) -> None:
    """JavaScript throws there too."""
    with pytest.raises(TemplateRenderError, match=f"no item {index}"):
        evaluate(f"[1, 2].with({index}, 0)")


def test_sort_takes_no_callback() -> None:
    """A template has no functions to compare by."""
    with pytest.raises(TemplateRenderError, match="sort accepts no callback"):
        evaluate("[1].sort(1)")


@pytest.mark.parametrize("method", ["map", "filter", "find", "forEach", "reduce"])
def test_methods_with_callbacks_do_not_exist(method: str) -> None:
    """Their name is undefined, and calling it is an error that names it."""
    assert evaluate(f"[1].{method}") is UNDEFINED
    with pytest.raises(TemplateRenderError, match="resolved to undefined"):
        evaluate(f"[1].{method}()")


def test_python_methods_belong_to_cookiecutter_alone() -> None:
    """`append` and `count` are no methods of JavaScript."""
    assert evaluate("[1].append") is UNDEFINED
    assert evaluate("[1].count") is UNDEFINED
