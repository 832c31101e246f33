"""Operations of OpenAPI: parameters, bodies, responses and callbacks as parts."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from services.portal.definitions.contents import Contents
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
from services.portal.definitions.properties import (
    external_docs,
    requirement,
    server_facts,
)
from services.portal.definitions.schemas import MORE, Schemas
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
#: Parts, parameters and facts that one operation is shown with.
MOST_PARTS = 40
MOST_PARAMETERS = 100
MOST_FACTS = 20

PATH_FIELDS = frozenset(
    {"$ref", "summary", "description", "parameters", "servers", *METHODS}
)
OPERATION_FIELDS = frozenset(
    {
        *("operationId", "summary", "description", "deprecated", "tags", "security"),
        *("externalDocs", "servers", "parameters", "requestBody", "responses"),
        *("callbacks", "consumes", "produces", "schemes"),
    }
)
CALLBACK_FIELDS = frozenset({"summary", "description", "requestBody"})

Operation = Mapping[str, Any]


class Operations:
    """Makes entries of the operations of one document."""

    def __init__(self, document: DefinitionDocument, schemas: Schemas) -> None:
        self._document = document
        self._schemas = schemas
        self._contents = Contents(document, schemas)

    def of_path(
        self, name: str, item: object, *, kind: str = "operation"
    ) -> Iterator[tuple[Operation, DefinitionEntry]]:
        """The operations of a path or webhook; of one in another file, where it is."""
        path_item = self._document.follow_item(item)
        self._document.unshown.check("paths", path_item, PATH_FIELDS)
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
        self._document.unshown.check("operations", operation, OPERATION_FIELDS)
        return DefinitionEntry(
            id=anchor(kind, words(operation.get("operationId")) or method + path),
            name=path,
            mark=method.upper(),
            tone=TONES.get(method, ""),
            summary=words(operation.get("summary")),
            about=words(operation.get("description")),
            deprecated=operation.get("deprecated") is True,
            parts=self._parts(operation, path_item),
            facts=list(
                self._document.unshown.first(
                    "facts", self._facts(operation, path_item), MOST_FACTS
                )
            ),
        )

    def _facts(
        self, operation: Operation, path_item: Operation
    ) -> Iterator[tuple[str, str]]:
        """What is to say of an operation beside its parts."""
        texts = (words(path_item.get("summary")), words(path_item.get("description")))
        facts = [
            ("Operation ID", words(operation.get("operationId"))),
            ("Path", join_texts(*texts)),
            ("Also in", _join(list_of(operation.get("tags"))[1:])),
            ("Security", requirement(operation.get("security"))),
            ("Request types", _join(list_of(operation.get("consumes")))),
            ("Response types", _join(list_of(operation.get("produces")))),
            ("Schemes", _join(list_of(operation.get("schemes")))),
            ("Documentation", external_docs(operation)),
        ]
        yield from ((label, value) for label, value in facts if value)
        for level in (path_item, operation):
            yield from server_facts(level, self._document)

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
            parts += self._contents.answers(operation.get("responses"))
            parts += self._callbacks(operation)
        except BudgetExceeded:
            parts.append(DefinitionPart("…", about="Not shown; see the raw text."))
        if len(parts) > MOST_PARTS:
            parts[MOST_PARTS:] = [DefinitionPart(MORE.name, about=MORE.about)]
        return parts

    def _parameters_of(
        self, path_item: Operation, operation: Operation
    ) -> list[Mapping[str, Any]]:
        """The path's and the operation's parameters; the operation's own win."""
        parameters: dict[tuple[str, str], Mapping[str, Any]] = {}
        for level in (path_item, operation):
            values = list_of(level.get("parameters"))
            for value in self._document.unshown.first(
                "parameters", values, MOST_PARAMETERS
            ):
                self._schemas.pay()
                parameter = self._document.follow(value)[0]
                key = words(parameter.get("name")), words(parameter.get("in"))
                parameters[key] = parameter
        return list(parameters.values())

    def _parameters(
        self, parameters: list[Mapping[str, Any]]
    ) -> Iterator[DefinitionPart]:
        rows: list[DefinitionRow] = []
        for parameter in filter(None, parameters):
            rows += self._contents.parameter(parameter)
        if rows:
            yield DefinitionPart("Parameters", rows)

    def _body(
        self, operation: Operation, parameters: list[Mapping[str, Any]]
    ) -> Iterator[DefinitionPart]:
        for parameter in parameters:
            if parameter.get("in") == "body":
                about = words(parameter.get("description"))
                title = (
                    "Body" if parameter.get("required") is True else "Body (optional)"
                )
                yield self._schemas.part(title, parameter.get("schema"), about)
        value = operation.get("requestBody")
        is_required = self._document.follow(value)[0].get("required") is True
        title = "Body" if is_required else "Body (optional)"
        yield from self._contents.bodies(title, value)

    def _callbacks(self, operation: Operation) -> Iterator[DefinitionPart]:
        """What the API sends back later, to the address that an expression names."""
        callbacks = objects(operation.get("callbacks"))
        for name, value in islice(callbacks, MOST_PARTS + 1):
            callback = self._document.follow(value)[0]
            for expression, item in islice(objects(callback), MOST_PARTS + 1):
                path_item = self._document.follow_item(item)
                self._schemas.pay()
                for method in METHODS:
                    request = path_item.get(method)
                    if isinstance(request, Mapping):
                        title = f"Callback {name}: {method.upper()} {expression}"
                        yield from self._callback(title, request)

    def _callback(self, title: str, request: Operation) -> Iterator[DefinitionPart]:
        self._document.unshown.check("callbacks", request, CALLBACK_FIELDS)
        about = join_texts(
            words(request.get("summary")), words(request.get("description"))
        )
        body = request.get("requestBody")
        parts = list(self._contents.bodies(title, body, about, "info"))
        yield from parts or [DefinitionPart(title, about=about, tone="info")]


def _join(values: Sequence[object]) -> str:
    return ", ".join(filter(None, map(words, values[:MOST_FACTS])))
