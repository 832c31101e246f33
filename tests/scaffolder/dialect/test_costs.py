"""What a template makes is paid for before it is made: every operation, no exception.

The tables are compared with what is registered, so an operation that nobody measured
fails here. Budgets and values are a quarter of what they are in use, so that this ends
soon. Times are of the processor, at least four times what an operation takes.
"""

import contextlib
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from services.scaffolder.dialect import evaluation, json_rendering, limits, rendering
from services.scaffolder.dialect.checks import CHECKS
from services.scaffolder.dialect.evaluation import Evaluation, Library
from services.scaffolder.dialect.failure import TemplateRenderError
from services.scaffolder.dialect.json_rendering import rendered
from services.scaffolder.dialect.limits import RenderingBudget
from services.scaffolder.dialect.methods import (
    ANY,
    NUMBER,
    OBJECT,
    PATTERN,
)
from services.scaffolder.dialect.methods_list import LIST
from services.scaffolder.dialect.methods_text import TEXT
from services.scaffolder.dialect.template import BUILT_IN, TemplateDialect
from tests.costs import limit_processor_time
from tests.scaffolder.dialect.expressions import OWN_FILTERS

SHARE = 4
SECONDS = 2.0
MEGABYTES = 100
DIALECT = TemplateDialect(OWN_FILTERS)
COOKIECUTTER = TemplateDialect(OWN_FILTERS, cookiecutter=True)

