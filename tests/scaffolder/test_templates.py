"""Templates: which are valid, their form, their values, their place."""

from typing import Any

import pytest

from services.scaffolder.templates import template_entity
from services.scaffolder.templates.schema_checks import check_input, problems
from shared.contracts.entity import Entity
from shared.contracts.errors import Invalid
from tests.builders import template

LOCATION = "backstage.io/managed-by-location"
SOURCE = "backstage.io/source-location"


def changed(path: str, value: Any) -> dict[str, Any]:
    entity = template("t")
    *parents, last = path.split(".")
    place: Any = entity
    for part in parents:
        place = place[int(part)] if part.isdigit() else place[part]
    place[last] = value
    return entity


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("apiVersion", "backstage.io/v1alpha1", "apiVersion"),
        ("kind", "Component", "kind"),
        ("spec.steps", [], "spec.steps"),
        ("spec.steps", "x", "spec.steps"),
        ("spec.steps.0.action", 5, r"spec.steps\[0\].action"),
        ("spec.output", {"x": 5}, "spec.output.x"),
        ("spec.parameters", "x", "spec.parameters"),
        ("spec.type", "", "spec.type"),
        ("spec.secrets", "x", "spec.secrets: is not of a type.* object"),
        ("spec.secrets", ["x"], "spec.secrets: is not of a type.* object"),
        ("spec.secrets", {"schema": "x"}, "spec.secrets.schema: is not of a type"),
        ("spec.presentation", "x", "spec.presentation: is not of a type"),
        ("spec.presentation", {"buttonLabels": []}, "spec.presentation.buttonLabels"),
        ("spec.formDecorators", {"id": "x"}, "spec.formDecorators: is not of a type"),
        ("spec.formDecorators", [{}], r"spec.formDecorators\[0\]: requires .*id"),
        ("spec.EXPERIMENTAL_formDecorators", [5], r"_formDecorators\[0\]: is not"),
        ("spec.EXPERIMENTAL_recovery", "x", "spec.EXPERIMENTAL_recovery: is not"),
        (
            "spec.EXPERIMENTAL_recovery",
            {"EXPERIMENTAL_strategy": "again"},
            "spec.EXPERIMENTAL_recovery.EXPERIMENTAL_strategy: .*none,startOver",
        ),
        ("spec.lifecycle", 5, "spec.lifecycle"),
    ],
)
def test_an_invalid_template_names_its_field(path: str, value: Any, words: str) -> None:
    """The error names the field and the rule."""
    with pytest.raises(Invalid, match=words):
        template_entity.check(changed(path, value))


def test_a_template_without_steps_is_refused() -> None:
    """There is nothing to run."""
    entity = template("t")
    del entity["spec"]["steps"]
    with pytest.raises(Invalid, match='spec: requires property "steps"'):
        template_entity.check(entity)


def test_the_form_has_a_page_for_each_schema() -> None:
    """Titles, descriptions, schemas and the words on the buttons."""
    page = {"title": "Basics", "description": "d", "properties": {}}
    entity = template("t", parameters=[page, {}], presentation={"buttonLabels": {}})
    entity["metadata"]["description"] = "What it does"
    form = template_entity.form(Entity(entity))
    assert form == {
        "title": "t",
        "description": "What it does",
        "presentation": {"buttonLabels": {}},
        "steps": [
            {"title": "Basics", "description": "d", "schema": page},
            {"title": "Please enter the following information", "schema": {}},
        ],
    }


def test_a_single_page_needs_no_list() -> None:
    """`parameters` may be one schema."""
    entity = template("t", parameters={"properties": {}})
    assert len(template_entity.form(Entity(entity))["steps"]) == 1


def test_problems_have_the_form_that_clients_read() -> None:
    """Path, message, rule and argument of each broken rule."""
    schema = {"required": ["a"], "properties": {"b": {"type": "string"}}}
    by_rule = {problem["name"]: problem for problem in problems(schema, {"b": 5})}
    assert by_rule["required"]["message"] == 'requires property "a"'
    assert by_rule["required"]["argument"] == "a"
    assert by_rule["type"]["property"] == "instance.b"
    assert by_rule["type"]["stack"] == "instance.b is not of a type(s) string"


