"""Forms that contain themselves: refused before they are made, not afterwards."""

import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from services.portal.forms.draft import Draft, draft_of
from services.portal.forms.model import FormPage

NODE = {"$ref": "#/definitions/n"}
TWICE = {"properties": {"a": NODE, "b": NODE}}
TEXT = {"type": "string"}


def draft(*schemas: Any) -> Draft:
    pages = [FormPage(number, "", "", schema) for number, schema in enumerate(schemas)]
    return draft_of(pages, {}, {})


def containing_itself(**schema: Any) -> dict[str, Any]:
    node = {"type": "object", **schema}
    return {"definitions": {"n": node}, "properties": {"it": NODE}}


def doubled(keyword: str, end: Any) -> dict[str, Any]:
    """A chain of definitions, each of which refers to the next one twice."""
    parts: dict[str, Any] = {"d20": end}
    for number in range(20):
        following = {"$ref": f"#/definitions/d{number + 1}"}
        names = {"a": following, "b": following}
        inner = names if keyword == "properties" else list(names.values())
        parts[f"d{number}"] = {"type": "object", keyword: inner}
    return {"definitions": parts, "properties": {"it": {"$ref": "#/definitions/d0"}}}


def shared(**schema: Any) -> dict[str, Any]:
    """A definition that hundreds of questions refer to."""
    questions = {f"q{number}": NODE for number in range(400)}
    return {"definitions": {"n": schema}, "properties": questions}


FORMS: dict[str, dict[str, Any]] = {
    "properties": containing_itself(**TWICE),
    "allOf": containing_itself(properties={"a": NODE}, allOf=[TWICE, TWICE]),
    "allOf alone": containing_itself(allOf=[NODE, NODE, NODE]),
    "oneOf": containing_itself(oneOf=[TWICE, TWICE]),
    "anyOf": containing_itself(anyOf=[TWICE, TWICE]),
    "anyOf alone": containing_itself(properties={"x": NODE}, anyOf=[NODE] * 8),
    "if": containing_itself(**{"if": {}, "then": TWICE}),
    "dependencies": containing_itself(
        properties={"x": {"default": "1"}, **TWICE["properties"]},
        dependencies={"x": TWICE},
    ),
    "oneOf of an answer": containing_itself(
        properties={"x": {"default": "1"}, **TWICE["properties"]},
        dependencies={"x": {"oneOf": [{"properties": {"x": {}, "c": NODE}}]}},
    ),
    "doubling properties": doubled("properties", TEXT),
    "doubling objects": doubled("properties", {"type": "object", "properties": {}}),
    "doubling allOf": doubled("allOf", TEXT),
    "choices": shared(anyOf=[{"const": str(number)} for number in range(5_000)]),
    "alternatives": shared(anyOf=[NODE] * 5_000),
    "large choices": shared(enum=[{str(number): number for number in range(9_000)}]),
    "default": shared(default={str(number): number for number in range(9_000)}),
}


def calls_of(work: Callable[[], object]) -> int:
    """How many functions are called: what work costs, on any machine."""
    count = 0

    def counted(_: Any, event: str, __: Any) -> None:
        nonlocal count
        count += event == "call"

    profiler = sys.getprofile()
    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(profiler)
    return count


@cache
def calls_of_a_large_form() -> int:
    question = {**TEXT, "default": "an answer"}
    large = {"properties": {f"q{number}": question for number in range(500)}}
    assert len(draft(large).pages[0].fields) == 500
    return calls_of(lambda: draft(large))


@pytest.mark.parametrize("name", FORMS)
def test_a_form_without_an_end_costs_no_more_than_a_large_one(name: str) -> None:
    """It is refused at a limit that holds while it is made."""
    page = draft(FORMS[name]).pages[0]
    assert page.fields == []
    assert page.errors[()]
    assert calls_of(lambda: draft(FORMS[name])) < calls_of_a_large_form()


def test_lists_of_themselves_are_one_question() -> None:
    """What an item asks is not asked before there is an item."""
    node = {"type": "array", "items": {"type": "object", **TWICE}, "default": [{}]}
    schema = {"definitions": {"n": node}, "properties": {"it": NODE}}
    [question] = draft(schema).pages[0].fields
    assert question.kind == "yaml"
    assert calls_of(lambda: draft(schema)) < calls_of_a_large_form() / 10


def test_defaults_within_an_item_have_a_limit() -> None:
    """Each object of an item that is not answered has its own defaults."""
    chain = doubled("properties", {"properties": {"a": TEXT}})
    question = {"type": "array", "items": chain["properties"]["it"], "default": [{}]}
    schema = {**chain, "properties": {"it": question}}
    assert draft(schema).pages[0].errors[()]
    assert calls_of(lambda: draft(schema)) < 2 * calls_of_a_large_form()


def test_all_pages_of_a_form_share_one_budget() -> None:
    """Hundreds of pages that have no end cost no more than a few."""
    pages = [FORMS["properties"]] * 300
    assert all(page.errors[()] for page in draft(*pages).pages)
    assert calls_of(lambda: draft(*pages)) < 8 * calls_of_a_large_form()


def test_the_limit_is_named() -> None:
    """The author of the template reads what to make smaller."""
    texts = [
        draft(FORMS[name]).pages[0].errors[()]
        for name in ("properties", "choices", "doubling allOf")
    ]
    assert texts[0].endswith("the form: more than 500 questions")
    assert texts[1].endswith("the form: more than 20000 elements")
    assert texts[2].endswith("the form: more than 2000 objects and parts")


def test_an_object_that_stands_too_deep_is_one_question() -> None:
    """It is answered as YAML."""
    schema: dict[str, Any] = {"allOf": [{"properties": {"end": TEXT}}]}
    for _ in range(15):
        schema = {"type": "object", "properties": {"a": schema}}
    schema["properties"]["a"]["allOf"] = [{"properties": {"b": TEXT}}]
    page = draft(schema).pages[0]
    assert [(len(field.path), field.kind) for field in page.fields] == [
        (14, "yaml"),
        (2, "text"),
    ]
    assert page.errors == {}


def test_a_part_adds_to_what_an_object_asks() -> None:
    """The object's own questions and what it requires stay."""
    database = {"properties": {"size": TEXT}, "required": ["size"]}
    alternative = {"properties": {"zone": {"type": "string", "default": "z"}}}
    schema = {
        "properties": {"database": {"type": "object", **database}},
        "allOf": [
            {"properties": {"database": {"type": "object", "oneOf": [alternative]}}}
        ],
    }
    page = draft(schema).pages[0]
    questions = [field.path[-1] for field in page.fields if field.kind != "choice"]
    assert questions == ["size", "zone"]
    assert page.errors == {("database", "size"): "Required."}
