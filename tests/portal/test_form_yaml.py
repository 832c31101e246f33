"""Answers that are written as YAML: what is asked for, and what is wrong with them."""

import html as entities
from typing import Any
from urllib.parse import urlencode

import pytest

from shared.guards.yaml_text import load_yaml
from tests.portal.conftest import Client
from tests.portal.services import FakeServices
from tests.portal.test_forms import draft, fields, one

PORT = {
    "type": "object",
    "required": ["port", "name"],
    "properties": {
        "protocol": {"type": "string", "enum": ["tcp", "udp"]},
        "name": {"type": "string"},
        "port": {"type": "integer", "minimum": 80},
        "open": {"type": "boolean", "default": False},
        "since": {"type": "string", "format": "date"},
        "limits": {"type": "object", "properties": {"rate": {"type": "number"}}},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
}
PORTS = {"type": "array", "items": PORT}
KEYS = (
    "Keys of each item: protocol, name (required), port (required), open, since, "
    "limits, tags."
)
EXAMPLE = [
    {
        "name": "text",
        "port": 80,
        "protocol": "tcp",
        "open": False,
        "since": "2024-12-31",
        "limits": {"rate": 1},
        "tags": ["text"],
    }
]


def test_a_list_of_objects_says_its_keys_and_shows_an_example() -> None:
    """Which keys are required, and an example that the form accepts."""
    field = fields(draft(one(**PORTS)))["it"]
    assert field.keys == KEYS
    assert load_yaml(field.example, label="") == EXAMPLE
    answered = draft(one(**PORTS), urlencode({"p.it": field.example}))
    assert answered.values == {"it": EXAMPLE}
    assert answered.first_wrong_page() is None


@pytest.mark.parametrize(
    "items",
    [
        {"$ref": "#/definitions/port"},
        {"oneOf": [PORT, {"properties": {"other": {}}}]},
    ],
)
def test_keys_of_items_are_found_behind_references(items: dict[str, Any]) -> None:
    """Of alternatives the first one's."""
    schema = {"definitions": {"port": PORT}, **one(type="array", items=items)}
    field = fields(draft(schema))["it"]
    assert field.keys == KEYS
    assert load_yaml(field.example, label="") == EXAMPLE


def test_an_object_of_free_keys_has_an_example() -> None:
    """Its keys are the reader's own."""
    schema = one(type="object", additionalProperties={"type": "integer"})
    field = fields(draft(schema))["it"]
    assert (field.keys, field.example) == ("", "name: 1")


def nested(depth: int) -> dict[str, Any]:
    inner = nested(depth - 1) if depth else {"type": "string"}
    return {"type": "object", "properties": {f"k{n}": inner for n in range(3)}}


@pytest.mark.parametrize(
    "items",
    [
        nested(6),
        {"type": "object", "properties": {f"k{n}" * 99: {} for n in range(900)}},
        {"properties": {"a": {"default": "x" * 9999, "type": "string"}}},
        {"properties": {"a": {"default": [[1]] * 999}}},
        {"$ref": "#/properties/it/items"},
        {"properties": {"a": {"$ref": "#/properties/it"}}},
        {"allOf": [{"$ref": "#/properties/it/items"}] * 5},
        {"properties": 7, "required": 3},
        {"properties": {"a": {"type": "integer", "minimum": float("inf")}}},
        {"properties": {"a": {"enum": 5, "examples": "x", "format": ["y"]}}},
    ],
)
def test_help_for_yaml_is_small_whatever_the_schema_is(items: dict[str, Any]) -> None:
    """Neither deep nor long."""
    form = draft(one(type="array", items={"type": "object", **items}))
    field = fields(form)["it"]
    assert len(field.keys) < 500
    assert len(field.example) <= 600


@pytest.mark.parametrize(
    ("answer", "says"),
    [("- {name: [", "line 1, column"), ("- a\n  b: c", "line 2"), ("*x", "YAML")],
)
def test_broken_yaml_is_answered_with_its_error(answer: str, says: str) -> None:
    """Line and column, and not that it is no list."""
    page = draft(one(**PORTS), urlencode({"p.it": answer})).pages[0]
    assert says in page.errors[("it",)]
    assert "must be a list" not in page.errors[("it",)]
    plain = draft(one(**PORTS), "p.it=text").pages[0]
    assert plain.errors == {("it",): "This must be a list."}


@pytest.fixture
def api() -> FakeServices:
    services = FakeServices()
    services.steps = [{"title": "One", "schema": one(**PORTS)}]
    return services


async def test_keys_example_and_wrong_items_are_shown(client: Client) -> None:
    """The example as placeholder and below the field, each wrong item in a line."""
    form = "/create/templates/default/python-service"
    page = entities.unescape((await client().get(form)).text)
    assert f"Written as YAML. {KEYS}" in page
    assert page.count("since: 2024-12-31") + page.count("since: '2024-12-31'") == 2
    query = urlencode({"p.it": "- {port: x}\n- {name: [], port: 80}"})
    page = (await client().get(f"{form}?go=next&{query}")).text
    for line in (
        "Item 1, name: Required.",
        "Item 1, port: This must be a whole number.",
        "Item 2, name: This must be a text.",
    ):
        assert f"<li>{line}</li>" in page
