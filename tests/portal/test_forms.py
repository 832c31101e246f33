"""Forms of templates: which questions, which answers, what is wrong with them."""

from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from services.portal.forms.answers import form_texts_of
from services.portal.forms.draft import Draft, draft_of
from services.portal.forms.model import FormField, FormPage


def draft(schema: dict[str, Any], answers: str = "", **prefilled: Any) -> Draft:
    form_texts = form_texts_of(parse_qsl(answers, keep_blank_values=True))
    return draft_of([FormPage(0, "One", "", schema)], form_texts, prefilled)


def fields(form: Draft) -> dict[str, FormField]:
    return {".".join(field.path): field for field in form.pages[0].fields}


def one(**schema: Any) -> dict[str, Any]:
    return {"properties": {"it": schema}}


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "string"}, "text"),
        ({"type": "string", "ui:widget": "textarea"}, "textarea"),
        ({"type": "string", "ui:options": {"widget": "textarea"}}, "textarea"),
        ({"type": "string", "enum": ["a", "b"]}, "radio"),
        ({"type": "string", "enum": list("abcdefg")}, "select"),
        ({"type": "string", "enum": ["a"], "ui:widget": "select"}, "select"),
        ({"type": ["string", "null"]}, "text"),
        ({"type": "integer"}, "number"),
        ({"type": "boolean"}, "check"),
        ({"type": "boolean", "ui:widget": "radio"}, "radio"),
        ({"type": "array", "items": {"type": "string"}}, "lines"),
        ({"type": "array", "items": {"type": "string", "enum": ["a"]}}, "checks"),
        ({"type": "array", "items": {"type": "object"}}, "yaml"),
        ({"type": "object"}, "yaml"),
        ({"type": "string", "ui:field": "OwnerPicker"}, "select"),
        ({"type": "array", "ui:field": "MultiEntityPicker"}, "checks"),
        ({"type": "string", "ui:field": "RepoUrlPicker"}, "repo"),
        ({"type": "string", "ui:field": "Secret"}, "secret"),
        ({"type": "string", "ui:widget": "password"}, "secret"),
        ({"type": "string", "ui:widget": "hidden"}, "hidden"),
    ],
)
def test_the_schema_selects_the_form_control(schema: dict[str, Any], kind: str) -> None:
    """Types, enumerations and Backstage's hints lead to the fitting control."""
    assert fields(draft(one(**schema)))["it"].kind == kind


@pytest.mark.parametrize(
    ("schema", "answers", "value"),
    [
        ({"type": "integer"}, "p.it=42", 42),
        ({"type": "number"}, "p.it=1.5", 1.5),
        ({"type": "boolean"}, "p.it=false&p.it=true", True),
        ({"type": "boolean", "default": True}, "p.it=false", False),
        ({"type": "string", "default": "x"}, "", "x"),
        ({"type": "string"}, "p.it=a+b", "a b"),
        ({"type": "integer", "enum": [1, 2]}, "p.it=2", 2),
        ({"type": "array", "items": {"type": "integer"}}, "p.it=1%0A2", [1, 2]),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, "p.it=&p.it=b", ["b"]),
        ({"type": "object"}, "p.it=a%3A+1", {"a": 1}),
        (
            {"type": "string", "ui:field": "RepoUrlPicker"},
            "p.it%23host=git.x&p.it%23owner=&p.it%23repo=r",
            "git.x?repo=r",
        ),
    ],
)
def test_answers_become_values(
    schema: dict[str, Any], answers: str, value: Any
) -> None:
    """Texts of the form become the JSON that the template is promised."""
    assert draft(one(**schema), answers).values == {"it": value}


def test_an_emptied_field_does_not_get_its_default() -> None:
    """A field that the reader emptied stays empty."""
    schema = one(type="array", items={"enum": ["a"]}, default=["a"])
    assert draft(schema).values == {"it": ["a"]}
    assert draft(schema, "p.it=").values == {}


def test_answers_are_read_back_from_the_address() -> None:
    """All answers, written into an address and read again, are the same."""
    schema = {
        "properties": {
            "a": {"type": "string"},
            "b.c": {"type": "boolean"},
            "d": {"type": "object", "properties": {"e": {"type": "integer"}}},
            "f": {"type": "array", "items": {"type": "string"}},
            "g": {"type": "object"},
            "h": {"type": "array", "items": {"enum": ["x", "y"]}, "default": ["x"]},
        }
    }
    first = draft(schema, "p.a=ä+%26&p.b~1c=true&p.d.e=7&p.f=1%0A2&p.g=%7Bk: 1%7D&p.h=")
    assert first.values == {
        "a": "ä &",
        "b.c": True,
        "d": {"e": 7},
        "f": ["1", "2"],
        "g": {"k": 1},
    }
    assert draft(schema, urlencode(list(first.pairs()))).values == first.values


