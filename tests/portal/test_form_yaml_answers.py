"""Lists and objects that are answered as YAML."""

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.portal.test_forms import draft, fields, one

ITEM = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string"},
        "version": {"type": "string"},
        "port": {"type": "integer"},
    },
}
LIST = {"type": "array", "items": ITEM}


def value_of(schema: dict[str, Any], text: str) -> Any:
    form = draft(schema, urlencode({"p.it": text}))
    assert form.pages[0].errors == {}
    return form.values["it"]


WRITTEN = ["007", "1.10", "0x1f", "1e3", ".inf", "12", "true", "True", "FALSE"]


@pytest.mark.parametrize("text", WRITTEN)
@pytest.mark.parametrize(
    ("schema", "line"),
    [
        ({"type": "object", "properties": {"k": {"type": "string"}}}, "k: {}"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "k: {}"),
        ({"type": "object", "properties": {"k": {"enum": ["{}"]}}}, "k: {}"),
        ({"allOf": [{"properties": {"k": {"type": "string"}}}]}, "k: {}"),
        ({"$ref": "#/definitions/pair"}, "k: {}"),
    ],
)
def test_a_scalar_is_the_text_that_the_schema_asks_for(
    schema: dict[str, Any], line: str, text: str
) -> None:
    """It stays as it was typed, in objects of a list too."""
    if "properties" in schema and "enum" in schema["properties"]["k"]:
        schema = {**schema, "properties": {"k": {"enum": [text]}}}
    definitions = {"pair": {"properties": {"k": {"type": ["string", "null"]}}}}
    listed = one(type="array", items={"type": "object", **schema})
    typed = line.format(text)
    whole = {**listed, "definitions": definitions}
    assert value_of(whole, f"- {typed}") == [{"k": text}]


@pytest.mark.parametrize(
    ("text", "value"), [("7", 7), ("007", 7), ("1.10", 1.1), ("0x1f", 31), ("~", None)]
)
@pytest.mark.parametrize("kind", [{}, {"type": ["number", "string", "null"]}])
def test_a_scalar_is_a_number_where_numbers_are_accepted(
    kind: dict[str, Any], text: str, value: object
) -> None:
    """And a plain one: it goes to other services as JSON."""
    schema = one(type="object", additionalProperties=kind)
    answer = value_of(schema, f"k: {text}")["k"]
    assert (answer, answer.__class__) == (value, value.__class__)


@pytest.mark.parametrize("text", ["true", "True", "TRUE"])
@pytest.mark.parametrize("kind", [{}, {"type": ["boolean", "string"]}])
def test_a_truth_value_is_one_where_it_is_accepted(
    kind: dict[str, Any], text: str
) -> None:
    """However it is written; a key is a text, as JSON writes it."""
    schema = one(type="object", additionalProperties=kind)
    assert value_of(schema, f"k: {text}\n{text}: &a {text}\nagain: *a") == {
        "k": True,
        "true": True,
        "again": True,
    }


def test_a_default_is_a_text_as_json_writes_it() -> None:
    """The catalog stores entities as JSON: how their author wrote it is lost."""
    items = {"type": "object", "properties": {"k": {"type": "string"}}}
    form = draft(one(type="array", items=items, default=[{"k": True}]))
    assert form.values == {"it": [{"k": "true"}]}


def test_a_tuple_has_a_schema_for_each_place() -> None:
    """It is asked for as YAML: its items are of several types."""
    schema = one(type="array", items=[{"type": "string"}, {"type": "number"}])
    assert fields(draft(schema))["it"].kind == "yaml"
    assert value_of(schema, "- 1.10\n- 1.10") == ["1.10", 1.1]


def test_a_box_shows_what_was_typed() -> None:
    """Refused or not, with its comments, and on the way back from another page."""
    for text in ("- name: 007\n  port: x", "- name: 007 # Bond\n  port: 0x10", "{"):
        form = draft(one(**LIST), urlencode({"p.it": text}))
        assert fields(form)["it"].value == text
        assert list(form.pairs()) == [("p.it", text)]
    assert draft(one(**LIST), "p.it=%7B").pages[0].errors


def test_items_have_their_defaults() -> None:
    """Those of an object within the item too; what was typed is not replaced."""
    inner = {"type": "object", "properties": {"x": {"default": 1}, "y": {}}}
    properties = {
        **ITEM["properties"],  # type: ignore[dict-item]
        "port": {"type": "integer", "default": 80},
        "inner": inner,
        "empty": {"type": "object", "properties": {"z": {}}},
        "whole": {"type": "object", "properties": {"z": {}}},
    }
    items = {**ITEM, "properties": properties, "required": ["name", "whole"]}
    schema = one(type="array", items=items)
    assert value_of(schema, "- name: a\n- {name: b, port: 1, inner: {y: 2}}") == [
        {"name": "a", "port": 80, "inner": {"x": 1}, "whole": {}},
        {"name": "b", "port": 1, "inner": {"x": 1, "y": 2}, "whole": {}},
    ]


def test_defaults_of_many_items_are_bounded() -> None:
    """A long default is not copied a thousand times."""
    part = {"type": "string", "default": "x" * 100_000}
    schema = one(type="array", items={"type": "object", "properties": {"k": part}})
    form = draft(schema, urlencode({"p.it": "- {}\n" * 1_000}))
    assert "too many elements" in form.pages[0].errors[()]


@pytest.mark.parametrize("widget", ["hidden", "textarea"])
def test_an_object_of_another_control_is_read_as_yaml_too(widget: str) -> None:
    """The form shows it as YAML, and sends it back as that."""
    schema = one(type="object", default={"a": "1"}, **{"ui:widget": widget})
    text = fields(draft(schema))["it"].value
    assert value_of(schema, text) == {"a": "1"}


def test_a_schema_that_contains_itself_has_its_defaults_once() -> None:
    """They would go on for ever; objects that are typed have theirs."""
    ref = {"$ref": "#/definitions/node"}
    names = [f"n{number}" for number in range(10)]
    properties = {"k": {"default": 1}, **dict.fromkeys(names, ref)}
    node = {"type": "object", "properties": properties}
    items = {"type": "object", "properties": {"root": ref}}
    schema = {**one(type="array", items=items), "definitions": {"node": node}}
    answer = value_of(schema, "- root: {n1: {n2: {}}}")[0]["root"]
    assert answer["k"] == answer["n1"]["k"] == answer["n1"]["n2"]["k"] == 1
    assert answer["n3"] == {"k": 1}
