"""Messages in a language of their own: Avro's records as rows, all else as it is.

AsyncAPI names the language in `schemaFormat`: beside the payload in version 2, around
the schema in version 3.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from services.portal.definitions.model import (
    DefinitionPart,
    DefinitionRow,
    clip,
    join_texts,
    words,
)
from services.portal.definitions.schema_words import example, scalar
from shared.contracts.entity import list_of, mapping_of

#: What its schemas are JSON Schema, or a superset of it.
JSON_SCHEMA = ("vnd.aai.asyncapi", "application/schema", "vnd.oai.openapi")
AVRO = "vnd.apache.avro"
MOST_FIELDS, DEEPEST, LONGEST_TYPE = 300, 6, 300
MORE_FIELDS = DefinitionRow("…", about="More than is shown here; see the raw text.")


def format_of(schema: Mapping[str, Any]) -> tuple[str, object]:
    """The schema inside one that names its language; "" stands for JSON Schema."""
    language = words(schema.get("schemaFormat"))
    return language if is_other_language(language) else "", schema.get("schema")


def is_other_language(language: str) -> bool:
    """Whether a `schemaFormat` is none that rows of JSON Schema can be made of."""
    return bool(language) and not any(name in language.lower() for name in JSON_SCHEMA)


def formatted_part(
    title: str, language: str, schema: object, about: str = ""
) -> DefinitionPart:
    """A schema of another language than JSON Schema."""
    language = clip(language, 100)
    if AVRO in language.lower() and mapping_of(schema).get("type") == "record":
        record = mapping_of(schema)
        rows = list(_AvroRows().of(record, 0))
        name = join_texts(
            words(record.get("namespace")), words(record.get("name")), mark="."
        )
        texts = (about, language, name, words(record.get("doc")))
        return DefinitionPart(title, rows, join_texts(*texts))
    note = f"{language}: this schema format is shown as it is written"
    return DefinitionPart(title, about=join_texts(about, note), raw=example(schema))


class _AvroRows:
    """Rows of a record; their number ends the walk, however a record is nested."""

    def __init__(self) -> None:
        self._left = MOST_FIELDS

    def of(self, record: Mapping[str, Any], depth: int) -> Iterator[DefinitionRow]:
        """The fields of a record and of the records inside it."""
        fields = list_of(record.get("fields"))
        if depth > DEEPEST and fields:
            yield MORE_FIELDS
            return
        for field in map(mapping_of, fields):
            self._left -= 1
            if self._left < 0:
                if self._left == -1:
                    yield MORE_FIELDS
                return
            kind = field.get("type")
            yield DefinitionRow(
                clip(words(field.get("name")), 200),
                clip(_avro_type(kind, 0), LONGEST_TYPE),
                join_texts(*_avro_texts(field)),
                required="default" not in field,
                depth=depth,
            )
            for inner in _records_in(kind, 0):
                yield from self.of(inner, depth + 1)


def _avro_texts(field: Mapping[str, Any]) -> Iterator[str]:
    yield clip(words(field.get("doc")), 1_000)
    symbols = [
        scalar(symbol)
        for kind in [field.get("type"), *list_of(field.get("type"))]
        for symbol in list_of(mapping_of(kind).get("symbols"))
    ]
    if symbols:
        yield clip(f"One of {', '.join(symbols[:100])}", 1_000)
    if "default" in field:
        yield f"default {scalar(field['default'])}"


def _avro_type(kind: object, depth: int) -> str:
    """A type in a few words: `string or null`, `array of Seat`."""
    if depth > DEEPEST:
        return "…"
    if isinstance(kind, list):
        names = [_avro_type(part, depth + 1) for part in kind[:12]]
        return " or ".join(filter(None, names))
    node = mapping_of(kind)
    if not node:
        # YAML's null is Avro's type of that name.
        return "null" if kind is None else words(kind)
    name = words(node.get("type"))
    if name in ("array", "map"):
        inner = node.get("items" if name == "array" else "values")
        return f"{name} of {_avro_type(inner, depth + 1)}"
    if name in ("record", "enum", "fixed"):
        return words(node.get("name")) or name
    form = words(node.get("logicalType"))
    inner_type = _avro_type(node.get("type"), depth + 1)
    return f"{inner_type} ({form})" if form else inner_type


def _records_in(kind: object, depth: int) -> Iterator[Mapping[str, Any]]:
    """The records that a type is, or has inside a union, an array or a map."""
    if depth > DEEPEST:
        return
    if isinstance(kind, list):
        for part in kind[:12]:
            yield from _records_in(part, depth + 1)
    node = mapping_of(kind)
    if node.get("type") == "record":
        yield node
    elif node:
        for key in ("items", "values", "type"):
            yield from _records_in(node.get(key), depth + 1)