@pytest.mark.parametrize(
    ("schema", "answers", "says"),
    [
        ({"type": "string"}, "", "Required."),
        ({"type": "string", "minLength": 3}, "p.it=ab", "At least 3"),
        ({"type": "string", "maxLength": 3}, "p.it=abcd", "At most 3"),
        ({"type": "string", "pattern": "^[a-z]+$"}, "p.it=X", "^[a-z]+$"),
        ({"type": "integer"}, "p.it=many", "a whole number"),
        ({"type": "integer", "minimum": 5}, "p.it=4", "5 or more"),
        ({"type": "string", "enum": ["a"]}, "p.it=b", "Choose one"),
        ({"type": "string", "format": "email"}, "p.it=x", "no email"),
        ({"type": "string", "ui:field": "EntityNamePicker"}, "p.it=-x", "Letters"),
        ({"type": "array", "items": {"type": "string"}, "uniqueItems": True},
         "p.it=a%0Aa", "twice"),
    ],
)  # fmt: skip
def test_errors_are_shown_at_the_field(
    schema: dict[str, Any], answers: str, says: str
) -> None:
    """Every rule of the schema has a message, at the question it is about."""
    form = draft({**one(**schema), "required": ["it"]}, answers)
    assert says in form.pages[0].with_errors().fields[0].error
    assert form.first_wrong_page() == 0


def test_an_unreadable_pattern_is_left_to_the_scaffolder() -> None:
    """The form does not fail on it."""
    form = draft(one(type="string", pattern=r"^\p{L}+$"), "p.it=x")
    assert form.first_wrong_page() is None


DEPENDENT = {
    "properties": {"db": {"type": "boolean"}, "last": {"type": "string"}},
    "dependencies": {
        "db": {
            "oneOf": [
                {"properties": {"db": {"const": False}}},
                {
                    "properties": {"db": {"const": True}, "kept": {"type": "string"}},
                    "required": ["kept"],
                },
            ]
        }
    },
}
IF = {
    "properties": {"db": {"type": "boolean"}, "last": {"type": "string"}},
    "if": {"properties": {"db": {"const": True}}, "required": ["db"]},
    "then": {"properties": {"kept": {"type": "string"}}, "required": ["kept"]},
}


@pytest.mark.parametrize("schema", [DEPENDENT, IF, {"allOf": [IF]}])
def test_an_answer_adds_conditional_questions(schema: dict[str, Any]) -> None:
    """They appear with the answer they depend on, and are required."""
    assert "kept" not in fields(draft(schema))
    form = draft(schema, "p.db=true")
    assert fields(form)["db"].controls
    assert fields(form)["kept"].required
    assert form.first_wrong_page() == 0
    assert draft(schema, "p.db=false&p.kept=x").values == {"db": False}


def test_a_conditional_question_follows_its_condition() -> None:
    """It is not at the end of the page."""
    assert list(fields(draft(DEPENDENT, "p.db=true"))) == ["db", "kept", "last"]


def test_the_order_hint_sorts_the_questions() -> None:
    """`ui:order` says the order; `*` stands for the rest."""
    schema = {
        "properties": {name: {"type": "string"} for name in "abcd"},
        "ui:order": ["c", "*", "a"],
    }
    assert list(fields(draft(schema))) == ["c", "b", "d", "a"]


@pytest.mark.parametrize("order", [5, True, "ab", {"a": 1}, None, 0.5])
def test_an_invalid_order_hint_is_ignored(order: object) -> None:
    """The form is shown as the schema has it."""
    schema = {
        "properties": {name: {"type": "string"} for name in "ba"},
        "ui:order": order,
    }
    assert list(fields(draft(schema))) == ["b", "a"]


def test_secrets_are_never_in_an_address() -> None:
    """They are no values or pairs of a draft, and are asked for when needed."""
    schema = {**one(type="string", **{"ui:field": "Secret"}), "required": ["it"]}
    form = draft(schema, "p.it=typed&s.it=hidden")
    assert list(form.pairs()) == []
    assert form.values == {}
    assert form.secrets() == {"it": "hidden"}
    assert form.first_wrong_page() is None
    assert draft(schema).missing_secrets()


def test_picker_filters_become_catalog_filters() -> None:
    """Objects are sets of statements, lists alternatives, `exists` a bare key."""
    options = {
        "catalogFilter": [
            {"kind": ["Group", "User"], "spec.type": "team"},
            {"metadata.annotations.x/y": {"exists": True}},
        ]
    }
    field = fields(
        draft(one(type="string", **{"ui:field": "EntityPicker", "ui:options": options}))
    )["it"]
    assert field.picker is not None
    assert field.picker.filters == (
        "kind=Group,kind=User,spec.type=team",
        "metadata.annotations.x/y",
    )


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": 5}},
        {"$ref": "#/nowhere"},
        {"properties": {"a": {"$ref": "#/properties/a"}}},
        {"allOf": [7], "if": 1, "dependencies": {"a": 5}, "required": "a"},
        {"properties": {"a": {"type": "string", "enum": "abc", "minLength": "x"}}},
    ],
)
def test_invalid_schemas_do_not_break_the_page(schema: dict[str, Any]) -> None:
    """The template's mistake is not the reader's."""
    assert draft(schema, "p.a=x").pages[0].fields is not None
