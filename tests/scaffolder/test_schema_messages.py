"""Broken rules of a schema, in the words of npm's `jsonschema`, which clients read."""

from typing import Any

import pytest

from services.scaffolder.templates.schema_checks import check_input, problems
from shared.contracts.errors import Invalid

#: A schema, a value that breaks it, and the message.
RULES = [
    ({"type": "string"}, 5, "is not of a type(s) string"),
    ({"type": ["string", "null"]}, 5, "is not of a type(s) string,null"),
    ({"enum": ["a", 1, None]}, "b", "is not one of enum values: a,1,None"),
    ({"const": "a"}, "b", 'does not exactly match expected constant: "a"'),
    ({"const": {"a": 1}}, 5, 'does not exactly match expected constant: {"a": 1}'),
    ({"pattern": "^a"}, "b", 'does not match pattern "^a"'),
    ({"minLength": 2}, "a", "does not meet minimum length of 2"),
    ({"maxLength": 2}, "abc", "does not meet maximum length of 2"),
    ({"minimum": 2}, 1, "must be greater than or equal to 2"),
    ({"maximum": 2}, 3, "must be less than or equal to 2"),
    ({"exclusiveMinimum": 2}, 2, "must be strictly greater than 2"),
    ({"exclusiveMaximum": 2}, 2, "must be strictly less than 2"),
    ({"multipleOf": 2}, 3, "is not a multiple of (divisible by) 2"),
    ({"minItems": 1}, [], "does not meet minimum length of 1"),
    ({"maxItems": 1}, [1, 2], "does not meet maximum length of 1"),
    ({"uniqueItems": True}, [1, 1], "contains duplicate item"),
    ({"contains": {"const": 1}}, [2], "must contain an item matching given schema"),
    ({"minProperties": 1}, {}, "does not meet minimum property length of 1"),
    ({"maxProperties": 0}, {"a": 1}, "does not meet maximum property length of 0"),
    ({"required": ["a"]}, {}, 'requires property "a"'),
    (
        {"additionalProperties": False},
        {"a": 1},
        'is not allowed to have the additional property "a"',
    ),
    (
        {"dependencies": {"a": ["b"]}},
        {"a": 1},
        "property b not found, required by a",
    ),
    (
        {"anyOf": [{"title": "T", "type": "null"}, {"type": "string"}]},
        5,
        'is not any of "T",[subschema 1]',
    ),
    (
        {"oneOf": [{"type": "integer"}, {"minimum": 1}]},
        5,
        "is not exactly one from [subschema 0],[subschema 1]",
    ),
    ({"not": {"type": "integer"}}, 5, "is of prohibited type"),
    ({"items": [{}], "additionalItems": False}, [1, 2], "contains additional items"),
    ({"propertyNames": {"pattern": "^a"}}, {"b": 1}, 'does not match pattern "^a"'),
]


@pytest.mark.parametrize(("schema", "value", "message"), RULES)
def test_every_rule_has_its_message(schema: Any, value: Any, message: str) -> None:
    """With the place before it in `stack`."""
    [problem] = problems(schema, value)
    assert problem["message"] == message
    assert problem["stack"].endswith(message)
    assert problem["stack"].startswith("instance")


@pytest.mark.parametrize(
    ("value", "path", "place"),
    [
        ({"a": 5}, ["a"], "instance.a"),
        ({"b": [1, "x"]}, ["b", 1], "instance.b[1]"),
        ({"c": {"d": 5}}, ["c", "d"], "instance.c.d"),
    ],
)
def test_messages_name_the_path_of_a_value(
    value: Any, path: list[Any], place: str
) -> None:
    """As a path, and as JavaScript writes it."""
    schema = {
        "properties": {
            "a": {"type": "string"},
            "b": {"items": {"type": "integer"}},
            "c": {"properties": {"d": {"type": "string"}}},
        }
    }
    [problem] = problems(schema, value)
    assert (problem["path"], problem["property"]) == (path, place)


def test_messages_repeat_small_values_only() -> None:
    """A response to a mistake is smaller than the mistake."""
    [small] = problems({"type": "string"}, [1, 2])
    [large] = problems({"type": "string"}, list(range(2_000)))
    assert small["instance"] == [1, 2]
    assert large["instance"] is None
    [listed] = problems({"enum": ["x" * 900, "y" * 900]}, 5)
    assert len(listed["message"]) < 1_100
    assert listed["message"].endswith("…")


def test_at_most_a_hundred_problems_are_reported() -> None:
    """A list of a thousand wrong values gets the first hundred problems."""
    assert len(problems({"items": {"type": "string"}}, [1] * 1_000)) == 100


def test_arguments_of_messages_are_normalized() -> None:
    """Types always as a list, a missing property by its name."""
    schema = {"required": ["a"], "additionalProperties": False, "properties": {"a": {}}}
    arguments = {
        problem["name"]: problem["argument"] for problem in problems(schema, {"x": 1})
    }
    assert arguments == {"required": "a", "additionalProperties": "x"}
    assert problems({"type": "string"}, 5)[0]["argument"] == ["string"]
    assert problems({"minLength": 3}, "a")[0]["argument"] == 3


def test_a_valid_action_input_has_no_error() -> None:
    """An invalid one names the action."""
    schema = {"type": "object", "required": ["url"]}
    check_input("fetch:plain", schema, {"url": "x"})
    with pytest.raises(Invalid, match="input passed to action fetch:plain, instance"):
        check_input("fetch:plain", schema, {})
