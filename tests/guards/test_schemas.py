"""JSON Schema for strangers' schemas: draft 7, references into itself, bounded."""

import contextlib
import functools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from referencing import Registry

from shared.contracts.errors import Invalid
from shared.guards.schemas import NotASchema, Violation, find_violations, is_valid
from tests.costs import limit_processor_time


def keywords(schema: Any, instance: Any, **more: Any) -> list[tuple[Any, str]]:
    violations = find_violations(schema, instance, **more)
    return [(violation.path, violation.keyword) for violation in violations]


NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.5, 1.0, 2.5, "", "a", "ab", "ba"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3)
    ),
    max_leaves=8,
)
TYPES = st.sampled_from(
    ["null", "boolean", "number", "integer", "string", "array", "object"]
)


def _schemas(inner: Any) -> Any:
    few = st.lists(inner, min_size=1, max_size=3)
    members = st.dictionaries(NAMES, inner, max_size=3)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": TYPES | st.lists(TYPES, min_size=1, max_size=2, unique=True),
            "enum": st.lists(VALUES, min_size=1, max_size=3),
            "const": VALUES,
            "minimum": st.integers(-2, 2),
            "exclusiveMaximum": st.integers(-2, 2),
            "multipleOf": st.sampled_from([1, 2, 0.5]),
            "minLength": st.integers(0, 2),
            "maxItems": st.integers(0, 2),
            "minProperties": st.integers(0, 2),
            "pattern": st.sampled_from(["^a", "b$", "a|b"]),
            "uniqueItems": st.booleans(),
            "required": st.lists(NAMES, max_size=2, unique=True),
            "properties": members,
            "patternProperties": st.dictionaries(
                st.sampled_from(["^a", "[bc]"]), inner, max_size=2
            ),
            "additionalProperties": inner,
            "propertyNames": inner,
            "dependencies": st.dictionaries(
                NAMES, inner | st.lists(NAMES, max_size=2), max_size=2
            ),
            "items": inner | few,
            "additionalItems": inner,
            "contains": inner,
            "allOf": few,
            "anyOf": few,
            "oneOf": few,
            "not": inner,
            "if": inner,
            "then": inner,
            "else": inner,
        },
    )


SCHEMAS = st.recursive(st.booleans() | _schemas(st.booleans()), _schemas, max_leaves=6)


@given(SCHEMAS, VALUES)
@settings(max_examples=300, deadline=None)
def test_results_equal_those_of_the_reference_library(schema: Any, value: Any) -> None:
    """Every rule and every place, as the `jsonschema` package finds them."""
    try:
        reference_errors = list(
            Draft7Validator(schema, registry=Registry()).iter_errors(value)
        )
    except TypeError:
        # The package knows no `additionalItems` beside a truth value as `items`.
        reject()
    expected = [
        (tuple(e.absolute_path), str(e.validator or "")) for e in reference_errors
    ]
    violations = keywords(schema, value)
    assert in_order(violations) == in_order(expected)
    assert is_valid(schema, value) is (not expected)


def in_order(violations: list[tuple[Any, str]]) -> list[tuple[str, str]]:
    """The package gives the place above where a schema is `false`: left out."""
    return sorted((str(path) if name else "", name) for path, name in violations)


