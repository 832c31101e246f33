"""Operations of OpenAPI: parameters, bodies, responses and callbacks as parts."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from services.portal.definitions.documents import DefinitionDocument
from services.portal.definitions.model import (
    DefinitionEntry,
    DefinitionPart,
    DefinitionRow,
    anchor,
    join_texts,
    objects,
    words,
)
from services.portal.definitions.schemas import Schemas, example
from shared.contracts.entity import list_of, mapping_of
from shared.guards.budgets import BudgetExceeded

METHODS = (
    "get",
    "post",
    "put",
    "patch",
    "delete",
    "head",
    "options",
    "trace",
    "query",
)
TONES = {"get": "info", "post": "good", "put": "warn", "patch": "warn", "delete": "bad"}
ANSWER_TONES = {"2": "good", "4": "warn", "5": "bad"}
#: Parts, and parameters, that one operation is shown with.
MOST_PARTS = 40
MOST_PARAMETERS = 100

Operation = Mapping[str, Any]


class Operations:
    """Makes entries of the operations of one document."""

    def __init__(self, document: DefinitionDocument, schemas: Schemas) -> None:
        self._document = document
        self._schemas = schemas

    def of_path(
        self, name: str, item: object, *, kind: str = "operation"
    ) -> Iterator[tuple[Operation, DefinitionEntry]]:
        """The operations of a path or webhook; of one in another file, where it is."""
        path_item = self._document.follow(item)[0]
        methods = [
            method for method in METHODS if isinstance(path_item.get(method), Mapping)
        ]
        if not methods and "$ref" in mapping_of(item):
            about = words(path_item.get("description"))
            yield {}, DefinitionEntry(anchor(kind, name), name, summary=about)
        for method in methods:
            operation = path_item[method]
            yield operation, self._entry(name, method, operation, path_item, kind)

    def _entry(
        self,
        path: str,
        method: str,
        operation: Operation,
        path_item: Operation,
        kind: str,
    ) -> DefinitionEntry:
        return DefinitionEntry(
            id=anchor(kind, words(operation.get("operationId")) or method + path),
            name=path,
            mark=method.upper(),
            tone=TONES.get(method, ""),
            summary=words(operation.get("summary")),
            about=words(operation.get("description")),
            deprecated=operation.get("deprecated") is True,
            parts=self._parts(operation, path_item),
        )

    def _parts(
        self, operation: Operation, path_item: Operation
    ) -> list[DefinitionPart]:
        """The parts of an operation, as far as the budget goes."""
        parts: list[DefinitionPart] = []
        try:
            parameters = self._parameters_of(path_item, operation)
            parts += self._parameters(
                [parameter for parameter in parameters if parameter.get("in") != "body"]
            )
            parts += self._body(operation, parameters)
            parts += self._answers(operation)
            parts += self._callbacks(operation)
        except BudgetExceeded:
            parts.append(DefinitionPart("…", about="Not shown; see the raw text."))
        return parts[:MOST_PARTS]

    def _parameters_of(
        self, path_item: Operation, operation: Operation
    ) -> list[Mapping[str, Any]]:
        """The path's and the operation's parameters; the operation's own win."""
        parameters: dict[tuple[str, str], Mapping[str, Any]] = {}
        for level in (path_item, operation):
            for value in list_of(level.get("parameters"))[:MOST_PARAMETERS]:
                self._schemas.pay()
                parameter = self._document.follow(value)[0]
                key = words(parameter.get("name")), words(parameter.get("in"))
                parameters[key] = parameter
        return list(parameters.values())

    def _parameters(
        self, parameters: list[Mapping[str, Any]]
    ) -> Iterator[DefinitionPart]:
        rows = [self._parameter(parameter) for parameter in parameters if parameter]
        if rows:
            yield DefinitionPart("Parameters", rows)

    def _parameter(self, parameter: Mapping[str, Any]) -> DefinitionRow:
        schema = parameter.get("schema", parameter)
        for _, content in islice(objects(parameter.get("content")), 1):
            schema = content.get("schema", schema)
        target = self._document.follow(schema)[0]
        described = {**target, "description": parameter.get("description")}
        kinds = self._schemas.type_of(schema), words(parameter.get("in"))
        return DefinitionRow(
            name=words(parameter.get("name")),
            type=join_texts(*kinds),
            about=self._schemas.about(described),
            required=parameter.get("required") is True,
            deprecated=parameter.get("deprecated") is True,
        )

    def _body(
        self, operation: Operation, parameters: list[Mapping[str, Any]]
    ) -> Iterator[DefinitionPart]:
        for parameter in parameters:
            if parameter.get("in") == "body":
                rows = self._schemas.rows(parameter.get("schema"))
                yield DefinitionPart("Body", rows, words(parameter.get("description")))
        body = self._document.follow(operation.get("requestBody"))[0]
        about = words(body.get("description"))
        contents = list(islice(objects(body.get("content")), MOST_PARTS))
        title = "Body" if body.get("required") is True else "Body (optional)"
        if about and not contents:
            yield DefinitionPart(title, about=about)
        for media, content in contents:
            yield self._content(f"{title}: {media}", about, content)

    def _answers(self, operation: Operation) -> Iterator[DefinitionPart]:
        answers = mapping_of(operation.get("responses")).items()
        for status, value in islice(answers, MOST_PARTS):
            self._schemas.pay()
            answer = self._document.follow(value)[0]
            tone = ANSWER_TONES.get(str(status)[:1], "")
            about = words(answer.get("description"))
            contents = list(islice(objects(answer.get("content")), MOST_PARTS))
            if "schema" in answer:
                contents.append(("", answer))
            if not contents:
                yield DefinitionPart(str(status), about=about, tone=tone)
            for media, content in contents:
                title = f"{status}: {media}" if media else str(status)
                yield self._content(title, about, content, tone)

    def _callbacks(self, operation: Operation) -> Iterator[DefinitionPart]:
        """What the API sends back later, to the address that an expression names."""
        for name, value in islice(objects(operation.get("callbacks")), MOST_PARTS):
            callback = self._document.follow(value)[0]
            for expression, item in islice(objects(callback), MOST_PARTS):
                path_item = self._document.follow(item)[0]
                self._schemas.pay()
                for method in METHODS:
                    sent = path_item.get(method)
                    if isinstance(sent, Mapping):
                        title = f"Callback {name}: {method.upper()} {expression}"
                        yield from self._callback(title, sent)

    def _callback(self, title: str, sent: Operation) -> Iterator[DefinitionPart]:
        about = words(sent.get("summary")) or words(sent.get("description"))
        body = self._document.follow(sent.get("requestBody"))[0]
        contents = list(islice(objects(body.get("content")), MOST_PARTS))
        if not contents:
            yield DefinitionPart(title, about=about, tone="info")
        for media, content in contents:
            yield self._content(f"{title}: {media}", about, content, "info")

    def _content(
        self, title: str, about: str, content: Mapping[str, Any], tone: str = ""
    ) -> DefinitionPart:
        self._schemas.pay()
        example_value = content.get("example")
        for _, value in islice(objects(content.get("examples")), 1):
            example_value = self._document.follow(value)[0].get("value", example_value)
        schema = content.get("schema")
        rows = self._schemas.rows(schema)
        kind = self._schemas.type_of(schema)
        about = join_texts(about, kind if kind != "object" else "")
        return DefinitionPart(title, rows, about, tone, example(example_value))
