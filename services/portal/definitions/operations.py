"""Operations of OpenAPI: parameters, bodies, answers and callbacks as parts."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from services.portal.definitions.documents import DefinitionDocument
from services.portal.definitions.model import (
    DefinitionEntry,
    DefinitionPart,
    DefinitionRow,
    anchor,
    mapping,
    objects,
    sequence,
    words,
)
from services.portal.definitions.schemas import Schemas, example
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
        """The operations of a path or a webhook; of an absent one, where it is."""
        shared = self._document.follow(item)[0]
        methods = [
            method for method in METHODS if isinstance(shared.get(method), Mapping)
        ]
        if not methods and "$ref" in mapping(item):
            about = words(shared.get("description"))
            yield {}, DefinitionEntry(anchor(kind, name), name, summary=about)
        for method in methods:
            operation = shared[method]
            yield operation, self._entry(name, method, operation, shared, kind)

    def _entry(
        self, path: str, method: str, operation: Operation, shared: Operation, kind: str
    ) -> DefinitionEntry:
        return DefinitionEntry(
            id=anchor(kind, words(operation.get("operationId")) or method + path),
            name=path,
            mark=method.upper(),
            tone=TONES.get(method, ""),
            summary=words(operation.get("summary")),
            about=words(operation.get("description")),
            deprecated=operation.get("deprecated") is True,
            parts=self._parts(operation, shared),
        )

    def _parts(self, operation: Operation, shared: Operation) -> list[DefinitionPart]:
        """Everything about an operation, or what of it the budget allows."""
        parts: list[DefinitionPart] = []
        try:
            given = self._parameters_of(shared, operation)
            parts += self._parameters([e for e in given if e.get("in") != "body"])
            parts += self._body(operation, given)
            parts += self._answers(operation)
            parts += self._callbacks(operation)
        except BudgetExceeded:
            parts.append(DefinitionPart("…", about="Not shown; see the raw text."))
        return parts[:MOST_PARTS]

    def _parameters_of(
        self, shared: Operation, operation: Operation
    ) -> list[Mapping[str, Any]]:
        """The path's and the operation's parameters; the operation's own win."""
        found: dict[tuple[str, str], Mapping[str, Any]] = {}
        for level in (shared, operation):
            for each in sequence(level.get("parameters"))[:MOST_PARAMETERS]:
                self._schemas.pay()
                parameter = self._document.follow(each)[0]
                key = words(parameter.get("name")), words(parameter.get("in"))
                found[key] = parameter
        return list(found.values())

    def _parameters(self, given: list[Mapping[str, Any]]) -> Iterator[DefinitionPart]:
        rows = [self._parameter(each) for each in given if each]
        if rows:
            yield DefinitionPart("Parameters", rows)

    def _parameter(self, given: Mapping[str, Any]) -> DefinitionRow:
        schema = given.get("schema", given)
        for _, content in islice(objects(given.get("content")), 1):
            schema = content.get("schema", schema)
        found = self._document.follow(schema)[0]
        described = {**found, "description": given.get("description")}
        kinds = self._schemas.type_of(schema), words(given.get("in"))
        return DefinitionRow(
            name=words(given.get("name")),
            type=" · ".join(filter(None, kinds)),
            about=self._schemas.about(described),
            required=given.get("required") is True,
            deprecated=given.get("deprecated") is True,
        )

    def _body(
        self, operation: Operation, given: list[Mapping[str, Any]]
    ) -> Iterator[DefinitionPart]:
        for each in given:
            if each.get("in") == "body":
                rows = self._schemas.rows(each.get("schema"))
                yield DefinitionPart("Body", rows, words(each.get("description")))
        body = self._document.follow(operation.get("requestBody"))[0]
        about = words(body.get("description"))
        contents = list(islice(objects(body.get("content")), MOST_PARTS))
        title = "Body" if body.get("required") is True else "Body (optional)"
        if about and not contents:
            yield DefinitionPart(title, about=about)
        for media, content in contents:
            yield self._content(f"{title}: {media}", about, content)

    def _answers(self, operation: Operation) -> Iterator[DefinitionPart]:
        answers = mapping(operation.get("responses")).items()
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
                shared = self._document.follow(item)[0]
                self._schemas.pay()
                for method in METHODS:
                    sent = shared.get(method)
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
        shown = content.get("example")
        for _, each in islice(objects(content.get("examples")), 1):
            shown = self._document.follow(each)[0].get("value", shown)
        schema = content.get("schema")
        rows = self._schemas.rows(schema)
        kind = self._schemas.type_of(schema)
        about = " · ".join(filter(None, (about, kind if kind != "object" else "")))
        return DefinitionPart(title, rows, about, tone, example(shown))
