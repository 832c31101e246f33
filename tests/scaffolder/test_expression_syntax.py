"""Expressions of a template that cannot work are named before a run."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scaffolder.dialect.failure import TemplateRenderError
from services.scaffolder.dialect.limits import RenderingBudget
from services.scaffolder.dialect.template import TemplateDialect
from services.scaffolder.templates import expression_syntax
from services.scaffolder.templates.expression_syntax import expression_errors
from tests.scaffolder.calls import step

SPEC = {
    "steps": [
        {"id": "fetch", "action": "a", "input": {"values": {"n": "${{ x | f( }}"}}},
        {"action": "b", "if": "${{ a == }}", "input": {"list": ["ok", "x ${{ y"]}},
        {"id": "each", "action": "c", "each": "${{ [1, 2 }}", "name": "${{ ( }}"},
    ],
    "output": {"links": [{"title": "t", "url": "${{ steps.x.output. }}"}]},
    "parameters": {"title": "${{ ( }}"},
}
NAMES = st.sampled_from(["parameters.name", "steps['a'].output.url", "user.ref", "1"])
VALUES = st.recursive(
    NAMES,
    lambda inner: st.one_of(
        inner.map(lambda value: f"({value})"),
        inner.map(lambda value: f"{value} | upper"),
        st.tuples(inner, inner).map(lambda pair: f"{pair[0]} + ({pair[1]})"),
        st.tuples(inner, inner).map(lambda pair: f"[{pair[0]}, {pair[1]}]"),
    ),
    max_leaves=8,
)


def errors_of(text: str) -> list[str]:
    """The reasons of one text in a step's input."""
    steps = [step("debug:log", input={"message": text})]
    return [error.reason for error in expression_errors({"steps": steps})]


def test_syntax_errors_name_step_field_and_reason() -> None:
    """For everything that a run renders: a step without an id has its number."""
    errors = expression_errors(SPEC)
    assert [(error.step, error.field) for error in errors] == [
        ("fetch", "input.values.n"),
        ("step-2", "if"),
        ("step-2", "input.list[1]"),
        ("each", "each"),
        ("", "links[0].url"),
    ]
    assert errors[0].message == (
        "step fetch, input.values.n: the expression cannot be parsed: line 1, "
        "column 12: Unexpected expression token; a run takes it as plain text"
    )
    assert errors[-1].message.startswith("output, links[0].url: the expression ")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("${{ parameters.n | kebabCase }}", 'column 20: Unknown template filter "keb'),
        ("${{ [1 | nope, 2] }}", 'Unknown template filter "nope"'),
        ("{% filter nope %}${{ 1 }}{% endfilter %}", 'template filter "nope"'),
        ("${{ 1 is nope }}", 'Unknown template test "nope"'),
        ("a ${{ now() }}", 'Unknown template function "now"'),
        ("${{ always() }}", 'Unknown template function "always"'),
        ("${{ parameters.n.kebab() }}", 'Unknown template method "kebab"'),
        ("${{ parameters.n.map(1) }}", 'Unknown template method "map"'),
        ("${{ parameters.n.append(1) }}", 'Unknown template method "append"'),
        ("{% if false %}${{ nope() }}{% endif %}", 'template function "nope"'),
        ("${{ x" + " | upper" * 2_000 + " | nope }}", 'template filter "nope"'),
    ],
)
def test_an_unknown_word_is_an_error_with_its_place(text: str, reason: str) -> None:
    """Filters, tests and functions by name, methods that no value has."""
    steps = [step("debug:log", "s", input={"message": text})]
    (error,) = expression_errors({"steps": steps})
    assert reason in error.reason
    assert error.reason.startswith("line 1, column ")
    assert error.message.startswith(
        "step s, input.message: the expression cannot be evaluated: line 1"
    )


