"""Names in a template's expressions that lead to nothing."""

from typing import Any

import pytest

from services.scaffolder.templates.name_checks import MOST_PROBLEMS, name_problems
from tests.costs import limit_processor_time


def problems(text: str, parameters: Any = frozenset({"name"})) -> list[str]:
    """The problems of a text in the second of three steps."""
    steps = [{"id": "one"}, {"input": {"a": ["x", text]}}, {"id": "last"}]
    return name_problems({"steps": steps}, parameters)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("${{ steps.zz.output.x }}", "no step has the id 'zz'"),
        ("${{ steps['zz'].output.x | upper }}", "no step has the id 'zz'"),
        ("${{ steps.last.output.x }}", "the step 'last' has not run there"),
        ("${{ steps['step-2'].output.x }}", "the step 'step-2' has not run there"),
        ("{% if parameters.nope %}${{ 1 }}{% endif %}", "no parameter 'nope'"),
        ("a ${{ { b: parameters.nope } | dump }}", "no parameter 'nope'"),
    ],
)
def test_a_name_that_leads_to_nothing_is_named(text: str, rule: str) -> None:
    """With the field of its step."""
    [problem] = problems(text)
    assert problem.startswith("spec.steps.1.input.a.1: ")
    assert rule in problem


@pytest.mark.parametrize(
    "text",
    [
        "${{ steps.one.output.x }} ${{ parameters.name }} ${{ parameters }}",
        "${{ steps[parameters.name].output }} ${{ parameters[each.key] }}",
        "${{ parameters.nope | default('x') }} ${{ parameters.nope or 'x' }}",
        "${{ 1 if parameters.nope is defined else 2 }}",
        "${{ parameters.nope if parameters.nope else 'x' }}",
        "${{ 'y' if not parameters.nope }} ${{ parameters.nope }}",
        "{% set steps = {} %}${{ steps.zz }}",
        "{% for parameters in [1] %}${{ parameters.x }}{% endfor %}",
        "${{ user.steps.zz }} ${{ each.value.parameters.x }}",
        "${{ steps.zz ",
    ],
)
def test_what_cannot_be_judged_is_no_problem(text: str) -> None:
    """Computed names, names with a default or a test, a template's own names."""
    assert problems(text) == []


def test_the_output_reads_every_step() -> None:
    """Names of parameters are checked where the form's are clear alone."""
    output = {"text": [{"content": "${{ steps.one.output }} ${{ parameters.x }}"}]}
    spec = {"steps": [{"id": "one"}], "output": {**output, "y": "${{ steps.no.a }}"}}
    assert [problem.partition(":")[0] for problem in name_problems(spec, None)] == [
        "spec.output.y"
    ]
    assert [problem.partition(":")[0] for problem in name_problems(spec, ["a"])] == [
        "spec.output.text.0.content",
        "spec.output.y",
    ]


def test_very_many_names_are_bounded() -> None:
    """In number and in work, also of a text of many operands."""
    text = " ".join(f"${{{{ steps.a{n}.b }}}}" for n in range(800))
    operands = "${{ " + " or ".join(["parameters.x"] * 1_000) + " }}"
    with limit_processor_time(4):
        assert len(problems(text)) == MOST_PROBLEMS
        problems(operands)
