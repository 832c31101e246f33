"""JSON Schema in words: the choices, the limits and the examples of one schema."""

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from services.portal.definitions.model import clip, join_texts, words
from shared.contracts.entity import list_of, mapping_of

MOST_CHOICES = 12
MOST_EXAMPLES = 10
LONGEST_EXAMPLE = 10_000

LIMITS = (
    ("minimum", "≥ {}"),
    ("exclusiveMinimum", "> {}"),
    ("maximum", "≤ {}"),
    ("exclusiveMaximum", "< {}"),
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
    ("minItems", "at least {} items"),
    ("maxItems", "at most {} items"),
    ("minProperties", "at least {} fields"),
    ("maxProperties", "at most {} fields"),
    ("multipleOf", "a multiple of {}"),
    ("pattern", "matches {}"),
    ("contentMediaType", "holds {}"),
    ("contentEncoding", "encoded as {}"),
    ("collectionFormat", "written as {}"),
)
EXCLUSIVE = {"minimum": "> {}", "maximum": "< {}"}
FLAGS = (
    ("uniqueItems", True, "no item twice"),
    ("readOnly", True, "read only"),
    ("writeOnly", True, "write only"),
    ("additionalProperties", False, "no other fields"),
    ("unevaluatedProperties", False, "no other fields"),
)
#: What says which schema a text is, and what it has for references to lead to.
IDENTITY_FIELDS = frozenset(
    {
        *("$ref", "$schema", "$id", "id", "$anchor", "$dynamicAnchor", "$comment"),
        *("$vocabulary", "$defs", "definitions"),
    }
)
SCHEMA_FIELDS = (
    IDENTITY_FIELDS
    | {key for key, _ in LIMITS}
    | {key for key, *_ in FLAGS[:-1]}
    | {
        *("title", "description", "type", "format", "nullable", "deprecated"),
        *("properties", "required", "patternProperties", "items", "prefixItems"),
        *("allOf", "oneOf", "anyOf", "discriminator", "enum", "const", "default"),
        *("example", "examples"),
    }
)


def rules_of(schema: Mapping[str, Any]) -> Iterator[str]:
    """The choices and the limits of one schema, as sentences."""
    if "const" in schema:
        yield f"Always {scalar(schema['const'])}"
    choices = list_of(schema.get("enum"))
    if choices:
        texts = [scalar(value) for value in choices[:MOST_CHOICES]]
        more = ", …" if len(choices) > MOST_CHOICES else ""
        yield f"One of {', '.join(texts)}{more}"
    limits = ", ".join(_limits(schema))
    if limits:
        yield limits
    yield from _discriminator(schema.get("discriminator"))


def example_sentence(schema: Mapping[str, Any]) -> str:
    """The examples of a field, in its row."""
    values = [schema["example"]] if "example" in schema else []
    examples = schema.get("examples")
    if isinstance(examples, Mapping):
        values += [
            mapping_of(value).get("value", "")
            for value in islice(examples.values(), MOST_EXAMPLES)
        ]
    else:
        values += list_of(examples)[:MOST_EXAMPLES]
    texts = list(dict.fromkeys(scalar(value) for value in values))
    return f"Example: {', '.join(texts)}" if texts else ""


def _limits(schema: Mapping[str, Any]) -> Iterator[str]:
    """The limits in words; in OpenAPI 3.0 `exclusiveMinimum` is true or false."""
    for key, form in LIMITS:
        value = schema.get(key)
        if key.startswith("exclusive") and isinstance(value, bool):
            continue
        if words(value):
            exclusive = schema.get(f"exclusive{key.capitalize()}") is True
            chosen = EXCLUSIVE.get(key, form) if exclusive else form
            yield chosen.format(clip(words(value), 300))
    for key, value, text in FLAGS:
        if schema.get(key) is value:
            yield text
    if schema.get("default") is not None:
        yield f"default {scalar(schema['default'], 300)}"


def _discriminator(value: object) -> Iterator[str]:
    """The field that says which of several schemas a value has."""
    name = words(value) or words(mapping_of(value).get("propertyName"))
    if name:
        keys = list(islice(mapping_of(mapping_of(value).get("mapping")), MOST_CHOICES))
        choices = f": {', '.join(clip(str(key), 200) for key in keys)}" if keys else ""
        yield f"The field {clip(name, 200)} says which{choices}"


def scalar(value: object, most: int = 200) -> str:
    """A choice as it is written: null, true, a text."""
    if value is None:
        return "null"
    if isinstance(value, str | int | float):
        return clip(words(value), most) or '""'
    return example(value, most, indent=None)


def example(value: object, most: int = LONGEST_EXAMPLE, indent: int | None = 2) -> str:
    """An example as text; objects as indented JSON, of long ones the beginning."""
    if value is None:
        return ""
    if isinstance(value, str):
        return clip(value, most)
    parts: list[str] = []
    length = 0
    encoder = json.JSONEncoder(indent=indent, ensure_ascii=False, default=str)
    for piece in encoder.iterencode(value):
        parts.append(piece[: most + 1])
        length += len(piece)
        if length > most:
            break
    return clip("".join(parts), most)


def named_examples(values: list[tuple[str, str, object]]) -> str:
    """Examples with their names and summaries; one alone may have no name."""
    if len(values) == 1 and not values[0][0]:
        return example(values[0][2])
    texts = [
        f"# {join_texts(name, summary, mark=': ')}\n{example(value)}"
        for name, summary, value in values[:MOST_EXAMPLES]
    ]
    if len(values) > MOST_EXAMPLES:
        texts.append("…")
    return clip("\n\n".join(texts), LONGEST_EXAMPLE)