def test_a_reference_leads_into_the_document() -> None:
    """By a pointer or by a name; whatever stands beside it is passed over."""
    schema = {
        "definitions": {
            "a/b": {"type": "string"},
            "named": {"$id": "#word", "maxLength": 2},
            "tree": {
                "properties": {"below": {"items": {"$ref": "#/definitions/tree"}}}
            },
        },
        "properties": {
            "x": {"$ref": "#/definitions/a~1b", "maxLength": 0},
            "y": {"$ref": "#word"},
            "z": {"$ref": "#/definitions/tree"},
        },
    }
    assert keywords(schema, {"x": "long", "y": "ab", "z": {"below": [{}]}}) == []
    assert keywords(schema, {"x": 1, "y": "abc"}) == [
        (("x",), "type"),
        (("y",), "maxLength"),
    ]
    part = schema["properties"]["x"]  # type: ignore[index]
    assert keywords(part, 1, root=schema) == [((), "type")]


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("http://127.0.0.1:9/x", "http://127.0.0.1:9/x.* leads to another document"),
        ("file:///etc/passwd", "leads to another document"),
        ("other.json#/a", "leads to another document"),
        ("//host/x", "leads to another document"),
        ("http://json-schema.org/draft-07/schema#", "leads to another document"),
        ("#/definitions/none", "leads nowhere"),
        ("#none", "leads nowhere"),
        (5, "must be a text"),
    ],
)
@pytest.mark.parametrize("keyword", ["if", "items", "not", "additionalProperties"])
def test_a_reference_to_another_document_is_an_error(
    reference: object, words: str, keyword: str
) -> None:
    """The error names it; nothing is fetched, whatever `$id` says."""
    schema = {"$id": "http://127.0.0.1:9/", keyword: {"$ref": reference}}
    value = [1] if keyword == "items" else {"a": 1}
    with pytest.raises(NotASchema, match=words):
        find_violations(schema, value)


def doubled(keyword: str) -> dict[str, Any]:
    """Definitions that each ask twice for the next one."""
    definitions: dict[str, Any] = {
        f"d{n}": {keyword: [{"$ref": f"#/definitions/d{n + 1}"}] * 2} for n in range(40)
    }
    definitions["d40"] = {"type": "object"}
    return {"definitions": definitions, "$ref": "#/definitions/d0"}


def tripled_dependencies() -> dict[str, Any]:
    definitions: dict[str, Any] = {
        f"d{n}": {
            "dependencies": {
                name: {"$ref": f"#/definitions/d{n + 1}"} for name in ("a", "b", "c")
            }
        }
        for n in range(40)
    }
    definitions["d40"] = {"minProperties": 9}
    return {"definitions": definitions, "$ref": "#/definitions/d0"}


NUMBERS = [{"n": n, "rest": ["x"] * 5} for n in range(20_000)]
OBJECT = {"a": 1, "b": 2, "c": 3}
WIDE = {f"k{n}": "v" for n in range(5_000)}
BOMBS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "allOf": lambda: (doubled("allOf"), OBJECT),
    "anyOf": lambda: (doubled("anyOf"), "text"),
    "oneOf": lambda: (doubled("oneOf"), OBJECT),
    "dependencies": lambda: (tripled_dependencies(), OBJECT),
    "endless": lambda: ({"allOf": [{"$ref": "#"}]}, OBJECT),
    "endless conditions": lambda: ({"if": {"$ref": "#"}, "then": {"$ref": "#"}}, 1),
    "many unique lists": lambda: (
        {"allOf": [{"uniqueItems": True}] * 1000},
        [*NUMBERS[:10_000], NUMBERS[0]],
    ),
    "contains": lambda: (
        {"allOf": [{"contains": {"const": {"n": -1}}}] * 2000},
        NUMBERS[:5000],
    ),
    "names by patterns": lambda: (
        {"patternProperties": {f"(x+x+)+{n}y": False for n in range(1000)}},
        WIDE,
    ),
    "other names by patterns": lambda: (
        {
            "allOf": [
                {
                    "patternProperties": {f"^{n}$": {} for n in range(100)},
                    "additionalProperties": {},
                }
            ]
            * 50
        },
        WIDE,
    ),
    "patterns that look around": lambda: (
        {"allOf": [{"pattern": f"(?=a)(a|aa)+{n}$"} for n in range(500)]},
        "a" * 5000,
    ),
    "patterns to compile": lambda: (
        {"allOf": [{"pattern": rf"\S{{1,999}}(?={n})" * 10} for n in range(900)]},
        "a",
    ),
    "large values": lambda: ({"anyOf": [False] * 40_000}, ["x" * 1000] * 1000),
    "values of a list": lambda: (
        {"allOf": [{"enum": [{"n": n} for n in range(1000)]}] * 40},
        {"n": -1},
    ),
    "depth": lambda: (
        functools.reduce(lambda inner, _: {"not": inner}, range(5000), {}),
        1,
    ),
    "breadth": lambda: ({"allOf": [{"type": "string"}] * 100_000}, 1),
}


