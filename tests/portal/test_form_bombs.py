"""Forms of templates that mean harm: nothing is fetched, and none takes long."""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from services.portal.forms.answers import form_texts_of
from services.portal.forms.draft import Draft, draft_of
from services.portal.forms.model import FormPage
from services.portal.pages.template_form import BUTTONS, button_words
from tests.costs import slowness


def draft(schema: dict[str, Any], **answers: str) -> Draft:
    form_texts = form_texts_of(
        parse_qsl(urlencode({f"p.{k}": v for k, v in answers.items()}))
    )
    return draft_of([FormPage(0, "One", "", schema)], form_texts, {})


def asking(**schema: Any) -> dict[str, Any]:
    return {"properties": {"it": schema}}


def aliases() -> str:
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x]"]
    for level in range(1, 7):
        names = ", ".join([f"*l{level - 1}"] * 8)
        lines.append(f"l{level}: &l{level} [{names}]")
    return "\n".join(lines)


def doubled(keyword: str) -> dict[str, Any]:
    parts: dict[str, Any] = {
        f"d{n}": {keyword: [{"$ref": f"#/definitions/d{n + 1}"}] * 2} for n in range(30)
    }
    parts["d30"] = {"properties": {f"q{n}": {"type": "string"} for n in range(20)}}
    return {
        "definitions": parts,
        "properties": {},
        "allOf": [{"$ref": "#/definitions/d0"}],
    }


BOMBS: dict[str, Callable[[], tuple[dict[str, Any], str]]] = {
    "dashed words": lambda: (asking(pattern="^([a-z0-9]+-?)+$"), "a" * 5000 + "!"),
    "look-ahead": lambda: (asking(pattern="^(?=.*a)(a|aa)+$"), "a" * 5000 + "!"),
    "a condition's pattern": lambda: (
        {
            **asking(type="string"),
            "if": {"properties": {"it": {"pattern": "(x+x+)+(?=y)"}}},
            "then": {"properties": {"other": {"type": "string"}}},
        },
        "x" * 5000,
    ),
    "allOf": lambda: (doubled("allOf"), "x"),
    "anyOf": lambda: (doubled("anyOf"), "x"),
    "oneOf": lambda: (doubled("oneOf"), "x"),
    "itself": lambda: ({**asking(), "allOf": [{"$ref": "#"}, {"$ref": "#"}]}, "x"),
    "names in order": lambda: (
        {
            "properties": {f"q{n}": {} for n in range(3000)},
            "ui:order": ["*"] * 3000 + [f"q{n}" for n in range(3000)],
        },
        "x",
    ),
    "unique objects": lambda: (
        asking(type="array", items={"type": "object"}, uniqueItems=True),
        "\n".join(f"- {{n: {n}}}" for n in range(900)),
    ),
    "help for YAML": lambda: (
        {
            "definitions": {
                "big": {
                    "properties": {
                        f"k{n}": {"$ref": "#/definitions/big"} for n in range(5000)
                    }
                }
            },
            "properties": {
                f"q{n}": {"type": "array", "items": {"$ref": "#/definitions/big"}}
                for n in range(400)
            },
        },
        "x",
    ),
    "the whole schema": lambda: (
        {
            **asking(),
            "not": {"allOf": [{"$ref": "#/definitions/d0"}]},
            **doubled("anyOf"),
        },
        "x",
    ),
    "breadth": lambda: ({**asking(), "allOf": [{"required": ["it"]}] * 30_000}, "x"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_forms_are_limited_in_time(name: str) -> None:
    """A page over its limits says so, and shows what it can."""
    schema, answer = BOMBS[name]()
    start = time.thread_time()
    form = draft(schema, it=answer)
    assert time.thread_time() - start < 1.5 * slowness()
    assert len(form.pages[0].fields) <= 500


def test_external_conditions_are_reported_and_not_fetched() -> None:
    """`$ref` to a host or a file is an error of the template, on the page at once."""
    for address in ("http://127.0.0.1:9/meta", "file:///etc/passwd"):
        schema = {
            **asking(type="string"),
            "if": {"$ref": address},
            "then": {"properties": {"other": {"type": "string"}}},
        }
        page = draft(schema, it="x").pages[0]
        assert address in page.errors[()]
        assert [field.path for field in page.fields] == [("it",)]


def test_an_answer_with_yaml_bombs_stays_a_text() -> None:
    """Aliases of aliases are refused: the form keeps the typed text."""
    form = draft(asking(type="object"), it=aliases())
    assert form.values == {"it": aliases()}
    [error] = form.pages[0].errors.values()
    assert error.startswith("YAML error: ")
    assert sum(len(text) for _, text in form.pairs()) < 5_000


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("d: 2021-06-30", {"d": "2021-06-30"}),
        ("at: 2021-06-30T10:00:00Z", {"at": "2021-06-30T10:00:00Z"}),
        ("on: yes", {"on": "yes"}),
        ("size: 0o17", {"size": 15}),
        ("v: 08", {"v": 8}),
    ],
)
def test_an_object_answer_is_read_as_yaml_1_2(text: str, value: object) -> None:
    """Dates are texts, so that everything can be sent as JSON."""
    form = draft(asking(type="object"), it=text)
    assert form.values == {"it": value}
    [(name, answer)] = form.pairs()
    assert draft(asking(type="object"), **{name[2:]: answer}).values == {"it": value}


@pytest.mark.parametrize("text", ["9" * 4000, "-" + "9" * 30, "1e999", "nan", "inf"])
@pytest.mark.parametrize("kind", ["integer", "number"])
def test_a_number_beyond_json_is_refused_at_its_field(text: str, kind: str) -> None:
    """It stays a text and breaks the field's rule."""
    form = draft(asking(type=kind), it=text)
    assert form.values == {"it": text}
    assert ("it",) in form.pages[0].errors


def test_a_field_of_thousands_of_choices_is_a_text_field() -> None:
    """It has the same rule as the list."""
    schema = asking(type="string", enum=[f"v{n}" for n in range(3000)])
    page = draft(schema, it="v2999").pages[0]
    assert page.fields[0].kind == "text"
    assert page.errors == {}
    assert ("it",) in draft(schema, it="v3000").pages[0].errors
    five = {"properties": {f"q{n}": {"enum": list(range(900))} for n in range(5)}}
    assert "more than 4000 choices" in draft(five).pages[0].errors[()]


@pytest.mark.parametrize("odd", [True, 7, "x", [None], {"buttonLabels": ["x"]}, None])
def test_button_texts_of_wrong_types_are_ignored(odd: Any) -> None:
    """Only texts of an object are shown."""
    assert button_words({"presentation": odd}) == BUTTONS
    labels = {"createButtonText": "Go", "backButtonText": {"a": 1}}
    words = button_words({"presentation": {"buttonLabels": labels}})
    assert words == {**BUTTONS, "create": "Go"}
