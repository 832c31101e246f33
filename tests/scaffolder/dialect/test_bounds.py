"""The dialect: what an expression cannot do, and what its author is told."""

import pytest

from services.scaffolder.dialect.failure import TemplateLimitError, TemplateRenderError
from services.scaffolder.dialect.json_rendering import ExpressionFailure, rendered
from services.scaffolder.dialect.limits import RenderingBudget
from services.scaffolder.dialect.values import UNDEFINED
from tests.costs import limit_processor_time
from tests.scaffolder.dialect.expressions import CONTEXT, DIALECT, VALUES, value

FAILING = [
    "${{ p. }}",
    "${{ p.count",
    "${{ !p.no }}",
    "${{ p.yes && p.no }}",
    "${{ p.yes ? 1 : 2 }}",
    "${{ p.name | nosuchfilter }}",
    "${{ [1] | unique }}",
    "${{ 5 | upper }}",
    "${{ p.tags.map(p.name) }}",
    "${{ 'no place' | parseRepoUrl }}",
    "{% include 'x' %}",
    "{% import 'x' as y %}",
    "{% extends 'x' %}",
    "{% if p.yes %}open",
    "{% nosuchtag %}",
    "${{ [1,2,] }}",
    "${{ 1e3 }}",
    "${{ p.name() }}",
]


@pytest.mark.parametrize("source", FAILING)
def test_a_failing_expression_is_an_error_or_stays_as_text(source: str) -> None:
    """It is an error in a file, and stays as its own text in a step's input."""
    with pytest.raises(TemplateRenderError, match="line 1, column"):
        value(source)
    failures: list[ExpressionFailure] = []
    value_given = {"a": source, "b": "${{ 1 }}"}
    result = rendered(DIALECT, value_given, CONTEXT, failures=failures)
    assert result == {"a": source, "b": 1}
    assert [(failure.field, failure.source) for failure in failures] == [(".a", source)]
    assert failures[0].reason


def test_errors_name_line_and_column() -> None:
    """An error tells where it is, counted from one."""
    with pytest.raises(TemplateRenderError) as raised:
        DIALECT.text("fine\n  ${{ 1 | nope }}", CONTEXT)
    assert (raised.value.line, raised.value.column) == (2, 11)


PROBES = [
    "${{ ''.__class__ }}",
    "${{ ''['__class__'].__mro__ }}",
    "${{ p.__dict__ }}",
    "${{ range.__globals__ }}",
    "${{ self }}",
    "${{ p.tags.__init__ }}",
    "${{ cycler.__init__.__globals__.os }}",
    "${{ joiner().__class__ }}",
    "${{ process }}",
    "{% set a = ''.format %}${{ a }}",
    "${{ lipsum }}",
    "${{ p.spot.items }}",
    "${{ p.spot.keys }}",
]


@pytest.mark.parametrize("source", PROBES)
def test_no_attribute_of_a_python_object_can_be_reached(source: str) -> None:
    """A template sees its values and nothing behind them."""
    assert value(source) in (UNDEFINED, "")


@pytest.mark.parametrize("name", ["constructor", "__proto__", "prototype"])
def test_names_that_escape_javascript_sandboxes_are_refused(name: str) -> None:
    """The names by which JavaScript sandboxes are left are errors everywhere."""
    for source in (f"${{{{ p.name.{name} }}}}", f"${{{{ p.spot['{name}'] }}}}"):
        with pytest.raises(TemplateRenderError, match="reserved"):
            value(source)


def test_a_template_cannot_change_its_values() -> None:
    """Methods that change a list change a copy."""
    source = "${{ p.tags.push('new') }}${{ p.tags.length }}"
    assert value(source) == "44"
    assert VALUES["tags"] == ["red", "blue", "red"]


GREEDY = [
    "${{ range(999999999) }}",
    "{% for i in range(2000) %}{% for j in range(2000) %}x{% endfor %}{% endfor %}",
    "{% set x = 'ab' %}{% for i in range(60) %}{% set x = x ~ x %}{% endfor %}",
    "{% set x = [1] %}{% for i in range(60) %}{% set x = x.concat(x) %}{% endfor %}",
    "{% macro m() %}${{ m() }}{% endmacro %}${{ m() }}",
    "${{ 'x' | batch(999999999, 'y') }}",
    "${{ 'a' | replace('', 'b') | replace(r/(a+)+$/, 'c') ~ range(2000000) }}",
    "${{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
    "${{ " + "not " * 50000 + "1 }}",
]


@pytest.mark.parametrize("source", GREEDY)
def test_an_expensive_template_is_stopped(source: str) -> None:
    """Work, text and depth are limited, and the error names the limit."""
    with limit_processor_time(20), pytest.raises(TemplateLimitError):
        value(source)


def test_the_width_of_padding_is_limited() -> None:
    """Padding cannot fill the memory."""
    with pytest.raises(TemplateRenderError, match="width"):
        value("${{ 'x' | center(9999999999) }}")


def test_a_catastrophic_pattern_is_stopped() -> None:
    """A regular expression that would run for years is quick, or ended after 2 s."""
    source = "${{ ('a' | center(60) | replace(' ', 'a')) ~ '!' | replace(r/x/, '') }}"
    assert "!" in value(source)
    attack = "${{ ('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!') | replace(r/(a+)+$/, '') }}"
    with limit_processor_time(10):
        assert value(attack).endswith("a!")
        with pytest.raises(TemplateLimitError, match="regular expression"):
            value(attack.replace("(a+)+", "(?=a)(a|aa)+"))


@pytest.mark.parametrize("text", ["1" * 200_000 + "x", "1" * 200_000 + ".1e", "-."])
def test_long_texts_of_digits_are_checked_in_linear_time(text: str) -> None:
    """A text that only looks like a number is read once, from start to end."""
    context = {"p": {"text": text}}
    with limit_processor_time(5):
        assert DIALECT.value("${{ p.text == 1 }}", context) is False
        DIALECT.value("${{ p.text | float(0) }}", context)


def test_a_fast_nested_pattern_is_accepted() -> None:
    """A pattern with repeats in repeats works as long as it is quick."""
    assert value("${{ 'a-bc-d' | replace(r/(-[a-z]+)+$/, '!') }}") == "a!"


def test_the_time_of_a_rendering_is_limited() -> None:
    """A rendering ends when its time is over."""
    budget = RenderingBudget(work=10**9, seconds=0.05)
    with pytest.raises(TemplateLimitError, match="time"):
        DIALECT.text(
            "{% for i in range(900000) %}{% set y = i * i %}{% endfor %}",
            CONTEXT,
            budget=budget,
        )
