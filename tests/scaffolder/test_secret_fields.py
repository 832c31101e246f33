"""Which answers are secrets, and the forms in which a secret is masked."""

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scaffolder.secrets.hidden_answers import (
    masked,
    secret_names,
    secret_texts,
)
from services.scaffolder.secrets.redaction import Redactor, differences, texts
from shared.contracts.errors import Invalid

SECRET: dict[str, Any] = {"type": "string", "ui:field": "Secret"}
PASSWORD: dict[str, Any] = {"type": "string", "ui:widget": "password"}
OPTIONS: dict[str, Any] = {"type": "string", "ui:options": {"widget": "password"}}
PLAIN: dict[str, Any] = {"type": "string"}
PAGES = [
    ({"properties": {"a": SECRET, "b": PLAIN}}, {"a"}),
    ({"properties": {"a": PASSWORD}}, {"a"}),
    ({"properties": {"a": OPTIONS}}, {"a"}),
    ({"properties": {"o": {"properties": {"a": SECRET}}}}, {"a"}),
    ({"properties": {"l": {"items": SECRET}}}, {"l"}),
    ({"properties": {"l": {"items": {"properties": {"a": SECRET}}}}}, {"a"}),
    ({"allOf": [{"properties": {"a": SECRET}}]}, {"a"}),
    ({"if": {}, "then": {"properties": {"a": SECRET}}}, {"a"}),
    (
        {"dependencies": {"x": {"oneOf": [{"properties": {"a": SECRET}}]}}},
        {"a"},
    ),
    (
        {
            "properties": {"a": {"$ref": "#/definitions/key"}},
            "definitions": {"key": SECRET},
        },
        {"a"},
    ),
    (
        {
            "properties": {"a": {"$ref": "#/definitions/x"}},
            "definitions": {"x": {"$ref": "#/definitions/y"}, "y": SECRET},
        },
        {"a"},
    ),
    ({"properties": {"a": {"$ref": "#/definitions/none"}}}, set()),
    ({"properties": {"a": {"$ref": "https://h/x"}}}, set()),
    ({"properties": {"a": {"$ref": 5, "ui:options": "x"}}}, set()),
    ({"properties": {"a": {"ui:field": "Picker", "ui:widget": "select"}}}, set()),
    ({"properties": "x", "allOf": 5}, set()),
    ({}, set()),
]


@pytest.mark.parametrize(("page", "names"), PAGES)
def test_secret_fields_are_found_in_the_schema(page: Any, names: set[str]) -> None:
    """Wherever in the schema they are described."""
    assert secret_names([page], {}) == names


def test_secret_fields_of_all_pages_are_found() -> None:
    """The answers are one object for the whole form."""
    pages = [{"properties": {"a": SECRET}}, {"properties": {"b": PASSWORD}}]
    assert secret_names(pages, {}) == {"a", "b"}


def test_a_schema_that_refers_to_itself_is_read() -> None:
    """And one of any depth: a secret is found at the end of it."""
    page: Any = {"properties": {"a": {"$ref": "#"}, "b": SECRET}}
    assert secret_names([page], {"a": {"b": "x"}}) == {"b"}
    deep: Any = SECRET
    for _ in range(2_000):
        deep = {"properties": {"x": deep}}
    assert secret_names([deep], {}) == {"x"}


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ({"additionalProperties": SECRET}, {"pw", "list", "plain"}),
        (
            {"properties": {"plain": PLAIN}, "additionalProperties": PASSWORD},
            {"pw", "list"},
        ),
        ({"unevaluatedProperties": PASSWORD, "properties": {"pw": PLAIN}}, {"list"}),
        ({"patternProperties": {"^p[^l]": OPTIONS}}, {"pw"}),
        ({"patternProperties": {"^in": SECRET}}, {"inner"}),
        ({"patternProperties": {"^in": {"items": SECRET}}}, {"inner"}),
        ({"properties": {"list": {"items": [PLAIN, SECRET]}}}, {"list"}),
        (
            {"properties": {"list": {"items": [PLAIN], "additionalItems": SECRET}}},
            {"list"},
        ),
        ({"properties": {"list": {"contains": SECRET}}}, {"list"}),
        ({"properties": {"list": {"items": {"$ref": "#/definitions/k"}}}}, {"list"}),
        ({"properties": {"list": {"$ref": "#/definitions/all"}}}, {"list"}),
        ({"additionalProperties": {"$ref": "#/definitions/k"}}, {"pw", "list"}),
        ({"properties": {"pw": {"additionalProperties": SECRET}}}, {"pw"}),
        ({"properties": {"pw": {"anyOf": [PLAIN, {"not": SECRET}]}}}, {"pw"}),
        ({"properties": {"pw": {"if": PLAIN, "else": SECRET}}}, {"pw"}),
        ({"properties": {"pw": {"dependencies": {"x": SECRET}}}}, {"pw"}),
        ({"properties": {"pw": {"propertyNames": SECRET}}}, {"pw"}),
        ({"$ref": "#/definitions/all"}, {"pw", "list"}),
        ({"allOf": [{"additionalProperties": SECRET}]}, {"pw", "list"}),
        ({"then": {"additionalProperties": SECRET}}, {"pw", "list"}),
        ({"properties": {"pw": PLAIN}}, set()),
    ],
)
def test_secrets_are_found_under_every_keyword(page: Any, names: set[str]) -> None:
    """Also where the schema holds for names that only the answers tell."""
    definitions = {"k": SECRET, "all": {"additionalProperties": {"items": SECRET}}}
    answers = {"pw": "x", "list": [{"inner": "y"}], "plain": "z"}
    page = {**page, "definitions": definitions}
    other: Any = {"properties": {"plain": PLAIN}}
    pages = [page] if "plain" in names else [page, other]
    assert secret_names(pages, answers) == names


