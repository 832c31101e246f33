"""A service's OpenAPI document beside its answers."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

import httpx
import jsonschema
from starlette.routing import Mount

from shared.contracts.permissions import SNAPSHOT_READ, need_of

#: What every service has for operators; no part of the public API.
OPERATORS = ("/healthz", "/readyz", "/metrics", "/openapi.json", "/.backstage/health")
#: A browser's forms.
FORMS = ("/sign-in", "/sign-out")


def routes_of(routes: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Every (method, path) that an app answers, without what is mounted."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from routes_of(inner.routes)
        elif not isinstance(route, Mount):
            for method in route.methods - {"HEAD"}:
                yield method.lower(), re.sub(r":\w+}", "}", route.path)


def public_routes(name: str, routes: Iterable[Any]) -> set[tuple[str, str]]:
    """The (method, path) of a service that are no other service's or operator's."""
    return {
        (method, path)
        for method, path in routes_of(routes)
        if not path.startswith((*OPERATORS, *FORMS))
        and need_of(name, method.upper(), path).permission != SNAPSHOT_READ
    }


class DocumentedApi:
    """The document of one service; checks requests and answers by its schemas."""

    def __init__(self, app: Any) -> None:
        self.root = app.root
        self.document = app.openapi()
        self._components = closed(self.document["components"])

    @property
    def operations(self) -> set[tuple[str, str]]:
        """Every (method, path below the service's root)."""
        return {
            (method, path.removeprefix(self.root))
            for path, item in self.document["paths"].items()
            for method in item
        }

    def check(self, operation: tuple[str, str], answer: httpx.Response) -> None:
        """Fail unless a good request and its answer are as the document says."""
        method, path = operation
        described = self.document["paths"][f"{self.root}{path}"][method]
        query = answer.request.url.query.decode()
        names = {parameter["name"] for parameter in described.get("parameters", ())}
        assert {name.partition("[")[0] for name, _ in parse_qsl(query)} <= names
        if answer.request.content:
            self._validate(described["requestBody"], answer.request)
        response = described["responses"][str(answer.status_code)]
        if "content" in response:
            self._validate(response, answer)
        else:
            assert answer.content == b"", operation

    def _validate(self, part: Mapping[str, Any], message: Any) -> None:
        media = message.headers["content-type"].partition(";")[0]
        schema = part["content"][media]["schema"]
        assert schema, "a schema that allows everything says nothing"
        if isinstance(message, httpx.Response):
            value = message.json()
        else:
            value = httpx.Response(200, content=message.content).json()
        jsonschema.Draft202012Validator(
            {**closed(schema), "components": self._components}
        ).validate(value)


def closed(schema: Any) -> Any:
    """The schema, in which objects have no fields that it does not name."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed_schema = {key: closed(value) for key, value in schema.items()}
    if closed_schema.get("type") == "object" and "properties" in closed_schema:
        closed_schema.setdefault("additionalProperties", False)
    return closed_schema
