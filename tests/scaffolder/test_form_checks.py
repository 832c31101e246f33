"""Mistakes in the schemas of a template's form, before anybody fills it in."""

from typing import Any

import pytest

from services.scaffolder.templates.form_checks import MOST_PROBLEMS, check_form
from tests.costs import limit_processor_time


def problems(*pages: Any) -> list[str]:
    return check_form({"parameters": list(pages)}).problems


def names(*pages: Any, **spec: Any) -> frozenset[str] | None:
    return check_form({"parameters": list(pages), **spec}).names


@pytest.mark.parametrize(
    ("schema", "place", "rule"),
    [
        ({"type": "strng"}, "type", "must be one of null, boolean, number"),
        ({"type": []}, "type", "must be one of"),
        ({"type": ["string", None]}, "type", "must be one of"),
        ({"pattern": "(["}, "pattern", "'([' is not a pattern"),
        ({"pattern": 5}, "pattern", "must be a text"),
        ({"enum": "a"}, "enum", "must be a list"),
        ({"required": True}, "required", "must be a list of names"),
        ({"properties": ["a"]}, "properties", "must be an object"),
        ({"properties": {"a": 5}}, "properties.a", "must be a schema"),
        ({"minLength": -1}, "minLength", "must be a whole number"),
        ({"minLength": float("inf")}, "minLength", "must be a whole number"),
        ({"maximum": "5"}, "maximum", "must be a number"),
        ({"oneOf": {}}, "oneOf", "must be a list of schemas"),
        ({"items": {"type": "x"}}, "items.type", "must be one of"),
        ({"anyOf": [{}, {"type": "x"}]}, "anyOf.1.type", "must be one of"),
        ({"$ref": "#/definitions/no"}, "$ref", "leads nowhere"),
        ({"$ref": "https://x.example"}, "$ref", "leads to another document"),
    ],
)
def test_a_schema_that_is_none_names_field_and_rule(
    schema: dict[str, Any], place: str, rule: str
) -> None:
    """In a page, and where a page leads to it."""
    [problem] = problems({"properties": {"a": schema}})
    assert problem.startswith(f"spec.parameters.0.properties.a.{place}: ")
    assert rule in problem
    definition = {"definitions": {"a": schema}}
    [problem] = check_form({"parameters": definition}).problems
    assert problem.startswith(f"spec.parameters.definitions.a.{place}: ")


def test_a_required_property_that_nothing_describes_is_named() -> None:
    """Of a definition, only where it is used: properties may be described there."""
    schema = {"required": ["b"]}
    [problem] = problems({"properties": {"a": schema}})
    assert problem.startswith("spec.parameters.0.properties.a.required.0: ")
    assert "no property 'b' is described" in problem
    assert problems({"definitions": {"a": schema}}) == []
    use = {"properties": {"x": {"$ref": "#/definitions/a"}}}
    [problem] = problems({**use, "definitions": {"a": schema}})
    assert problem.startswith("spec.parameters.0.definitions.a.required.0: ")


BRANCHES = {
    "properties": {"kind": {"type": "string"}},
    "required": ["kind", "size", "port", "name", "host", "far"],
    "dependencies": {
        "kind": {"oneOf": [{"properties": {"size": {}}}, {"required": ["kind"]}]},
        "size": ["kind"],
    },
    "allOf": [{"if": {"required": ["x"]}, "then": {"properties": {"port": {}}}}],
    "anyOf": [{"$ref": "#/definitions/named"}],
    "else": {"properties": {"host": {}}},
    "definitions": {"named": {"properties": {"name": {}}, "required": ["kind"]}},
}


def test_properties_of_branches_and_other_pages_are_described() -> None:
    """By dependencies, conditions and references; every page has all answers."""
    other_page = {"properties": {"far": {}}, "required": ["kind"]}
    assert problems(BRANCHES, other_page) == []
    assert names(BRANCHES, other_page) == {
        *("kind", "size", "port", "name", "host", "far")
    }
    [problem] = problems(BRANCHES)
    assert problem.startswith("spec.parameters.0.required.5: no property 'far'")


@pytest.mark.parametrize(
    "more",
    [
        {"additionalProperties": {"type": "string"}},
        {"patternProperties": {"^x": {}}},
        {"ui:field": "OurPicker"},
        {"default": {"b": 1}},
    ],
)
def test_an_object_that_may_have_more_is_not_judged(more: dict[str, Any]) -> None:
    """Neither what it requires nor, of a page, the names of its answers."""
    schema = {"required": ["b"], **more}
    assert problems(schema) == []
    assert problems({"properties": {"a": schema}}) == []
    assert names(schema) is None


def test_a_form_of_which_not_all_answers_have_names_is_not_judged() -> None:
    """Without a form programs give what they like; decorators may add answers."""
    assert check_form({}) == ([], None)
    page = {"properties": {"a": {}}}
    assert names(page) == {"a"}
    assert names(page, formDecorators=[{"id": "x"}]) is None


def test_a_form_takes_bounded_work() -> None:
    """Schemas that repeat or contain each other; very many problems."""
    node = {"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}}
    chain = {
        f"d{n}": {
            "properties": {key: {"$ref": f"#/definitions/d{n + 1}"} for key in "ab"}
        }
        for n in range(400)
    }
    doubling = {"$ref": "#/definitions/d0", "definitions": {**chain, "d400": {}}}
    wrong = {"properties": {f"p{n}": {"type": "x"} for n in range(5_000)}}
    with limit_processor_time(3):
        assert problems(node) == []
        assert problems(doubling) == []
        *first, last = problems(wrong)
    assert len(first) == MOST_PROBLEMS
    assert last == f"and {5_000 - MOST_PROBLEMS:,} more"
    assert len(problems({"properties": {"x" * 10_000: {"type": "x"}}})[0]) < 600
