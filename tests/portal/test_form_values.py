"""Values that a template gives its questions itself, and values that are objects."""

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.portal.answers import TASK, task
from tests.portal.conftest import Client
from tests.portal.services import FakeServices
from tests.portal.test_forms import draft, fields, one

FORM = "/create/templates/default/python-service"
TEXT = {"type": "string"}
FIXED = {"type": "boolean", "readOnly": True, "default": True}


@pytest.mark.parametrize("is_in_all_of", [False, True])
def test_the_default_of_an_object_fills_its_questions(is_in_all_of: bool) -> None:
    """Those of objects within it too; a question's own default is stronger."""
    inner = {"type": "object", "properties": {"x": TEXT, "y": TEXT}}
    questions = {
        "k": TEXT,
        "own": {**TEXT, "default": "mine"},
        "n": {**inner, "default": {"y": "b"}},
        "map": {"type": "object"},
    }
    default = {"k": "v", "own": "other", "n": {"x": "a", "y": "c"}, "map": {"q": 1}}
    part = {"properties": {"it": {"default": default, "properties": questions}}}
    schema = {"allOf": [part]} if is_in_all_of else part
    expected = {"k": "v", "own": "mine", "n": {"x": "a", "y": "b"}, "map": {"q": 1}}
    assert draft(schema).values == {"it": expected}
    assert draft({"default": {"it": default}, **one(**TEXT)}).values == {"it": default}
    emptied = draft(schema, "p.it.k=&p.it.n.x=")
    assert emptied.values["it"]["n"] == {"y": "b"}
    assert draft(schema, urlencode(list(emptied.pairs()))).values == emptied.values


def test_a_required_object_without_answers_is_empty() -> None:
    """It is not missing; what it requires itself is named at its own question."""
    inner = {"type": "object", "properties": {"a": TEXT}}
    outer = {"type": "object", "required": ["b"], "properties": {"b": inner}}
    schema = {"required": ["it"], **one(**outer)}
    form = draft(schema)
    assert (form.values, form.first_wrong_page()) == ({"it": {"b": {}}}, None)
    assert draft(one(**outer)).values == {}
    inner["required"] = ["a"]  # type: ignore[assignment]
    assert draft(schema).pages[0].errors == {("it", "b", "a"): "Required."}


@pytest.mark.parametrize(
    "choices",
    [
        [{"cpu": 1}, {"cpu": 2}],
        [["a"], ["b", "c"]],
        ["1", 1],
        [True, "true"],
        [1.5, {"x": "ä\x7f"}],
    ],
)
@pytest.mark.parametrize("key", ["enum", "oneOf"])
@pytest.mark.parametrize("is_list", [False, True])
def test_a_choice_is_the_value_that_it_names(
    choices: list[Any], key: str, is_list: bool
) -> None:
    """Objects, lists, and values that look alike; also from the address."""
    offered = choices if key == "enum" else [{"const": value} for value in choices]
    schema: dict[str, Any] = {key: offered}
    schema = one(**({"type": "array", "items": schema} if is_list else schema))
    for index, value in enumerate(choices):
        option = fields(draft(schema))["it"].options[index]
        form = draft(schema, urlencode({"p.it": option.key}))
        expected = [value] if is_list else value
        assert repr(form.values["it"]) == repr(expected)
        assert fields(form)["it"].value == ([option.key] if is_list else option.key)
        assert form.pages[0].errors == {}
        reopened = draft(schema, urlencode(list(form.pairs())))
        assert repr(reopened.values) == repr(form.values)


def test_the_key_of_an_object_is_its_json() -> None:
    """A value that a template gives as default is chosen."""
    schema = one(type="object", enum=[{"a": 1}, {"b": True}], default={"b": True})
    field = fields(draft(schema))["it"]
    assert [option.key for option in field.options] == ['{"a": 1}', '{"b": true}']
    assert field.value == '{"b": true}'


