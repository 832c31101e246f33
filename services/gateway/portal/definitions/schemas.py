"""JSON Schema as rows of a table: names, types and limits, nested ones indented.

For reading, not for validating: what it does not understand it leaves out.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from services.gateway.portal.definitions.documents import follow
from services.gateway.portal.definitions.model import Row, mapping, sequence, words

DEEPEST = 6
MOST_ROWS = 300
MOST_CHOICES = 12

LIMITS = (
    ("minimum", "≥ {}"),
    ("exclusiveMinimum", "> {}"),
    ("maximum", "≤ {}"),
    ("exclusiveMaximum", "< {}"),
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
    ("minItems", "at least {} items"),
    ("maxItems", "at most {} items"),
    ("multipleOf", "a multiple of {}"),
    ("pattern", "matches {}"),
    ("default", "default {}"),
)


class Schemas:
    """Rows of the schemas of one document."""

    def __init__(self, document: Mapping[str, Any], known: Mapping[str, str]) -> None:
        """`known` are the ids of the entries that explain a named schema."""
        self._document = document
        self._known = known

    def rows(self, schema: object) -> list[Row]:
        """The fields of a schema; of one that is no object, the one row that it is."""
        found, name = follow(self._document, schema)
        rows: list[Row] = []
        for row in self._fields(found, 0, (name,) if name else ()):
            rows.append(row)
            if len(rows) == MOST_ROWS:
                rows.append(
                    Row("…", about="More than is shown here; see the raw text.")
                )
                break
        if rows or not found:
            return rows
        return [Row("", self.type_of(schema), self.about(found))]

    def type_of(self, schema: object, depth: int = 0) -> str:
        """A type in a few words: `array of Seat`, `string (date-time)`."""
        found, name = follow(self._document, schema)
        if depth > DEEPEST:
            return name or "…"
        kind = found.get("type")
        kinds = [words(each) for each in sequence(kind)] or [words(kind)]
        text = " or ".join(each for each in kinds if each)
        if "array" in kinds:
            inner = self.type_of(found.get("items"), depth + 1)
            return f"array of {inner}" if inner else "array"
        if name:
            return name
        if not text:
            text = self._combined(found, depth)
        form = words(found.get("format"))
        return f"{text} ({form})" if form and text else text or form

    def _combined(self, found: Mapping[str, Any], depth: int) -> str:
        for key, joint in (("oneOf", " or "), ("anyOf", " or "), ("allOf", " and ")):
            inner = [self.type_of(each, depth + 1) for each in sequence(found.get(key))]
            names = [each for each in dict.fromkeys(inner) if each]
            if names:
                return joint.join(names)
        return "object" if "properties" in found else ""

    def link_of(self, schema: object) -> str:
        """The entry that explains the schema, or the things it is a list of."""
        found, name = follow(self._document, schema)
        if not name and "items" in found:
            name = follow(self._document, found["items"])[1]
        return self._known.get(name, "")

    def about(self, found: Mapping[str, Any]) -> str:
        """The description, the choices and the limits, as sentences."""
        told = [words(found.get("description"))]
        choices = sequence(found.get("enum")) or sequence([found.get("const")])
        shown = [words(each) for each in choices if words(each)]
        if shown:
            more = ", …" if len(shown) > MOST_CHOICES else ""
            told.append(f"One of {', '.join(shown[:MOST_CHOICES])}{more}")
        limits = [
            form.format(words(found[key]))
            for key, form in LIMITS
            if words(found.get(key))
        ]
        if limits:
            text = ", ".join(limits)
            told.append(text if told[0] else text[:1].upper() + text[1:])
        return " · ".join(each for each in told if each)

    def _fields(
        self, schema: Mapping[str, Any], depth: int, seen: tuple[str, ...]
    ) -> Iterator[Row]:
        if depth > DEEPEST:
            return
        for part in sequence(schema.get("allOf")):
            found, name = follow(self._document, part)
            if not name or name not in seen:
                yield from self._fields(found, depth, (*seen, name))
        required = {words(each) for each in sequence(schema.get("required"))}
        for name, field in mapping(schema.get("properties")).items():
            yield from self._field(str(name), field, str(name) in required, depth, seen)
        rest = schema.get("additionalProperties")
        if isinstance(rest, Mapping) and rest:
            yield from self._field("any other name", rest, False, depth, seen)
        if schema.get("items") and depth == 0:
            found, name = follow(self._document, schema["items"])
            yield from self._fields(found, depth, (*seen, name))
        for key in ("oneOf", "anyOf"):
            for number, part in enumerate(sequence(schema.get(key)), 1):
                yield from self._variant(number, part, depth, seen)

    def _variant(
        self, number: int, part: object, depth: int, seen: tuple[str, ...]
    ) -> Iterator[Row]:
        found, name = follow(self._document, part)
        title = words(found.get("title")) or name or f"choice {number}"
        inner = list(self._fields(found, depth + 1, (*seen, name)))
        if inner and name not in seen:
            yield Row(f"or {title}" if number > 1 else f"either {title}", depth=depth)
            yield from inner

    def _field(
        self,
        name: str,
        field: object,
        required: bool,
        depth: int,
        seen: tuple[str, ...],
    ) -> Iterator[Row]:
        found, ref = follow(self._document, field)
        yield Row(
            name=name,
            type=self.type_of(field),
            about=self.about(found),
            required=required,
            deprecated=found.get("deprecated") is True,
            depth=depth,
            link=self.link_of(field),
        )
        inner, inner_ref = found, ref
        if "items" in found:
            inner, inner_ref = follow(self._document, found["items"])
        # A named schema has an entry of its own: a link is enough.
        if inner_ref in seen or self._known.get(inner_ref):
            return
        yield from self._fields(
            inner, depth + 1, (*seen, inner_ref) if inner_ref else seen
        )


def example(value: object) -> str:
    """An example as text; objects as indented JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