def error_of(schema: Any, value: Any) -> str:
    """What the check is refused with, if it is."""
    try:
        find_violations(schema, value)
    except Invalid as error:
        return error.message
    return ""


@pytest.mark.parametrize("name", BOMBS)
def test_schema_validation_is_limited_in_time(name: str) -> None:
    """A result or a refusal within about a second of processor time."""
    schema, value = BOMBS[name]()
    with limit_processor_time(5):
        message = error_of(schema, value)
    assert len(message) < 500


def test_unique_items_of_a_large_list_are_checked_fast() -> None:
    """Each is hashed once, not compared with every other."""
    with limit_processor_time(6):
        assert keywords({"uniqueItems": True}, NUMBERS) == []
        assert keywords({"uniqueItems": True}, [*NUMBERS, NUMBERS[0]]) == [
            ((), "uniqueItems")
        ]


def test_values_are_compared_by_json_equality() -> None:
    """1 and 1.0 are one number, true is none, and the order of names does not count."""
    assert keywords({"uniqueItems": True}, [1, True, "1", [1], {"a": 1}, None]) == []
    assert keywords({"uniqueItems": True}, [{"a": 1, "b": [2]}, {"b": [2.0], "a": 1}])
    assert is_valid({"const": 1}, 1.0)
    assert not is_valid({"const": 1}, True)
    assert not is_valid({"enum": [[False]]}, [0])


@pytest.mark.parametrize(
    "schema",
    [
        *({"type": "nosuch"}, {"type": 5}, {"properties": 5}, {"properties": {"a": 5}}),
        *({"required": "a"}, {"required": [[]]}, {"enum": 5}, {"allOf": {}}, []),
        *({"minimum": "5"}, {"maxLength": None}, {"multipleOf": 0}, {"items": "x"}),
        *({"pattern": "("}, {"pattern": 5}, {"patternProperties": {"[": {}}}, "x"),
        *({"dependencies": {"a": 5}}, {"additionalProperties": 5}, {"not": None}),
    ],
)
def test_a_broken_schema_is_an_error(schema: Any) -> None:
    """The author's mistake, in words, whichever value meets it."""
    values = [{"a": "1"}, [1], 1, "text"]
    errors = {error_of(schema, value) for value in values} - {""}
    assert errors
    assert all("it is no JSON Schema: " in message for message in errors)


@given(
    st.dictionaries(
        st.sampled_from(
            ["type", "items", "properties", "$ref", "pattern", "multipleOf"]
        )
        | st.sampled_from(
            ["enum", "required", "dependencies", "if", "allOf", "minimum"]
        ),
        VALUES,
    ),
    VALUES,
)
@settings(max_examples=300, deadline=None)
def test_any_object_is_a_schema_or_an_error(schema: Any, value: Any) -> None:
    """No other exception leaves the check."""
    with contextlib.suppress(NotASchema):
        assert all(isinstance(v, Violation) for v in find_violations(schema, value))


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date", "2024-02-29", "2023-02-29"),
        ("time", "23:59:59Z", "24:00:00Z"),
        ("date-time", "2024-01-01T00:00:00.5+02:00", "2024-01-01 noon"),
        ("email", "ann@example.com", "ann"),
        ("hostname", "a.example", "a..b"),
        ("ipv4", "10.0.0.1", "10.0.0.256"),
        ("ipv6", "::1", "::g"),
        ("uri", "https://a.example/x?y", "no uri"),
        ("uuid", "8b1f7a52-1b7c-4d7e-9a33-0c7f5f2b7a11", "8b1f7a52"),
        ("regex", "^(a+)+$", "("),
    ],
)
def test_formats_are_checked_on_request(name: str, good: str, bad: str) -> None:
    """Known ones only; a text of any length costs little."""
    schema = {"format": name}
    assert keywords(schema, bad) == []
    assert keywords(schema, good, checks_formats=True) == []
    assert keywords(schema, bad, checks_formats=True) == [((), "format")]
    assert keywords({"format": "nosuch"}, bad, checks_formats=True) == []
    with limit_processor_time(2):
        for text in (good * 100_000, bad * 100_000):
            keywords(schema, text, checks_formats=True)