@pytest.mark.parametrize(
    "text",
    [
        "${{ parameters.n | parseRepoUrl | pick('repo') | upper }}",
        "${{ range(3) | join(joiner(',')) }}",
        "{% macro m(a) %}${{ a() }}${{ caller() }}{% endmacro %}${{ m(1) }}",
        "{% macro m() %}{% endmacro %}{% call(x) m() %}${{ x() }}{% endcall %}",
        "{% set f = cycler(1, 2) %}${{ f.next() }}${{ f.reset() }}",
        "{% for f in parameters.l %}${{ f() }}{% endfor %}",
        "${{ 'a b'.replaceAll(' ', '-').toUpperCase() }}",
        "${{ r/a/.test('a') }}${{ [1].at(0).toFixed(2) }}${{ true.toString() }}",
        "{% switch 1 %}{% case 2 %}${{ 1 }}{% endswitch %}",
        "${{ parameters.n.kebab }}",
    ],
)
def test_known_words_are_no_errors(text: str) -> None:
    """Those of the dialect, of the scaffolder, and what the template itself sets."""
    assert errors_of(text) == []


def test_a_condition_may_ask_for_the_status_of_the_run() -> None:
    """`always()` and `failure()` exist there alone."""
    condition = {"if": "${{ always() or failure() }}"}
    steps = [step("debug:log", "s", message="x", **condition)]
    assert expression_errors({"steps": steps}) == []


@given(VALUES)
def test_the_check_agrees_with_the_dialects_parser(value: str) -> None:
    """Valid expressions pass, and truncated ones are errors."""
    whole, cut = f"${{{{ {value} }}}}", f"${{{{ {value} + }}}}"
    assert errors_of(whole) == []
    assert len(errors_of(cut)) == 1
    with pytest.raises(TemplateRenderError):
        TemplateDialect().value(cut, {})


@pytest.mark.parametrize("text", ["{% if", "body {#fff}", "{{ x", "$ {{ ( }}"])
def test_expressions_of_other_languages_are_ignored(text: str) -> None:
    """Only a text with an expression of this dialect is checked."""
    assert errors_of(text) == []


@pytest.mark.parametrize(
    "spec",
    [None, [], {"steps": "x"}, {"steps": [None, 5, {"input": 5}]}, {"output": "x"}],
)
def test_a_spec_of_any_shape_can_be_checked(spec: Any) -> None:
    """Errors in its shape are reported by another check."""
    assert expression_errors(spec) == []


def test_an_expression_that_nests_too_deeply_is_an_error() -> None:
    """A run ends there."""
    (reason,) = errors_of("${{ " + "(" * 5_000)
    assert reason == "the template nests too deeply; a run fails there"


def test_the_check_of_a_template_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors, texts, their length and the time; the rest is not checked."""
    broken = "${{ ( }}"
    assert len(expression_errors({"output": [broken] * 100})) == (
        expression_syntax.MOST_ERRORS
    )
    many = ["${{ x }}"] * expression_syntax.MOST_TEXTS + [broken]
    assert expression_errors({"output": many}) == []
    assert len(expression_errors({"output": many[1:]})) == 1
    assert errors_of(broken + " " * expression_syntax.LONGEST_TEXT) == []
    assert (
        expression_errors({"output": broken}, budget=RenderingBudget(seconds=-1)) == []
    )
    deep: Any = broken
    for _ in range(2_000):
        deep = [deep]
    assert expression_errors({"output": deep}) == []
    parsed: list[str] = []
    monkeypatch.setattr(
        expression_syntax.DIALECT, "check", lambda text, _: parsed.append(text)
    )
    same = [f"${{{{ {'same' * 9} }}}}"] * 500
    assert expression_errors({"output": same}) == []
    assert len(parsed) == 1


async def test_the_check_is_available_over_http(start: Any, ann: Any) -> None:
    """For several templates at once, in their order; too many are refused."""
    well = {"steps": [step("debug:log", input={"message": "${{ parameters.x }}"})]}
    async with start() as client:
        answer = await client.post(
            "/v2/template-checks", json={"specs": [well, SPEC, {}]}, headers=ann
        )
        many = await client.post(
            "/v2/template-checks", json={"specs": [{}] * 101}, headers=ann
        )
    one, two, three = answer.json()["items"]
    assert one == three == {"expressionErrors": []}
    assert two["expressionErrors"][1]["step"] == "step-2"
    assert two["expressionErrors"][1]["field"] == "if"
    assert "cannot be parsed" in two["expressionErrors"][1]["message"]
    assert many.status_code == 400
