"""Bodies, answers and headers of OpenAPI, as parts of their operation."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from services.portal.definitions.documents import DefinitionDocument
from services.portal.definitions.model import (
    DefinitionPart,
    DefinitionRow,
    join_texts,
    objects,
    words,
)
from services.portal.definitions.schema_words import (
    MOST_EXAMPLES,
    SCHEMA_FIELDS,
    named_examples,
    scalar,
)
from services.portal.definitions.schemas import Schemas
from shared.contracts.entity import mapping_of

ANSWER_TONES = {"2": "good", "4": "warn", "5": "bad"}
#: One more than an operation is shown with: the operation says that there are more.
MOST_CONTENTS = 41

BODY_FIELDS = frozenset({"$ref", "summary", "description", "required", "content"})
ANSWER_FIELDS = frozenset(
    {
        *("$ref", "summary", "description", "headers", "content"),
        *("schema", "examples"),
    }
)
CONTENT_FIELDS = frozenset({"schema", "itemSchema", "example", "examples"})
PARAMETER_FIELDS = frozenset(
    {
        *("$ref", "name", "in", "description", "required", "deprecated", "schema"),
        *("content", "style", "explode", "allowReserved", "allowEmptyValue"),
        *("example", "examples"),
    }
)
#: How a value is written, where it is not as usual.
FLAGS = (
    ("explode", True, "a field of its own for each value"),
    ("explode", False, "all values in one field"),
    ("allowReserved", True, "reserved characters are not encoded"),
    ("allowEmptyValue", True, "may be empty"),
)


class Contents:
    """Makes parts of what goes in and what comes out."""

    def __init__(self, document: DefinitionDocument, schemas: Schemas) -> None:
        self._document = document
        self._schemas = schemas

    def parameter(self, parameter: Mapping[str, Any]) -> list[DefinitionRow]:
        """The rows of a parameter or a header: itself, and the fields of its object."""
        in_schema = "schema" in parameter or "content" in parameter
        # Swagger 2 has the schema's fields in the parameter itself.
        fields = PARAMETER_FIELDS | (frozenset() if in_schema else SCHEMA_FIELDS)
        self._document.unshown.check("parameters and headers", parameter, fields)
        media, content = next(objects(parameter.get("content")), ("", {}))
        own_schema: Mapping[str, Any] = {
            key: value
            for key, value in parameter.items()
            if key not in ("required", "example", "examples", "name", "in")
        }
        schema = content.get("schema") if media else parameter.get("schema", own_schema)
        row = DefinitionRow(
            name=words(parameter.get("name")),
            type=join_texts(words(parameter.get("in")), media),
            about=words(parameter.get("description")),
            required=parameter.get("required") is True,
            deprecated=parameter.get("deprecated") is True,
        )
        first_row, *inner_rows = self._schemas.rows_of(row, schema)
        about = join_texts(first_row.about, *self._usage(parameter, content))
        return [replace(first_row, about=about), *inner_rows]

    def bodies(
        self, title: str, value: object, about: str = "", tone: str = ""
    ) -> Iterator[DefinitionPart]:
        """The parts of a request's body, one for each media type."""
        body = self._document.follow(value)[0]
        self._document.unshown.check("bodies", body, BODY_FIELDS)
        about = join_texts(about, words(body.get("description")))
        contents = list(islice(objects(body.get("content")), MOST_CONTENTS))
        if about and not contents:
            yield DefinitionPart(title, about=about, tone=tone)
        for media, content in contents:
            yield self._content(f"{title}: {media}", about, content, tone)

    def answers(self, responses: object) -> Iterator[DefinitionPart]:
        """The parts of the answers, one for each status and media type."""
        for status, value in islice(mapping_of(responses).items(), MOST_CONTENTS):
            if str(status).startswith("x-"):
                continue
            self._schemas.pay()
            answer = self._document.follow(value)[0]
            self._document.unshown.check("responses", answer, ANSWER_FIELDS)
            yield from self._answer(str(status), answer)

    def _answer(
        self, status: str, answer: Mapping[str, Any]
    ) -> Iterator[DefinitionPart]:
        tone = ANSWER_TONES.get(status[:1], "")
        about = join_texts(
            words(answer.get("summary")), words(answer.get("description"))
        )
        contents = list(islice(objects(answer.get("content")), MOST_CONTENTS))
        if not contents and "schema" not in answer:
            text = self._examples(answer)
            yield DefinitionPart(status, about=about, tone=tone, example=text)
        if "schema" in answer:
            fields = ("schema", "examples")
            own_content = {key: answer[key] for key in fields if key in answer}
            yield self._content(status, about, own_content, tone)
        for media, content in contents:
            yield self._content(f"{status}: {media}", about, content, tone)
        rows: list[DefinitionRow] = []
        for name, value in islice(objects(answer.get("headers")), MOST_CONTENTS):
            self._schemas.pay()
            header = self._document.follow(value)[0]
            rows += self.parameter({**header, "name": name})
        if rows:
            yield DefinitionPart(f"{status}: headers", rows, tone=tone)

    def _content(
        self, title: str, about: str, content: Mapping[str, Any], tone: str = ""
    ) -> DefinitionPart:
        self._schemas.pay()
        self._document.unshown.check("contents", content, CONTENT_FIELDS)
        schema: object = content.get("schema")
        if "itemSchema" in content:
            schema = {"type": "array", "items": content["itemSchema"]}
        part = self._schemas.part(title, schema, about)
        text = self._examples(content) or part.example
        return replace(part, tone=tone, example=text)

    def _usage(
        self, parameter: Mapping[str, Any], content: Mapping[str, Any]
    ) -> Iterator[str]:
        """How a parameter is written, and its examples."""
        style = words(parameter.get("style"))
        if style:
            yield f"style {style}"
        for key, value, text in FLAGS:
            if parameter.get(key) is value:
                yield text
        values = [*self._values_of(parameter), *self._values_of(content)]
        if values:
            texts = [
                f"{name}: {scalar(value)}" if name else scalar(value)
                for name, _, value in values[:MOST_EXAMPLES]
            ]
            yield f"Example: {', '.join(texts)}"

    def _examples(self, content: Mapping[str, Any]) -> str:
        return named_examples(self._values_of(content))

    def _values_of(self, content: Mapping[str, Any]) -> list[tuple[str, str, object]]:
        """The examples of a content: names, summaries and values."""
        values: list[tuple[str, str, object]] = []
        if "example" in content:
            values.append(("", "", content["example"]))
        examples = mapping_of(content.get("examples")).items()
        for name, item in islice(examples, MOST_EXAMPLES + 1):
            target = self._document.follow(item)[0]
            texts = (words(target.get(key)) for key in ("summary", "description"))
            summary = join_texts(*texts)
            # The examples of Swagger 2 are values, named by their media types.
            value = target.get("externalValue", item)
            for key in ("serializedValue", "dataValue", "value"):
                value = target.get(key, value)
            values.append((str(name), summary, value))
        return values