TEXT_GIVEN = "<&a b.com\n" * (50_000 // SHARE)
NESTED: Any = "x" * (100_000 // SHARE)
for _ in range(8):
    NESTED = [NESTED] * 10
CONTEXT: dict[str, Any] = {
    "s": TEXT_GIVEN,
    "spaces": "x" + " " * (400_000 // SHARE) + "x",
    "open": "<a" * (400_000 // SHARE),
    "comments": "<!--" * (200_000 // SHARE) + "<b>" * (100_000 // SHARE),
    "wide": "ø\U0001f600" * (300_000 // SHARE),
    "digits": "9" * (500_000 // SHARE),
    "l": list(range(200_000 // SHARE)),
    "rows": [{"a": TEXT_GIVEN}] * 2_000,
    "texts": [TEXT_GIVEN] * 2_000,
    "d": {f"k{number}": TEXT_GIVEN for number in range(50_000 // SHARE)},
    "n": NESTED,
    "dollars": "$`$'" * 200,
    "deep": "a." * (400_000 // SHARE) + "a",
    "query": "h?" + "a=b&" * (300_000 // SHARE),
}
SUBJECTS = ("s", "spaces", "wide", "digits", "l", "rows", "d", "n")

#: The arguments that make the most of each filter; several are tried in turn.
FILTERS: dict[str, list[str]] = {
    "abs": [""], "batch": ["(1)", "(1000000, s)", "(1000000000)"], "capitalize": [""],
    "center": ["(1000000)", "(999999999)"], "d": ["(s)"], "default": ["(n, true)"],
    "dictsort": ["", "(true, 'value')"], "dump": ["", "(10)", "('xxxxxxxxxx')"],
    "e": [""], "escape": [""], "first": [""], "float": [""], "forceescape": [""],
    "groupby": ["('a')", "(deep)", "(n)"],
    "indent": ["(1000000)", "(1000000, true)", "(n)"], "int": ["", "(0, 36)"],
    "join": ["", "(s)", "(s, 'a')", "(',', deep)", "(n)"], "last": [""], "length": [""],
    "list": [""], "lower": [""], "nl2br": [""], "parseEntityRef": ["", "(d)"],
    "parseRepoUrl": [""], "pick": ["(s)", "(n)"], "projectSlug": [""], "random": [""],
    "reject": ["", "('eq', n)"], "rejectattr": ["(deep)", "('a')"],
    "replace": ["('', s)", "('a', s)", "(r/a/g, s)", "(r/./g, dollars)", "('a', n)",
                "(r/(a|<)*b/g, s)"],
    "reverse": [""], "round": [""], "safe": [""],
    "select": ["", "('eq', s)"], "selectattr": ["('a')", "(deep)"],
    "slice": ["(1)", "(1000000)", "(3, s)"], "sort": ["", "(true, true)",
              "(false, false, 'a')"],
    "string": [""], "striptags": ["", "(true)"], "sum": ["", "('a')", "('a', s)"],
    "title": [""], "trim": [""], "truncate": ["(9999999)", "(5, true, s)"],
    "upper": [""], "urlencode": [""], "urlize": ["", "(5, true)"], "wordcount": [""],
}  # fmt: skip
METHODS: dict[str, list[str]] = {
    "append": ["(s)"], "at": ["(0)"], "charAt": ["(n)"], "charCodeAt": ["(5)"],
    "codePointAt": ["(n)"],
    "concat": ["(s)", "(n)", "(l, l, l)", "(s, s, s, s, s)"], "copyWithin": ["(1, 0)"],
    "count": ["(s)"], "endsWith": ["(s)"], "entries": ["()"], "exec": ["(s)", "(n)"],
    "fill": ["(s)"], "flat": ["()", "(100)"],
    "get": ["(s)", "(n)"], "hasOwnProperty": ["(n)"], "includes": ["(s)", "(n)"],
    "indexOf": ["(s)", "('zz')"],
    "items": ["()"], "join": ["()", "(s)", "(n)"], "keys": ["()"],
    "lastIndexOf": ["(s)", "('zz')"], "localeCompare": ["(s)", "(n)", "(wide)"],
    "match": ["(r/(.*)*/g)", "('(((.*))).*')", "(r/./g)", "(s)", "(n)"],
    "normalize": ["('NFKD')", "()"],
    "padEnd": ["(1000000)", "(9999999, s)", "(400000, wide)"], "padStart": ["(900000)"],
    "pop": ["()"], "push": ["(s, s)"],
    "repeat": ["(100)", "(999999999)", "(9e15)"],
    "replace": ["('a', dollars)", "(r/a/g, s)", "(r/b/, dollars)", "('a', n)",
                "(r/x*x*x*y/, 'z')"],
    "replaceAll": ["('a', s)", "('', dollars)", "('', 'xy')", "('a', n)",
                   "(r/a/g, dollars)", "('a', '$$')"],
    "reverse": ["()"], "search": ["(s)", "('(a+)+$')", "(n)"], "shift": ["()"],
    "slice": ["(1)"], "sort": ["()"],
    "splice": ["(0, 5, s)"], "split": ["('')", "()", "('a')", "(r/a/)", "(r/(.)/)"],
    "startsWith": ["(s)"], "substr": ["(1)"], "substring": ["(1)"],
    "test": ["(s)", "(n)"],
    "toExponential": ["(100)"], "toFixed": ["(100)"], "toLocaleLowerCase": ["()"],
    "toLocaleString": ["()"], "toLocaleUpperCase": ["()"], "toLowerCase": ["()"],
    "toPrecision": ["(100)"], "toReversed": ["()"], "toSorted": ["()"],
    "toSpliced": ["(0, 5, s)"], "toString": ["(2)"], "toUpperCase": ["()"],
    "trim": ["()"], "trimEnd": ["()"], "trimLeft": ["()"], "trimRight": ["()"],
    "trimStart": ["()"], "unshift": ["(s)"],
    "valueOf": ["()"], "values": ["()"], "with": ["(0, n)"],
}  # fmt: skip
OPERATORS: dict[str, str] = {
    "Add": "s + s", "And": "s and n", "Call": "range(999999)", "Compare": "n == s",
    "Concat": "s ~ s ~ n", "CondExpr": "n if n else s", "Const": "'x'",
    "Dict": "{a: s, b: n}", "Div": "n / n", "Filter": "n | string",
    "FloorDiv": "n // n", "Getattr": "d.k1", "Getitem": "d[s]", "List": "[n, n]",
    "Mod": "n % 2", "Mul": "n * n", "Name": "n", "Neg": "-n", "Not": "not n",
    "Or": "n or s", "Pos": "+n", "Pow": "9 ** 9 ** 9 ** n", "Sub": "n - n",
    "Test": "s is lower",
}  # fmt: skip
GLOBALS = {
    "range(999999999)": "range",
    "range(0, 9e15)": "range",
    "cycler(s, n).next()": "cycler",
    "joiner(n)()": "joiner",
}
STATEMENTS: dict[str, str] = {
    "Assign": "{% set a = n %}{% set a = [a, a, a] %}${{ a }}",
    "AssignBlock": "{% set a %}${{ s }}{% endset %}${{ a }}${{ a }}",
    "Block": "{% block b %}${{ n }}{% endblock %}",
    "CallBlock": (
        "{% macro m() %}${{ caller() }}${{ caller() }}{% endmacro %}"
        "{% call m() %}${{ s }}${{ n }}{% endcall %}"
    ),
    "FilterBlock": "{% filter upper %}${{ s }}${{ n }}{% endfilter %}",
    "For": "{% for c in s %}${{ s }}{% endfor %}{% for a, b in texts %}x{% endfor %}",
    "If": "{% if n == s %}${{ n }}{% else %}${{ n }}{% endif %}",
    "Macro": "{% macro m(a) %}${{ a }}${{ m(a ~ a) }}{% endmacro %}${{ m(s) }}",
    "Output": "${{ s }}${{ n }}",
    "With": "{% switch n %}{% case s %}${{ n }}{% default %}${{ n }}{% endswitch %}",
}


@pytest.fixture(autouse=True)
def _small_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    work, text = limits.WORK // SHARE, limits.TEXT // SHARE
    monkeypatch.setattr(
        json_rendering,
        "RenderingBudget",
        partial(RenderingBudget, work=work, text=text),
    )
    monkeypatch.setattr(limits, "READ", limits.READ // SHARE)


def memory() -> int:
    """The most that was in memory since it was last asked, in megabytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            peak = int(line.split()[1]) // 1024
    Path("/proc/self/clear_refs").write_text("5")
    return peak


def check(source: str, dialect: TemplateDialect = DIALECT) -> None:
    """Whatever it gives, or however it is refused: it is quick and takes no room."""
    memory()
    before = memory()
    with limit_processor_time(SECONDS), contextlib.suppress(TemplateRenderError):
        rendered(dialect, {"m": source}, CONTEXT)
    assert memory() - before < MEGABYTES, source


def repeated(expression: str) -> str:
    """What an expression gives, made and kept a thousand times."""
    return (
        "{% set all = [] %}{% for i in range(1000) %}"
        f"{{% set kept = all.push({expression}) %}}"
        "{% endfor %}${{ all | length }}"
    )


def test_every_operation_has_a_cost_test() -> None:
    """The registered operations are the ones that these tests measure."""
    assert set(FILTERS) == set(BUILT_IN) | set(OWN_FILTERS)
    assert set(METHODS) == {*TEXT, *LIST, *NUMBER, *PATTERN, *OBJECT, *ANY}
    assert set(OPERATORS) == {node.__name__ for node in evaluation._EXPRESSIONS}
    assert set(STATEMENTS) == {node.__name__ for node in rendering._STATEMENTS}
    assert set(GLOBALS.values()) == set(
        Evaluation({}, Library({}), RenderingBudget()).globals
    )


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_filters_are_charged_for_their_work(name: str) -> None:
    """Long, wide and nested values, and results that are kept many times over."""
    for number, arguments in enumerate(FILTERS[name]):
        for subject in SUBJECTS if number == 0 else ("s", "rows", "n"):
            check(f"${{{{ {subject} | {name}{arguments} }}}}")
        for subject in ("s", "l"):
            check(repeated(f"{subject} | {name}{arguments}"))


@pytest.mark.parametrize("name", sorted(METHODS))
def test_methods_are_charged_for_their_work(name: str) -> None:
    """The same for methods, on every kind of value."""
    subjects = ["s", "wide", "digits", "l", "texts", "n", "d", "(1.5)", "r/(a+)+$/"]
    for number, arguments in enumerate(METHODS[name]):
        for subject in subjects if number == 0 else ("s", "n"):
            check(f"${{{{ {subject}.{name}{arguments} }}}}")
        check(f"{{{{ d.{name}{arguments} }}}}", COOKIECUTTER)
        for subject in ("s", "l"):
            check(repeated(f"{subject}.{name}{arguments}"))


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_tests_are_charged_for_their_work(name: str) -> None:
    """Operands of `is`, with long and nested values on both sides."""
    for subject in SUBJECTS:
        check(f"${{{{ {subject} is {name}(n) }}}}")
        check(f"${{{{ {subject} is {name} }}}}")
    check(repeated(f"s is {name}(s)"))


@pytest.mark.parametrize("name", [*OPERATORS, *evaluation._COMPARISONS])
def test_operators_are_charged_for_their_work(name: str) -> None:
    """Also in text, and repeated."""
    expression = OPERATORS.get(name, f"(n {name} s) or (l {name} n) or (s {name} n)")
    check(f"${{{{ {expression} }}}}")
    check(f"in text ${{{{ {expression} }}}}")
    check(repeated(expression))


@pytest.mark.parametrize("source", [*STATEMENTS.values(), *GLOBALS])
def test_statements_and_globals_are_charged_for_their_work(source: str) -> None:
    """Blocks, macros and loops around long and nested values."""
    check(source if "{" in source else f"${{{{ {source} }}}}")


@pytest.mark.parametrize("alias", ["[a, a, a, a, a, a, a, a]", "{x: a, y: a, z: a}"])
def test_each_use_of_a_value_is_charged(alias: str) -> None:
    """A value is passed on as JSON: each appearance counts."""
    source = f"{{% set a = s %}}{f'{{% set a = {alias} %}}' * 12}"
    check(source + "${{ a }}")
    check(source + "${{ a | dump(4) }}")
    check(source + "in text ${{ a }}")


def test_the_copy_of_a_changed_list_is_charged() -> None:
    """Many small expressions with a method that changes lists share one budget."""
    sources = ["${{ rows.push(1) }}" for _ in range(2_000)]
    memory()
    before = memory()
    with limit_processor_time(3 * SECONDS), pytest.raises(TemplateRenderError):
        rendered(DIALECT, sources, CONTEXT)
    assert memory() - before < MEGABYTES


def test_long_templates_are_not_cached() -> None:
    """A parsed template takes a hundred times the memory of its text."""
    dialect = TemplateDialect()
    memory()
    before = memory()
    for number in range(20):
        dialect.text(f"${{{{ {number} }}}}" * 2_000, {})
    assert memory() - before < MEGABYTES / 2


@pytest.mark.parametrize(
    "expression",
    [
        "{[1]: 2}",
        "('9' * 1) | groupby('x')",
        "[{a: digits}] | groupby('a')",
        "[[1]] | selectattr('²')",
        "digits | int",
        "range(0, 9e18) | length",
        "wide | urlencode | length",
    ],
)
def test_unusual_values_raise_template_errors_only(expression: str) -> None:
    """Nothing that a template writes is an internal error."""
    with contextlib.suppress(TemplateRenderError):
        DIALECT.value(f"${{{{ {expression} }}}}", CONTEXT)


@pytest.mark.parametrize("subject", ["open", "comments"])
@pytest.mark.parametrize("name", ["striptags", "urlize", "escape", "striptags(true)"])
def test_unfinished_markup_is_read_in_linear_time(subject: str, name: str) -> None:
    """An unclosed tag or comment is not searched again and again."""
    check(f"${{{{ {subject} | {name} }}}}")
