"""Alternatives of a form: a control chooses one, and its questions are questions."""

import re
from typing import Any
from urllib.parse import urlencode

import pytest

from services.portal.forms.answers import form_texts_of
from services.portal.forms.draft import draft_of
from services.portal.forms.model import FormPage
from tests.portal.conftest import Client
from tests.portal.services import FakeServices
from tests.portal.test_forms import draft, fields

NEW = {
    "title": "Create a new database",
    "properties": {"size": {"type": "integer"}},
    "required": ["size"],
}
USED = {"title": "Use an existing one", "properties": {"dbname": {"type": "string"}}}
WHICH: dict[str, Any] = {
    "properties": {
        "first": {"type": "string"},
        "which": {"title": "Database", "oneOf": [NEW, USED]},
    }
}
TOP = {"properties": {"first": {"type": "string"}}, "anyOf": [NEW, USED]}
REFERRED = {
    "definitions": {"new": NEW, "used": USED},
    "properties": {"first": {"type": "string"}},
    "oneOf": [{"$ref": "#/definitions/new"}, {"$ref": "#/definitions/used"}],
}


@pytest.mark.parametrize(
    ("schema", "path", "label"),
    [
        (WHICH, "which", "Database option"),
        (TOP, "", "Option"),
        (REFERRED, "", "Option"),
    ],
)
def test_a_choice_stands_above_the_questions_of_the_chosen_alternative(
    schema: dict[str, Any], path: str, label: str
) -> None:
    """It names the alternatives, and the first is chosen as long as none is."""
    prefix = f"{path}." if path else ""
    questions = fields(draft(schema))
    assert list(questions) == ["first", path, f"{prefix}size"]
    choice = questions[path]
    assert (choice.label, choice.value, choice.controls) == (label, "0", True)
    assert [option.label for option in choice.options] == [NEW["title"], USED["title"]]
    other = draft(schema, f"o.{path}=1&p.{prefix}dbname=x&p.{prefix}size=7")
    assert list(fields(other)) == ["first", path, f"{prefix}dbname"]
    assert other.values == ({path: {"dbname": "x"}} if path else {"dbname": "x"})
    assert other.first_wrong_page() is None
    again = draft(schema, urlencode(list(other.pairs())))
    assert again.values == other.values


@pytest.mark.parametrize(
    ("query", "prefilled", "chosen"),
    [
        ("p.which.dbname=x", {}, "1"),
        ("", {"which": {"dbname": "x"}}, "1"),
        ("p.which.size=1", {}, "0"),
        ("p.which.size=&p.which.dbname=x", {}, "1"),
        ("p.which.dbname=x&p.which.size=", {}, "1"),
        ("", {"which": {"size": "no number"}}, "0"),
        ("", {"which": {"dbname": 7}}, "1"),
        ("o.which=9", {}, "0"),
        ("o.which=-1", {}, "0"),
        ("o.which=0&p.which.dbname=x", {}, "0"),
    ],
)
def test_the_answers_choose_where_the_reader_does_not(
    query: str, prefilled: dict[str, Any], chosen: str
) -> None:
    """An answer is lost only by choosing an alternative without its question."""
    assert fields(draft(WHICH, query, **prefilled))["which"].value == chosen


def test_the_choices_of_two_pages_are_apart() -> None:
    """The objects of both pages have the same path."""
    schemas = [{"oneOf": [NEW, USED]}, {"oneOf": [USED, NEW]}]
    pages = [FormPage(n, "", "", schema) for n, schema in enumerate(schemas)]
    texts = form_texts_of([("o.", "1")])
    filled = draft_of(pages, texts).pages
    question_paths = [
        [field.path for field in page.fields if field.path] for page in filled
    ]
    assert question_paths == [[("dbname",)], [("dbname",)]]
    assert filled[0].fields[0].name != filled[1].fields[0].name


def test_alternatives_without_titles_are_counted() -> None:
    """Two choices of one object have names of their own."""
    parts = [{"properties": {name: {"type": "string"}}} for name in "abcd"]
    schema = {"oneOf": parts[:2], "anyOf": parts[2:]}
    choices = [f for f in draft(schema).pages[0].fields if f.kind == "choice"]
    assert [choice.name for choice in choices] == ["o.", "o.#1"]
    assert [option.label for option in choices[0].options] == ["Option 1", "Option 2"]
    assert draft(schema, "o.%231=1&p.a=1&p.d=2").values == {"a": "1", "d": "2"}


def test_branches_about_a_question_follow_its_answer() -> None:
    """There is nothing to choose beside it."""
    kinds = {"type": "string", "enum": ["a", "b"]}
    branches = [
        {"properties": {"it": {"const": key}, key: {"type": "string"}}} for key in "ab"
    ]
    schema = {"properties": {"it": kinds}, "oneOf": branches}
    assert list(fields(draft(schema, "p.it=b"))) == ["it", "b"]


@pytest.mark.parametrize(
    ("keyword", "query", "says"),
    [
        ("anyOf", "p.y=1", ""),
        ("anyOf", "p.x=1&p.y=1", ""),
        ("anyOf", "p.x=", "Answer at least one of these: x, y."),
        ("oneOf", "p.y=1", ""),
        ("oneOf", "p.x=1&p.y=1", "Answer exactly one of these: x, y."),
    ],
)
@pytest.mark.parametrize("is_nested", [False, True])
def test_alternatives_that_only_demand_ask_nothing(
    keyword: str, query: str, says: str, is_nested: bool
) -> None:
    """No question is required by itself; the rule is checked."""
    schema: dict[str, Any] = {
        "properties": {"x": {"type": "string"}, "y": {"type": "string"}},
        keyword: [{"required": ["x"], "title": "ex"}, {"required": ["y"]}],
    }
    page = draft({"allOf": [schema]} if is_nested else schema, query).pages[0]
    assert [(field.kind, field.required) for field in page.fields] == [
        ("text", False)
    ] * 2
    assert page.errors.get((), "") == says


def test_alternatives_are_limited() -> None:
    """Many of them, or in many places, are refused fast."""
    branch = {"properties": {"a": {"type": "string"}}}
    for schema in (
        {"oneOf": [branch] * 4_500},
        {"allOf": [{"oneOf": [branch, branch]}] * 200},
    ):
        assert "cannot be checked" in draft(schema).pages[0].errors[()]


@pytest.fixture
def api() -> FakeServices:
    services = FakeServices()
    services.steps = [{"title": "One", "schema": WHICH}]
    return services


async def test_a_choice_is_a_select_that_reloads_the_questions(client: Client) -> None:
    """With scripts at its change, without them by the form's button."""
    page = (await client().get("/create/templates/default/python-service")).text
    control = re.search(r'<select[^>]*name="o\.which"[^>]*>', page)
    assert control is not None
    assert 'hx-trigger="change"' in control[0]
    assert "Show what follows from this" in page