def test_patterns_of_secret_names_are_bounded() -> None:
    """Answers and patterns are the work of anybody: too many are refused."""
    patterns = {f"^a{n}": SECRET for n in range(1_000)}
    answers = {f"n{n}": "x" for n in range(1_000)}
    with pytest.raises(Invalid, match="patternProperties: too many"):
        secret_names([{"patternProperties": patterns}], answers)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"pin": "1234", "name": "x"}, {"pin": "***", "name": "x"}),
        ({"pin": ""}, {"pin": ""}),
        ({"pin": None}, {"pin": None}),
        ({"pin": []}, {"pin": []}),
        ({"pin": "****"}, {"pin": "****"}),
        ({"pin": 1234}, {"pin": "***"}),
        ({"pin": ["a", "b"]}, {"pin": "***"}),
        ({"o": [{"pin": "x"}, {"q": "y"}]}, {"o": [{"pin": "***"}, {"q": "y"}]}),
        ([1, "pin"], [1, "pin"]),
    ],
)
def test_secret_answers_are_replaced_by_stars(answer: Any, expected: Any) -> None:
    """Others, and stars that a client sends back, stay as they are."""
    assert masked(answer, frozenset({"pin"})) == expected


def test_all_texts_of_secret_answers_are_collected() -> None:
    """Of nested ones too: each is masked in the log."""
    answer = {"pin": {"a": "one", "b": [2, True]}, "l": [{"pin": "three"}], "x": "no"}
    assert list(secret_texts(answer, frozenset({"pin"}))) == ["one", "2", "three"]


FORMS = [
    "p@ss/word",
    quote("p@ss/word", safe=""),
    json.dumps({"a": "p@ss/word"}),
    base64.b64encode(b"p@ss/word").decode(),
    base64.urlsafe_b64encode(b"user:p@ss/word!").decode(),
    "p@ss/word".upper(),
    "p@ss/word"[::-1],
    b"p@ss/word".hex(),
]


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_masked_in_its_usual_forms(form: str) -> None:
    """Programs print them encoded."""
    redacted_text = Redactor(["p@ss/word"]).text(f"before {form} after")
    assert "***" in redacted_text
    assert form not in redacted_text
    assert redacted_text.startswith("before ")
    assert redacted_text.endswith(" after")


@pytest.mark.parametrize("secret", ["", "x", "  ", "**", "*"])
def test_a_too_short_secret_is_not_masked(secret: str) -> None:
    """Masking it would make the log unreadable."""
    assert Redactor([secret]).text("a x b ** c") == "a x b ** c"


def test_a_longer_secret_is_masked_first() -> None:
    """A secret that begins with another leaves nothing of itself."""
    redactor = Redactor(["hunter2", "hunter2-and-more"])
    assert redactor.text("is hunter2-and-more") == "is ***"
    assert redactor.text("is hunter2.") == "is ***."


@given(st.text(min_size=8, max_size=30), st.text(max_size=20), st.text(max_size=20))
def test_a_secret_is_masked_in_any_text(secret: str, before: str, after: str) -> None:
    """No text before or after a secret prevents the masking."""
    if not secret.strip().strip("*"):
        return
    redacted_text = Redactor([secret]).text(before + secret.strip() + after)
    assert secret.strip() not in redacted_text or secret.strip() in "***"


def test_learned_texts_are_shown_as_their_public_form() -> None:
    """A text made of a secret and of other text shows the other text."""
    redactor = Redactor(["hunter2"])
    redactor.learn({"m": "to HUNTER2 now"}, {"m": "to *** now"})
    assert redactor.text("to HUNTER2 now") == "to *** now"
    assert redactor.whole("to HUNTER2 now") == "to *** now"
    assert redactor.whole("anything else") == "***"


def test_short_texts_of_secrets_are_fragments() -> None:
    """They cannot be masked in a line without spoiling it."""
    redactor = Redactor(["hunter2"])
    assert redactor.has_fragments("hu", "***", [])
    assert redactor.has_fragments("x", "x", ["hu"])
    assert not redactor.has_fragments("hunter2", "***", [])
    assert not redactor.has_fragments("same", "same", [])


@pytest.mark.parametrize(
    ("real", "public", "expected"),
    [
        ("a", "a", []),
        ("a", "b", [("a", "b")]),
        ({"x": "a", "y": 1}, {"x": "b", "y": 1}, [("a", "b")]),
        ({"a": "v"}, {}, [("a", "***"), ("v", "***")]),
        (["a", "b"], ["a", "c"], [("b", "c")]),
        (["a", "b"], ["a"], [("b", "***")]),
        ("a", 5, [("a", "***")]),
        (5, 5, []),
        (5, 6, [("5", "***")]),
        ({"l": [{"x": "a"}]}, {"l": [{"x": "b"}]}, [("a", "b")]),
    ],
)
def test_differing_texts_of_dual_values_are_listed(
    real: Any, public: Any, expected: Any
) -> None:
    """Each text with what is shown in its place."""
    assert list(differences(real, public)) == expected


def test_all_texts_of_a_value_are_listed() -> None:
    """Numbers too, as they may be secrets; booleans are none."""
    value = {"a": ["x", 5, 1.5, True, None], "b": {"c": "y"}}
    assert list(texts(value)) == ["x", "5", "1.5", "y"]
