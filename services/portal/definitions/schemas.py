"""JSON Schema as rows of a table: names, types and limits, nested ones indented.

For reading, not for validating: what it does not understand it leaves out. Every walk
has a budget: a schema of a few lines may stand for more fields than there are atoms.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from services.portal.definitions.documents import DefinitionDocument, FollowedSchema
from services.portal.definitions.model import (
    DefinitionEntry,
    DefinitionPart,
    DefinitionRow,
    Group,
    anchor,
    clip,
    join_texts,
    objects,
    words,
)
from services.portal.definitions.payload_formats import format_of, formatted_part
from services.portal.definitions.schema_words import (
    MOST_CHOICES,
    SCHEMA_FIELDS,
    example,
    example_sentence,
    rules_of,
)
from shared.contracts.entity import list_of, mapping_of
from shared.guards.budgets import Budget, BudgetExceeded

DEEPEST = 6
MOST_ROWS = 300
#: Steps that the rows of one schema may take; a large real one takes some hundred.
STEPS, LEAST_STEPS = 4_000, 2
#: Steps that a parameter or header takes beside those of its schema.
STEPS_OF_ROW = 8
#: Schemas on the way to one field: parts of parts stand at the same depth.
LONGEST_WAY = 40
MORE = DefinitionRow("…", about="More than is shown here; see the raw text.")
#: What a schema has fields by, other than those of its items.
OBJECT_KEYS = ("properties", "patternProperties", "additionalProperties")
FIELD_KEYS = ("properties", "patternProperties", "allOf", "oneOf", "anyOf")


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
        first = islice(self.named.items(), most)
        own_fields = self._document.own_fields
        entries = [
            DefinitionEntry(
                id=self._entry_ids[name],
                name=name,
                summary=words(own.get("title")),
                about=words(own.get("description")),
                deprecated=own.get("deprecated") is True,
                parts=[self.part("", schema, is_entry=True)],
            )
            for name, schema in first
            for own in (own_fields(schema),)
        ]
        return Group("schemas", "Schemas", "", entries)

    def part(
        self, title: str, schema: object, about: str = "", *, is_entry: bool = False
    ) -> DefinitionPart:
        """The fields of a schema, with what is to say of the whole.

        The entry of a named schema (`is_entry`) has its description already.
        """
        target, name, beside = self._document.follow_schema(schema)
        if "schemaFormat" in target and "schema" in target:
            language, schema = format_of(target)
            if language:
                return formatted_part(title, language, schema, about)
            target, name, beside = self._document.follow_schema(schema)
        rows = self.rows(schema)
        is_row = bool(rows) and not rows[0].name
        self._start_walk()
        kind = self.type_of(schema)
        texts = [about, "" if kind == "object" or (is_entry and is_row) else kind]
        if is_row:
            return DefinitionPart(title, rows, join_texts(*texts))
        # The entry of a named schema says what it is: the rest stands beside its name.
        own = beside if self._entry_ids.get(name) else target
        described = {**own, "description": "", "title": ""} if is_entry else own
        texts.append(self.about(described, name, has_example=False))
        examples = [*list_of(own.get("examples")), None]
        text = example(own.get("example", examples[0]))
        return DefinitionPart(title, rows, join_texts(*texts), example=text)

    def rows_of(self, row: DefinitionRow, schema: object) -> list[DefinitionRow]:
        """The row of a parameter or header with its type and limits, and its fields."""
        self._budget.pay_nodes(STEPS_OF_ROW)
        target, name, beside = self._document.follow_schema(schema)
        self._start_walk()
        about = self.about({**target, "description": ""}, row.name, name)
        texts = [row.about, words(beside.get("description"))]
        if not any(texts):
            texts.append(words(target.get("description")))
        description = join_texts(*dict.fromkeys(texts))
        first_row = replace(
            row,
            type=join_texts(self.type_of(schema), row.type),
            about=join_texts(clip(description, 1_000), about),
            link=self.link_of(schema),
        )
        has_entry = bool(first_row.link)
        inner_rows = self.rows(self._element(schema).beside if has_entry else schema)
        return [
            first_row,
            *(replace(item, depth=item.depth + 1) for item in inner_rows if item.name),
        ]

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
        target, name, _ = self._document.follow_schema(schema)
        rows: list[DefinitionRow] = []
        self._start_walk()
        try:
            fields = self._fields(target, 0, (name,) if name else ())
            rows += islice(fields, MOST_ROWS)
            if next(fields, None) is not None:
                rows.append(MORE)
        except BudgetExceeded:
            return [*rows, MORE]
        if rows or not target:
            return rows
        return [self._row(DefinitionRow(""), schema)]

    def _row(self, row: DefinitionRow, schema: object) -> DefinitionRow:
        """The row, completed with what its schema says of itself."""
        target, ref, _ = self._document.follow_schema(schema)
        kind, about = self.type_of(schema), self.about(target, row.name, ref)
        has_more = self._document.unshown.check("schemas", target, SCHEMA_FIELDS)
        if has_more and not kind and not about:
            about = "See the raw text."
        return replace(
            row,
            name=clip(row.name, 200),
            type=kind,
            about=about,
            deprecated=target.get("deprecated") is True,
            link=self.link_of(schema) if row.name else "",
        )

    def _start_walk(self) -> None:
        """Steps for one schema: never so many that little is left for the others."""
        left = self._budget.nodes or 0
        steps = min(STEPS, left // 10 + LEAST_STEPS)
        self._walk = Budget("schema", nodes=steps)

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
        target, name, beside = self._document.follow_schema(schema)
        if depth > DEEPEST:
            return name or "…"
        kinds = [words(kind) for kind in list_of(target.get("type"))]
        kinds = [kind for kind in kinds or [words(target.get("type"))] if kind]
        if "array" in kinds:
            inner = self._type_of(target.get("items"), depth + 1)
            kinds[kinds.index("array")] = f"array of {inner}" if inner else "array"
        elif name:
            own = self._type_of(beside, depth + 1)
            own = f"({own})" if " or " in own else own
            return name if own in ("", "object") else f"{name} and {own}"
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
        if any(isinstance(schema.get(key), Mapping) for key in OBJECT_KEYS):
            return "object"
        return "array" if "items" in schema or "prefixItems" in schema else ""

    def link_of(self, schema: object) -> str:
        """The entry that explains the schema, or the things it is a list of."""
        return self._entry_ids.get(self._element(schema).name, "")

    def _element(self, schema: object) -> FollowedSchema:
        """The schema, or that of the things it is a list of."""
        element = self._document.follow_schema(schema)
        for _ in range(DEEPEST):
            items = element.schema.get("items")
            if element.name in self._entry_ids or not isinstance(items, Mapping):
                break
            self._document.unshown.check("schemas", element.schema, SCHEMA_FIELDS)
            element = self._document.follow_schema(items)
        return element

    def about(
        self, schema: Mapping[str, Any], *names: str, has_example: bool = True
    ) -> str:
        """The description, the choices and the limits, as sentences.

        `names` stand beside it: a title that repeats one is left out.
        """
        description = clip(words(schema.get("description")), 1_000)
        title = clip(words(schema.get("title")), 200)
        if _letters(title) in {_letters(name) for name in (*names, description)}:
            title = ""
        texts = [title, description]
        try:
            texts += self._beside_parts(schema)
            rules = [*self._rules(schema), *self._rules_of_items(schema)]
        except BudgetExceeded:
            rules = ["…"]
        if has_example:
            rules.append(example_sentence(schema))
        rules = list(filter(None, dict.fromkeys(rules)))
        if rules and not any(texts):
            rules[0] = rules[0][:1].upper() + rules[0][1:]
        return join_texts(*texts, *rules)

    def _beside_parts(self, schema: Mapping[str, Any]) -> Iterator[str]:
        """The descriptions beside the references to what a schema joins."""
        for part in list_of(schema.get("allOf"))[:MOST_CHOICES]:
            self._step()
            beside = self._document.follow_schema(part).beside
            yield clip(words(beside.get("description")), 1_000)

    def _rules(self, schema: Mapping[str, Any]) -> Iterator[str]:
        """The rules of a schema and of those that it joins."""
        yield from rules_of(schema)
        for part in list_of(schema.get("allOf"))[:MOST_CHOICES]:
            self._step()
            yield from rules_of(self._document.follow_schema(part).schema)

    def _rules_of_items(self, schema: Mapping[str, Any]) -> Iterator[str]:
        """What is to say of an array's items, unless they have an entry."""
        if not isinstance(schema.get("items"), Mapping):
            return
        self._step()
        target, name, beside = self._element(schema["items"])
        own = beside if name in self._entry_ids else target
        texts = [clip(words(own.get(key)), 1_000) for key in ("title", "description")]
        text = join_texts(*texts, *self._beside_parts(target), *self._rules(target))
        if text:
            yield f"Items: {text}"

    def _fields(
        self, schema: Mapping[str, Any], depth: int, ancestors: tuple[str, ...]
    ) -> Iterator[DefinitionRow]:
        self._step()
        self._document.unshown.check("schemas", schema, SCHEMA_FIELDS)
        if depth > DEEPEST or len(ancestors) > LONGEST_WAY:
            if any(schema.get(key) for key in FIELD_KEYS):
                yield replace(MORE, depth=depth)
            return
        for part in list_of(schema.get("allOf")):
            yield from self._fields_of_part(part, depth, ancestors)
        required = {words(item) for item in list_of(schema.get("required"))}
        for name, field in _named_fields(schema):
            row = DefinitionRow(name, required=name in required, depth=depth)
            yield from self._field(row, field, ancestors)
        items = schema.get("items")
        if isinstance(items, Mapping):
            yield from self._fields_of_part(items, depth, ancestors)
        for key in ("oneOf", "anyOf"):
            for number, part in enumerate(list_of(schema.get(key)), 1):
                yield from self._variant(number, part, depth, ancestors)

    def _fields_of_part(
        self, part: object, depth: int, ancestors: tuple[str, ...]
    ) -> Iterator[DefinitionRow]:
        """The fields of a part; of one that is shown around it, those beside it."""
        target, name, beside = self._document.follow_schema(part)
        own = beside if name and name in ancestors else target
        yield from self._fields(own, depth, (*ancestors, name))

    def _variant(
        self, number: int, part: object, depth: int, ancestors: tuple[str, ...]
    ) -> Iterator[DefinitionRow]:
        self._step()
        target, name, beside = self._document.follow_schema(part)
        title = clip(words(target.get("title")), 200) or name or f"choice {number}"
        own = beside if name and name in ancestors else target
        inner = list(self._fields(own, depth + 1, (*ancestors, name)))
        # A choice that is a type alone stands in the type of the whole.
        about = self.about(own, title, name)
        if inner or about:
            yield DefinitionRow(
                f"or {title}" if number > 1 else f"either {title}",
                type="" if inner else self.type_of(part),
                about=about,
                depth=depth,
            )
            yield from inner

    def _field(
        self, row: DefinitionRow, field: object, ancestors: tuple[str, ...]
    ) -> Iterator[DefinitionRow]:
        """The row of a field, completed, and those of what is inside it."""
        self._step()
        yield self._row(row, field)
        inner, inner_ref, beside = self._element(field)
        # A named schema has an entry of its own: a link is enough.
        is_around = bool(inner_ref) and inner_ref in ancestors
        if is_around or self._entry_ids.get(inner_ref):
            inner, inner_ref = beside, ""
        if inner:
            inner_ancestors = (*ancestors, inner_ref) if inner_ref else ancestors
            yield from self._fields(inner, row.depth + 1, inner_ancestors)


def _named_fields(schema: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """The fields of an object, and the places of a tuple, with their names."""
    for name, field in mapping_of(schema.get("properties")).items():
        yield str(name), field
    for pattern, field in mapping_of(schema.get("patternProperties")).items():
        yield f"any name that matches {pattern}", field
    rest = schema.get("additionalProperties")
    if isinstance(rest, Mapping) and rest:
        yield "any other name", rest
    places = list_of(schema.get("prefixItems")) or list_of(schema.get("items"))
    for number, field in enumerate(places, 1):
        yield f"item {number}", field


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).lower()