def test_pages_are_checked_one_by_one() -> None:
    """The first page that does not accept the values tells why."""
    pages = [{"required": ["a"]}, {"required": ["b"]}]
    entity = template("t", parameters=pages)
    assert (
        template_entity.parameter_problems(Entity(entity), {"a": 1})[0]["argument"]
        == "b"
    )
    assert template_entity.parameter_problems(Entity(entity), {"a": 1, "b": 1}) == []


def test_conditions_between_fields_are_checked() -> None:
    """`dependencies` and `oneOf` decide what else is needed."""
    page = {
        "properties": {"database": {"type": "boolean"}},
        "dependencies": {
            "database": {
                "oneOf": [
                    {"properties": {"database": {"const": False}}},
                    {
                        "properties": {"database": {"const": True}},
                        "required": ["retention"],
                    },
                ]
            }
        },
    }
    entity = template("t", parameters=page)
    assert template_entity.parameter_problems(Entity(entity), {"database": False}) == []
    assert template_entity.parameter_problems(Entity(entity), {"database": True})


def test_patterns_are_javascripts_and_limited_in_time() -> None:
    """A pattern matches as in the browser."""
    assert problems({"pattern": "^a$"}, "a\n")
    assert problems({"pattern": r"^\d+$"}, "12") == []
    assert problems({"pattern": "(a+)+$"}, "a" * 4000 + "!")
    assert problems({"pattern": "x*x*x*x*x*x*x*x*y"}, "x" * 4000)
    with pytest.raises(Invalid, match=r"pattern .* takes longer"):
        problems({"pattern": r"(?=a)(a|aa)+$"}, "a" * 4000 + "!")
    with pytest.raises(Invalid, match="pattern"):
        problems({"pattern": "("}, "a")


@pytest.mark.parametrize(
    "schema",
    [{"type": "nosuch"}, {"$ref": "http://127.0.0.1:9/x"}, {"properties": 5}],
)
def test_an_invalid_schema_is_a_template_error(schema: Any) -> None:
    """Nothing is fetched for it."""
    with pytest.raises(Invalid, match="schema"):
        problems(schema, {"a": 1})


def test_all_problems_of_an_action_input_are_reported() -> None:
    """One error names the wrong type and the unknown field."""
    schema = {
        "type": "object",
        "properties": {"message": {"type": "string"}},
        "additionalProperties": False,
    }
    with pytest.raises(Invalid) as raised:
        check_input("debug:log", schema, {"message": 5, "nope": 1})
    assert "instance.message is not of a type(s) string" in str(raised.value)
    assert 'additional property "nope"' in str(raised.value)


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        (
            {LOCATION: "url:https://h/r/blob/main/t.yaml"},
            "https://h/r/blob/main/t.yaml",
        ),
        ({LOCATION: "file:/srv/t.yaml"}, "file:///srv/t.yaml"),
        (
            {LOCATION: "url:https://h/t.yaml", SOURCE: "url:https://h/src/"},
            "https://h/src/",
        ),
        (
            {LOCATION: "url:https://h/t.yaml", SOURCE: "file:/etc/"},
            "https://h/t.yaml",
        ),
        ({SOURCE: "file:/etc/"}, None),
        ({}, None),
    ],
)
def test_an_author_cannot_refer_to_local_files(
    annotations: dict[str, str], expected: str | None
) -> None:
    """A `file:` location counts only where the catalog itself read the template."""
    entity = template("t", {"annotations": annotations})
    assert template_entity.base_url(Entity(entity)) == expected


def test_the_spec_of_a_run_is_frozen() -> None:
    """Steps get ids and names; later changes of the template do not reach the run."""
    entity = template("t", steps=[{"action": "debug:log"}])
    spec = template_entity.frozen_spec(
        Entity(entity), {"a": 1}, {"ref": "user:default/ann"}
    )
    entity["metadata"]["title"] = "changed"
    assert spec["steps"] == [
        {"action": "debug:log", "id": "step-1", "name": "debug:log"}
    ]
    assert "title" not in spec["templateInfo"]["entity"]["metadata"]
    assert spec["templateInfo"]["entityRef"] == "template:default/t"