@pytest.mark.parametrize(
    "hint",
    [
        {"readOnly": True},
        {"ui:readonly": True},
        {"ui:disabled": True},
        {"ui:options": {"readonly": True}},
        {"ui:options": {"disabled": True}},
    ],
)
@pytest.mark.parametrize(
    ("question", "typed"),
    [
        ({**TEXT, "default": "fixed"}, "changed"),
        ({"type": "boolean", "default": True}, "false"),
        ({**TEXT, "enum": ["a", "b"], "default": "b"}, "a"),
        ({"type": "array", "items": TEXT, "default": ["x"]}, "y"),
        ({"type": "object", "default": {"x": 1}}, "y: 2"),
        ({**TEXT, "ui:field": "OwnerPicker", "default": "group:default/a"}, "b"),
    ],
)
@pytest.mark.parametrize("is_within", [False, True])
def test_a_read_only_question_keeps_its_default(
    hint: dict[str, Any], question: dict[str, Any], typed: str, is_within: bool
) -> None:
    """Whatever the form sends or a link brings; also of a whole read-only object."""
    if is_within:
        schema = one(type="object", properties={"k": question}, **hint)
        form = draft(schema, urlencode({"p.it.k": typed}), it={"k": typed})
        assert form.values == {"it": {"k": question["default"]}}
        assert fields(form)["it.k"].disabled
    else:
        form = draft(one(**question, **hint), urlencode({"p.it": typed}), it=typed)
        assert form.values == {"it": question["default"]}
        assert fields(form)["it"].disabled


async def test_a_run_shows_what_it_got_for_a_read_only_question(
    client: Client, api: FakeServices
) -> None:
    """The API takes other values than the form."""
    run = task(spec={**task()["spec"], "parameters": {"text": "other"}})
    api.runs[TASK] = (run, [])
    assert "<dd>other</dd>" in (await client().get(f"/create/tasks/{TASK}")).text


def test_a_read_only_question_without_default_has_the_value_of_its_link() -> None:
    """The form sends it on from page to page."""
    schema = one(**TEXT, readOnly=True)
    form = draft(schema, it="linked")
    assert draft(schema, urlencode(list(form.pairs()))).values == {"it": "linked"}


@pytest.fixture
def api() -> FakeServices:
    choices = {"readOnly": True, "enum": ["a", "b"], "default": "b"}
    questions: dict[str, Any] = {
        "text": {**TEXT, "readOnly": True, "default": "fixed"},
        "box": {**FIXED, "description": "A *box*", "ui:help": "see [x](https://x.y)"},
        "radio": {**choices, "ui:options": {"help": "**Mind**"}},
        "select": {**choices, "ui:widget": "select"},
        "checks": {**FIXED, "type": "array", "items": {"enum": ["c"]}, "default": []},
    }
    services = FakeServices()
    services.steps = [{"title": "One", "schema": {"properties": questions}}]
    return services


async def test_read_only_questions_look_so(client: Client) -> None:
    """On every control."""
    page = (await client().get(FORM)).text
    assert 'name="p.text" type="text" value="fixed" readonly' in page
    assert 'name="p.box" value="true" checked disabled' in page
    assert page.count(' value="a" disabled>') == 2
    assert ' value="c" disabled>' in page


@pytest.mark.parametrize(
    "hint", [{"ui:enumNames": ["On", "Off"]}, {"enumNames": ["On", "Off"]}]
)
@pytest.mark.parametrize("choices", [{}, {"enum": [True, False]}])
def test_names_of_yes_and_no_are_offered(
    hint: dict[str, Any], choices: dict[str, Any]
) -> None:
    """A box that is ticked would not show them."""
    field = fields(draft(one(type="boolean", **hint, **choices), "p.it=false"))["it"]
    assert field.kind == "radio"
    labels = [(option.label, option.key == field.value) for option in field.options]
    assert labels == [("On", False), ("Off", True)]
    plain = fields(draft(one(type="boolean", **choices)))["it"]
    assert (plain.kind, [o.label for o in plain.options]) == ("check", ["Yes", "No"])


async def test_the_hint_of_a_question_is_rendered_as_its_help_is(
    client: Client,
) -> None:
    """On boxes and sets of choices too."""
    page = (await client().get(FORM)).text
    assert "A <em>box</em>" in page
    assert '<a href="https://x.y"' in page
    assert "<strong>Mind</strong>" in page


@pytest.mark.parametrize(
    ("rows", "height"), [(15, 15), (1e300, 40), (-1, 2), (True, 3), ("9", 3), (None, 3)]
)
async def test_a_text_box_has_the_height_that_is_asked_for(
    client: Client, api: FakeServices, rows: object, height: int
) -> None:
    """Within bounds; what is no number is ignored."""
    box = {**TEXT, "ui:widget": "textarea", "ui:options": {"rows": rows}}
    api.steps = [{"title": "One", "schema": one(**box)}]
    page = (await client().get(FORM)).text
    assert f'name="p.it" rows="{height}"' in page
