"""Fields of a form that ask nothing or offer their choices in a special way."""

from typing import Any
from urllib.parse import urlencode

import pytest

from services.portal.forms.fields import NAME_WORDS
from tests.portal.conftest import Client
from tests.portal.services import FakeServices
from tests.portal.test_forms import draft, fields, one

FORM = "/create/templates/default/python-service"
LIST = {"type": "array", "items": {"type": "string", "pattern": "^x"}}
OBJECTS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["k"],
        "properties": {"v": {"type": "integer"}},
    },
}


def test_a_null_is_a_note() -> None:
    """It has no input; the template gets the null that its schema demands."""
    form = draft({**one(type="null"), "required": ["it"]}, "p.it=hello")
    assert fields(form)["it"].kind == "note"
    assert form.values == {"it": None}
    assert form.first_wrong_page() is None


@pytest.mark.parametrize("hint", [{}, {"ui:widget": "hidden"}])
@pytest.mark.parametrize("const", ["a", 7, {"b": 1}])
def test_a_constant_is_filled_in(const: object, hint: dict[str, Any]) -> None:
    """Whatever the form sends."""
    form = draft({**one(const=const, **hint), "required": ["it"]}, "p.it=other")
    assert form.values == {"it": const}
    assert form.first_wrong_page() is None


def test_a_box_that_must_be_ticked_is_ticked_by_the_reader() -> None:
    """A consent is not given by the template."""
    schema = {**one(type="boolean", const=True), "required": ["it"]}
    assert fields(draft(schema))["it"].kind == "check"
    assert draft(schema, "p.it=false").first_wrong_page() == 0
    assert draft(schema, "p.it=true").first_wrong_page() is None


@pytest.mark.parametrize("test", [{"const": "b"}, {"enum": ["b"]}])
def test_the_question_that_chooses_a_branch_can_be_answered_anew(
    test: dict[str, Any],
) -> None:
    """The branch's test of the answer does not narrow the question itself."""
    other = {"properties": {"it": {"const": "a"}}}
    branch = {"properties": {"it": test, "b": {"type": "string"}}}
    schema = {**one(type="string", enum=["a", "b"]), "oneOf": [other, branch]}
    form = fields(draft(schema, "p.it=b"))
    assert list(form) == ["it", "b"]
    assert [option.key for option in form["it"].options] == ["a", "b"]


@pytest.mark.parametrize(
    ("schema", "answer", "error"),
    [
        (LIST, "xa\n\nb", "Item 2: Must match ^x"),
        (
            OBJECTS,
            "- {k: 1}\n- {k: 1, v: x}",
            "Item 2, v: This must be a whole number.",
        ),
        (OBJECTS, "[{}]", "Item 1, k: Required."),
        (
            {"type": "object", "additionalProperties": {"const": "a"}},
            "n: b",
            "n: This must be “a”.",
        ),
        (
            {"type": "string", "format": "date"},
            "soon",
            "This is no date such as 2024-12-31.",
        ),
    ],
)
def test_an_error_names_the_item_and_the_form(
    schema: dict[str, Any], answer: str, error: str
) -> None:
    """It is shown at the question, and not above the page."""
    page = draft(one(**schema), urlencode({"p.it": answer})).pages[0]
    assert page.errors == {("it",): error}


def test_several_wrong_items_are_named() -> None:
    """A few of them, and how many more there are; each once."""
    answer = "\n".join(f"- {{k: 1, v: x{n}}}" for n in range(3)) + "\n- {v: 1}"
    page = draft(one(**OBJECTS), urlencode({"p.it": answer})).pages[0]
    assert page.errors[("it",)].split("\n") == [
        *(f"Item {n}, v: This must be a whole number." for n in (1, 2, 3)),
        "Item 4, k: Required.",
    ]
    answer = "\n".join("- {k: 1, v: x}" for _ in range(9))
    page = draft(one(**OBJECTS), urlencode({"p.it": answer})).pages[0]
    assert page.errors[("it",)].split("\n")[4:] == ["And 5 more."]


@pytest.fixture
def api() -> FakeServices:
    hints = {"ui:enumNames": ["One", "Two"], "ui:options": {"enumDisabled": ["b"]}}
    choices = {"type": "string", "enum": ["a", "b"]}
    questions: dict[str, Any] = {
        "radio": {**choices, **hints},
        "select": {**choices, **hints, "ui:widget": "select"},
        "checks": {"type": "array", "items": choices, **hints},
        "note": {"type": "null", "title": "Mind", "description": "the *gap*"},
        "described": {
            "type": "string",
            "oneOf": [
                {"const": "a", "description": "as *fire*"},
                {"const": "b", "title": "Plain"},
            ],
        },
        "name": {"type": "string", "ui:field": "EntityNamePicker"},
        "day": {"type": "string", "format": "date"},
        "gone": {"type": "string", "format": "date", "default": "soon"},
        "mail": {"type": "string", "format": "email"},
        "home": {"type": "string", "format": "uri"},
        "fixed": {"type": "string", "const": "always this"},
        "store": {
            "type": "object",
            "description": "Where the *data* lives",
            "properties": {"engine": {}, "size": {}},
        },
    }
    services = FakeServices()
    services.steps = [{"title": "One", "schema": {"properties": questions}}]
    return services


async def test_labels_and_disabled_choices_are_shown(client: Client) -> None:
    """On every control with choices; notes and constants have no input to change."""
    page = (await client().get(FORM)).text
    assert page.count(">Two<") == 3
    assert page.count(' value="b" disabled>') == 3
    assert "the <em>gap</em>" in page
    assert 'name="p.note"' not in page
    assert 'value="always this" readonly' in page
    assert 'name="p.fixed"' not in page


async def test_what_an_option_says_of_itself_is_markdown(client: Client) -> None:
    """Below the option, as the help of a question."""
    page = (await client().get(FORM)).text
    assert '<div class="field-help choice-help"><p>as <em>fire</em></p>' in page
    assert page.count("choice-help") == 1


@pytest.mark.parametrize(
    ("name", "input_type"),
    [
        ("day", "date"),
        ("gone", "text"),
        ("mail", "email"),
        ("home", "url"),
        ("name", "text"),
    ],
)
async def test_a_format_has_the_input_that_browsers_know(
    client: Client, name: str, input_type: str
) -> None:
    """A text that is no date stays visible."""
    page = (await client().get(FORM)).text
    assert f'name="p.{name}" type="{input_type}"' in page


async def test_a_name_says_in_words_what_it_may_have(client: Client) -> None:
    """In the browser and on the server the same."""
    page = (await client().get(f"{FORM}?go=next&p.name=!")).text
    assert page.count(NAME_WORDS) == 2
    assert f'data-pattern-words="{NAME_WORDS}"' in page
    own = one(type="string", pattern="^a", **{"ui:field": "EntityNamePicker"})
    assert draft(own, "p.it=b").pages[0].errors == {("it",): "Must match ^a"}


async def test_the_description_of_an_object_is_shown_once(client: Client) -> None:
    """Below its heading, before its first question."""
    page = (await client().get(FORM)).text
    heading, _, rest = page.partition("Where the <em>data</em> lives")
    assert heading.rindex(">store</h3>") > heading.rindex("always this")
    assert 'name="p.store.engine"' in rest
    assert "lives" not in rest
