"""What a form lets through, the scaffolder takes: the check of the whole schema."""

from typing import Any

import pytest

from services.portal.forms.draft import Draft, draft_of
from services.portal.forms.model import FormPage
from services.scaffolder.templates.schema_checks import problems
from tests.portal.conftest import Client
from tests.portal.services import FakeServices
from tests.portal.test_forms import draft, fields, one

CLOUD = {
    "title": "Cloud",
    "properties": {"region": {"type": "string"}},
    "required": ["region"],
}
ON_PREMISES = {"title": "On premises", "properties": {"rack": {"type": "integer"}}}
AMBIGUOUS = (
    "The answers fit more than one of Cloud, On premises: "
    "the template must tell them apart."
)
CHOICE = ("", "o.it")


def object_of(**alternatives: Any) -> dict[str, Any]:
    return one(title="Target", type="object", **alternatives)


@pytest.mark.parametrize(
    ("schema", "query", "place"),
    [
        (object_of(oneOf=[CLOUD, ON_PREMISES]), "p.it.region=eu", CHOICE),
        ({"oneOf": [CLOUD, ON_PREMISES]}, "p.region=eu", ("", "o.")),
        (
            {"allOf": [object_of(oneOf=[CLOUD, ON_PREMISES])]},
            "p.it.region=eu",
            CHOICE,
        ),
        (
            object_of(
                oneOf=[
                    {
                        "title": "Outer",
                        "properties": {"net": {"oneOf": [CLOUD, ON_PREMISES]}},
                        "required": ["net"],
                    },
                    {
                        "title": "None",
                        "properties": {"no": {"type": "string"}},
                        "required": ["no"],
                    },
                ]
            ),
            "p.it.net.region=eu",
            ("", "o.it.net"),
        ),
    ],
)
def test_answers_that_fit_two_alternatives_are_refused_at_the_choice(
    schema: dict[str, Any], query: str, place: tuple[str, ...]
) -> None:
    """In words, wherever the choice stands, before the scaffolder does."""
    form = draft(schema, query)
    assert problems(schema, form.values)
    assert form.pages[0].errors == {place: AMBIGUOUS}
    choice = [f for f in form.pages[0].with_errors().fields if f.place == place]
    assert [field.error for field in choice] == [AMBIGUOUS]


@pytest.mark.parametrize(
    ("schema", "query"),
    [
        (object_of(anyOf=[CLOUD, ON_PREMISES]), "p.it.region=eu"),
        ({"anyOf": [CLOUD, ON_PREMISES]}, "p.region=eu"),
        (
            object_of(oneOf=[CLOUD, {**ON_PREMISES, "required": ["rack"]}]),
            "p.it.region=eu",
        ),
    ],
)
def test_alternatives_that_the_scaffolder_takes_are_no_error(
    schema: dict[str, Any], query: str
) -> None:
    """Any number of `anyOf` may fit, and one of `oneOf`."""
    form = draft(schema, query)
    assert form.pages[0].errors == {}
    assert problems(schema, form.values) == []


BY_ANSWER = {
    "properties": {"kind": {"type": "string", "enum": ["a", "b"]}},
    "oneOf": [
        {"title": "A", "properties": {"kind": {"enum": ["a"]}, "x": {}}},
        {"title": "Both", "properties": {"kind": {"enum": ["a", "b"]}, "y": {}}},
    ],
}


@pytest.mark.parametrize(
    ("schema", "query", "place", "says"),
    [
        (BY_ANSWER, "p.kind=a", ("kind",), "fit more than one of A, Both"),
        ({**one(type="string"), "not": {"required": ["it"]}}, "p.it=x", (), "not one"),
        ({**one(type="string"), "minProperties": 2}, "p.it=x", (), "at least 2"),
        (
            {**one(type="string", **{"not": {"const": "x"}})},
            "p.it=x",
            ("it",),
            "not one of the forms",
        ),
        (
            {
                **object_of(properties={"a": {}, "b": {}}),
                "if": {"required": ["it"]},
                "then": {"properties": {"it": {"not": {"required": ["a"]}}}},
            },
            "p.it.a=x",
            ("it",),
            "not one of the forms",
        ),
    ],
)
def test_what_the_scaffolder_refuses_is_said_at_question_or_page(
    schema: dict[str, Any], query: str, place: tuple[str, ...], says: str
) -> None:
    """Rules that no question shows included."""
    form = draft(schema, query)
    assert problems(schema, form.values)
    assert list(form.pages[0].errors) == [place]
    assert says in form.pages[0].errors[place]


