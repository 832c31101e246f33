"""The dialect: what an expression cannot do, and what its author is told."""

import pytest

from services.scaffolder.dialect.failure import TemplateLimitError, TemplateRenderError
from services.scaffolder.dialect.json_rendering import rendered
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
def test_a_failing_expression_is_an_error_and_stays_its_own_text(source: str) -> None:
    """What cannot be rendered is an error in a file, and left alone in a step."""
    with pytest.raises(TemplateRenderError, match="line 1, column"):
        value(source)
    assert rendered(DIALECT, {"a": source}, CONTEXT) == {"a": source}


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
def test_javascripts_own_ways_out_are_refused(name: str) -> None:
    """The names by which JavaScript sandboxes are left are errors everywhere."""
    for source in (f"${{{{ p.name.{name} }}}}", f"${{{{ p.spot['{name}'] }}}}"):
        with pytest.raises(TemplateRenderError, match="reserved"):
            value(source)


def test_a_template_cannot_change_what_it_was_given() -> None:
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
def test_a_greedy_template_ends_soon(source: str) -> None:
    """Work, text and depth are limited, and the limit is named."""
    with limit_processor_time(20), pytest.raises(TemplateLimitError):
        value(source)


def test_a_width_has_a_limit() -> None:
    """Padding cannot fill the memory."""
    with pytest.raises(TemplateRenderError, match="width"):
        value("${{ 'x' | center(9999999999) }}")


def test_a_runaway_pattern_is_stopped() -> None:
    """A regular expression that would run for years is quick, or ended after 2 s."""
    source = "${{ ('a' | center(60) | replace(' ', 'a')) ~ '!' | replace(r/x/, '') }}"
    assert "!" in value(source)
    attack = "${{ ('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!') | replace(r/(a+)+$/, '') }}"
    with limit_processor_time(10):
        assert value(attack).endswith("a!")
        with pytest.raises(TemplateLimitError, match="regular expression"):
            value(attack.replace("(a+)+", "(?=a)(a|aa)+"))


@pytest.mark.parametrize("text", ["1" * 200_000 + "x", "1" * 200_000 + ".1e", "-."])
def test_a_text_of_digits_is_no_number_in_no_time(text: str) -> None:
    """What only looks like a number is read once, from its beginning to its end."""
    context = {"p": {"text": text}}
    with limit_processor_time(5):
        assert DIALECT.value("${{ p.text == 1 }}", context) is False
        DIALECT.value("${{ p.text | float(0) }}", context)


def test_a_nested_pattern_that_behaves_is_used() -> None:
    """A pattern with repeats in repeats works as long as it is quick."""
    assert value("${{ 'a-bc-d' | replace(r/(-[a-z]+)+$/, '!') }}") == "a!"


def test_time_is_limited() -> None:
    """A rendering ends when its time is over."""
    budget = RenderingBudget(work=10**9, seconds=0.05)
    with pytest.raises(TemplateLimitError, match="time"):
        DIALECT.text(
            "{% for i in range(900000) %}{% set y = i * i %}{% endfor %}",
            CONTEXT,
            budget=budget,
        )
