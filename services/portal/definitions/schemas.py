"""JSON Schema as rows of a table: names, types and limits, nested ones indented.

For reading, not for validating: what it does not understand it leaves out. Every walk
has a budget: a schema of a few lines may stand for more fields than there are atoms.
"""

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from services.portal.definitions.documents import DefinitionDocument
from services.portal.definitions.model import (
    DefinitionEntry,
    DefinitionPart,
    DefinitionRow,
    Group,
    anchor,
    clip,
    objects,
    words,
)
from shared.contracts.entity import list_of, mapping_of
from shared.guards.budgets import Budget, BudgetExceeded

DEEPEST = 6
MOST_ROWS = 300
MOST_CHOICES = 12
#: Steps that the rows of one schema may take; a large real one takes some hundred.
STEPS, LEAST_STEPS = 4_000, 2
#: Schemas on the way to one field: parts of parts stand at the same depth.
LONGEST_WAY = 40
LONGEST_EXAMPLE = 10_000
MORE = DefinitionRow("…", about="More than is shown here; see the raw text.")

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
EXCLUSIVE = {"minimum": "> {}", "maximum": "< {}"}


class Schemas:
    """Rows of the schemas of one document, as long as its budget lasts."""

    def __init__(self, document: DefinitionDocument) -> None:
        self._document = document
        components = mapping_of(document.get("components"))
        #: The schemas that have an entry of their own.
        self.named = dict(
            objects(components.get("schemas") or document.get("definitions"))
        )
        self._entry_ids = {name: anchor("schema", name) for name in self.named}
        self._budget = document.budget()
        self._walk = Budget("schema")
        self._rows_by_pointer: dict[str, list[DefinitionRow]] = {}

    def group(self, most: int) -> Group:
        """The entries of the first named schemas."""
        entries = [
            DefinitionEntry(
                id=self._entry_ids[name],
                name=name,
                summary=words(schema.get("title")),
                about=words(schema.get("description")),
                deprecated=schema.get("deprecated") is True,
                parts=[DefinitionPart("", self.rows(schema))],
            )
            for name, schema in islice(self.named.items(), most)
        ]
        return Group("schemas", "Schemas", "", entries)

    def rows(self, schema: object) -> list[DefinitionRow]:
        """The fields of a schema; of one that is no object, the one row that it is."""
        pointer = mapping_of(schema).get("$ref")
        if not isinstance(pointer, str) or len(mapping_of(schema)) > 1:
            return self._rows(schema)
        if pointer not in self._rows_by_pointer:
            self._rows_by_pointer[pointer] = self._rows(schema)
            return self._rows_by_pointer[pointer]
        # Operations name the same few schemas: what a page shows again costs little.
        rows = self._rows_by_pointer[pointer]
        try:
            self._budget.pay_nodes(len(rows))
        except BudgetExceeded:
            return [MORE]
        return rows

    def _rows(self, schema: object) -> list[DefinitionRow]:
        target, name = self._document.follow(schema)
        rows: list[DefinitionRow] = []
        self._walk = Budget("schema", nodes=self._steps_for_schema())
        try:
            fields = self._fields(target, 0, (name,) if name else ())
            rows += islice(fields, MOST_ROWS)
            if next(fields, None) is not None:
                rows.append(MORE)
        except BudgetExceeded:
            return [*rows, MORE]
        if rows or not target:
            return rows
        return [DefinitionRow("", self.type_of(schema), self.about(target))]

    def _steps_for_schema(self) -> int:
        """Steps for one schema: never so many that little is left for the others."""
        left = self._budget.nodes or 0
        return min(STEPS, left // 10 + LEAST_STEPS)

    def pay(self) -> None:
        """Take a step that is none of a schema's; raise BudgetExceeded at the end."""
        self._budget.pay_nodes()

    def _step(self) -> None:
        self._walk.pay_nodes()
        self._budget.pay_nodes()

    def type_of(self, schema: object) -> str:
        """A type in a few words: `array of Seat`, `string (date-time) or null`."""
        try:
            return clip(self._type_of(schema, 0), 300)
        except BudgetExceeded:
            return "…"

    def _type_of(self, schema: object, depth: int) -> str:
        self._step()
        if isinstance(schema, bool):
            return "anything" if schema else "nothing"
        target, name = self._document.follow(schema)
        if depth > DEEPEST:
            return name or "…"
        kinds = [words(kind) for kind in list_of(target.get("type"))]
        kinds = [kind for kind in kinds or [words(target.get("type"))] if kind]
        if "array" in kinds:
            inner = self._type_of(target.get("items"), depth + 1)
            kinds[kinds.index("array")] = f"array of {inner}" if inner else "array"
        elif name:
            return name
        text = " or ".join(kinds) or self._combined_type(target, depth)
        form = words(target.get("format"))
        text = f"{text} ({form})" if form and text else text or form
        nullable = target.get("nullable") is True and "null" not in kinds
        return f"{text} or null" if nullable and text else text

    def _combined_type(self, schema: Mapping[str, Any], depth: int) -> str:
        for key, joint in (("oneOf", " or "), ("anyOf", " or "), ("allOf", " and ")):
            parts = list_of(schema.get(key))
            inner = [self._type_of(part, depth + 1) for part in parts[:MOST_CHOICES]]
            names = [name for name in dict.fromkeys(inner) if name]
            if len(parts) > MOST_CHOICES:
                names.append("…")
            if names:
                return joint.join(names)
        return "object" if "properties" in schema else ""

    def link_of(self, schema: object) -> str:
        """The entry that explains the schema, or the things it is a list of."""
        target, name = self._document.follow(schema)
        if not name and "items" in target:
            name = self._document.follow(target["items"])[1]
        return self._entry_ids.get(name, "")

    def about(self, schema: Mapping[str, Any]) -> str:
        """The description, the choices and the limits, as sentences."""
        sentences = [clip(words(schema.get("description")), 1_000)]
        if "const" in schema:
            sentences.append(f"Always {_scalar(schema['const'])}")
        choices = [
            _scalar(value) for value in list_of(schema.get("enum"))[:MOST_CHOICES]
        ]
        if choices:
            more = ", …" if len(list_of(schema.get("enum"))) > MOST_CHOICES else ""
            sentences.append(f"One of {', '.join(choices)}{more}")
        limits = list(_limits(schema))
        if limits:
            text = ", ".join(limits)
            sentences.append(text if sentences[0] else text[:1].upper() + text[1:])
        return " · ".join(sentence for sentence in sentences if sentence)

    def _fields(
        self, schema: Mapping[str, Any], depth: int, ancestors: tuple[str, ...]
    ) -> Iterator[DefinitionRow]:
        self._step()
        if depth > DEEPEST or len(ancestors) > LONGEST_WAY:
            return
        for part in list_of(schema.get("allOf")):
            target, name = self._document.follow(part)
            if not name or name not in ancestors:
                yield from self._fields(target, depth, (*ancestors, name))
        required = {words(item) for item in list_of(schema.get("required"))}
        for name, field in mapping_of(schema.get("properties")).items():
            yield from self._field(
                str(name), field, str(name) in required, depth, ancestors
            )
        rest = schema.get("additionalProperties")
        if isinstance(rest, Mapping) and rest:
            yield from self._field("any other name", rest, False, depth, ancestors)
        if schema.get("items") and depth == 0:
            target, name = self._document.follow(schema["items"])
            yield from self._fields(target, depth, (*ancestors, name))
        for key in ("oneOf", "anyOf"):
            for number, part in enumerate(list_of(schema.get(key)), 1):
                yield from self._variant(number, part, depth, ancestors)

    def _variant(
        self, number: int, part: object, depth: int, ancestors: tuple[str, ...]
    ) -> Iterator[DefinitionRow]:
        self._step()
        target, name = self._document.follow(part)
        title = clip(words(target.get("title")), 200) or name or f"choice {number}"
        inner = list(self._fields(target, depth + 1, (*ancestors, name)))
        if inner and name not in ancestors:
            yield DefinitionRow(
                f"or {title}" if number > 1 else f"either {title}", depth=depth
            )
            yield from inner

    def _field(
        self,
        name: str,
        field: object,
        required: bool,
        depth: int,
        ancestors: tuple[str, ...],
    ) -> Iterator[DefinitionRow]:
        self._step()
        target, ref = self._document.follow(field)
        yield DefinitionRow(
            name=clip(name, 200),
            type=self.type_of(field),
            about=self.about(target),
            required=required,
            deprecated=target.get("deprecated") is True,
            depth=depth,
            link=self.link_of(field),
        )
        inner, inner_ref = target, ref
        if "items" in target:
            inner, inner_ref = self._document.follow(target["items"])
        # A named schema has an entry of its own: a link is enough.
        if inner_ref in ancestors or self._entry_ids.get(inner_ref):
            return
        yield from self._fields(
            inner, depth + 1, (*ancestors, inner_ref) if inner_ref else ancestors
        )


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


def _scalar(value: object) -> str:
    """A choice as it is written: null, true, a text."""
    if value is None:
        return "null"
    if isinstance(value, str | int | float):
        return clip(words(value), 200) or '""'
    return example(value, 200)


def example(value: object, most: int = LONGEST_EXAMPLE) -> str:
    """An example as text; objects as indented JSON, of long ones the beginning."""
    if value is None:
        return ""
    if isinstance(value, str):
        return clip(value, most)
    parts: list[str] = []
    length = 0
    encoder = json.JSONEncoder(indent=2, ensure_ascii=False, default=str)
    for piece in encoder.iterencode(value):
        parts.append(piece[: most + 1])
        length += len(piece)
        if length > most:
            break
    return clip("".join(parts), most)