def test_answers_of_other_pages_are_checked_as_the_scaffolder_gets_them() -> None:
    """A page that forbids other answers names them."""
    closed = {**one(type="string"), "additionalProperties": False}
    other = {"properties": {"more": {"type": "string"}}}
    pages = [FormPage(0, "One", "", closed), FormPage(1, "Two", "", other)]
    assert form_of(pages, {"p.it": ["x"]}).pages[0].errors == {}
    form = form_of(pages, {"p.it": ["x"], "p.more": ["y"]})
    assert problems(closed, form.values)
    says = "The template does not ask for this: more."
    assert form.pages[0].errors == {(): says}


def form_of(pages: list[FormPage], texts: dict[str, list[str]]) -> Draft:
    return draft_of(pages, texts)


def test_a_secret_behind_a_reference_is_still_to_come() -> None:
    """Its rules are those of the reference."""
    token = {"$ref": "#/definitions/token", "ui:field": "Secret"}
    schema = {
        "definitions": {"token": {"type": "string", "pattern": "^t"}},
        "properties": {"token": token},
        "required": ["token"],
    }
    assert draft(schema).first_wrong_page() is None


@pytest.mark.parametrize(
    "hint",
    [
        {"ui:field": "Secret"},
        {"ui:widget": "password"},
        {"ui:options": {"widget": "password"}},
    ],
)
def test_secrets_that_are_still_to_come_are_no_error(hint: dict[str, Any]) -> None:
    """They count as answered in alternatives; their rules are checked later."""
    token = {"type": "string", "minLength": 20, "pattern": "^t", **hint}
    with_token = {"title": "T", "properties": {"token": token}, "required": ["token"]}
    other = {"title": "O", "properties": {"o": {}}, "required": ["o"]}
    schema = object_of(oneOf=[with_token, other])
    form = draft(schema, "o.it=0")
    assert [field.path for field in form.pages[0].secrets] == [("it", "token")]
    assert form.first_wrong_page() is None
    assert form.values == {}


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        (one(**{"$ref": "#/nowhere"}), "$ref '#/nowhere' leads nowhere"),
        (one(**{"$ref": "http://x.example/s"}), "leads to another document"),
        ({"allOf": [{"$ref": "#/definitions/a"}]}, "'#/definitions/a' leads nowhere"),
        (one(type="frobnicate"), "unknown type 'frobnicate' of it"),
        (one(type=["string", {"a": 1}]), "unknown type"),
        (one(type="array", items={"type": "texts"}), "unknown type 'texts' of it"),
    ],
)
def test_a_schema_that_is_none_is_named_before_it_is_answered(
    schema: dict[str, Any], says: str
) -> None:
    """At the page, as other faults of the template."""
    assert says in draft(schema).pages[0].errors[()]


def test_several_faults_of_a_schema_are_named() -> None:
    """A few of them."""
    questions = {name: {"type": f"type-{name}"} for name in "abcde"}
    error = draft({"properties": questions}).pages[0].errors[()]
    assert error.endswith(
        "unknown type 'type-a' of a; unknown type 'type-b' of b; "
        "unknown type 'type-c' of c"
    )


@pytest.fixture
def api() -> FakeServices:
    services = FakeServices()
    services.steps = [{"title": "One", "schema": {"oneOf": [CLOUD, ON_PREMISES]}}]
    return services


async def test_next_stays_at_the_choice_that_is_wrong(client: Client) -> None:
    """The error stands at the select; faults of the template stay above."""
    form = "/create/templates/default/python-service"
    answer = await client().get(f"{form}?page=0&go=next&p.region=eu")
    assert answer.status_code == 422
    assert f'id="f-o--error">{AMBIGUOUS}' in answer.text
    assert "1 answer needs another look" in answer.text


def test_a_choice_of_a_page_is_not_called_by_the_pages_title() -> None:
    """The title stands above the questions already."""
    schema = {"title": "A long title", "anyOf": [CLOUD, ON_PREMISES]}
    assert fields(draft(schema))[""].label == "Option"
