"""A service's own part of the API's OpenAPI document.

What FastAPI knows comes from it; hot routes are plain and described by a table of
`Operation`s beside them, given as `app.state.described`. Answers in words: their
shapes are Backstage's, whose clients read them.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute, Mount

VERSION = "1"
JSON = "application/json"
#: For services alone: no part of what is public.
INTERNAL = ("/snapshot", "/sources/open")
ERROR = "#/components/responses/Error"
#: The one shape of every error (facts: what Backstage's clients read).
ERROR_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "required": ["error", "request", "response"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["name", "message"],
            "properties": {
                "name": {
                    "type": "string",
                    "description": "Backstage's name of the error: NotFoundError",
                },
                "message": {"type": "string"},
            },
        },
        "request": {
            "type": "object",
            "properties": {"method": {"type": "string"}, "url": {"type": "string"}},
        },
        "response": {
            "type": "object",
            "properties": {"statusCode": {"type": "integer"}},
        },
    },
}
#: For FastAPI's `openapi_extra`: what an answer is that is not JSON.
MEDIA = "x-media"
EVENTS: Mapping[str, str] = {MEDIA: "text/event-stream"}
FILES: Mapping[str, str] = {MEDIA: "*/*"}
_IN_PATH = re.compile(r"{(\w+)(?::\w+)?}")
_OF_FASTAPI = ("HTTPValidationError", "ValidationError")


@dataclass(frozen=True, slots=True)
class QueryParameter:
    """A query parameter; `many` may be repeated."""

    name: str
    words: str
    type: str = "string"
    many: bool = False
    required: bool = False

    def document(self) -> dict[str, Any]:
        """It as OpenAPI says it."""
        schema: dict[str, Any] = {"type": self.type}
        nested = {"style": "deepObject", "explode": True}
        return {
            **(nested if self.type == "object" else {}),
            "name": self.name,
            "in": "query",
            "required": self.required,
            "description": self.words,
            "schema": {"type": "array", "items": schema} if self.many else schema,
        }


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path, in words; parameters in the path follow from it.

    `body` maps the fields of a JSON object to what they are; a name that ends in `?`
    may be absent.
    """

    method: str
    path: str
    summary: str
    answer: str
    query: tuple[QueryParameter, ...] = ()
    body: Mapping[str, str] | None = None
    status: int = 200
    media: str = JSON

    def document(self) -> dict[str, Any]:
        """It as OpenAPI says it."""
        names = _IN_PATH.findall(self.path)
        answer: dict[str, Any] = {"description": self.answer}
        if self.status != 204:
            answer["content"] = {self.media: {"schema": {}}}
        told: dict[str, Any] = {
            "summary": self.summary,
            "operationId": _identity(self.method, self.path),
            "parameters": [_in_path(name) for name in names]
            + [asked.document() for asked in self.query],
            "responses": {str(self.status): answer},
        }
        if self.body is not None:
            told["requestBody"] = _body(self.body)
        return told


def own_part(app: FastAPI) -> dict[str, Any]:
    """`document(app)`, made once: routes do not change while an app runs."""
    if app.openapi_schema is None:
        app.openapi_schema = document(app)
    return app.openapi_schema


def document(app: FastAPI) -> dict[str, Any]:
    """Everything public that an app answers.

    Operations say nothing of security: what is in front of the services decides it.
    """
    found = get_openapi(
        title=app.title, version=VERSION, routes=list(_routes(app.routes))
    )
    paths: dict[str, Any] = found.setdefault("paths", {})
    described: Iterable[Operation] = getattr(app.state, "described", ())
    for operation in described:
        path = _IN_PATH.sub(r"{\1}", operation.path)
        paths.setdefault(path, {})[operation.method.lower()] = operation.document()
    found["paths"] = {
        path: {method: _documented_operation(path, one) for method, one in item.items()}
        for path, item in paths.items()
        if not path.startswith(INTERNAL)
    }
    schemas = found.get("components", {}).get("schemas", {})
    kept = {name: one for name, one in schemas.items() if name not in _OF_FASTAPI}
    found["components"] = {
        "schemas": {**kept, "Error": ERROR_SCHEMA},
        "responses": {
            "Error": {
                "description": "An error, named as Backstage names it",
                "content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}},
            }
        },
    }
    return found


def _routes(routes: Iterable[BaseRoute]) -> Iterable[BaseRoute]:
    """Without what is mounted: pages are no API."""
    return (route for route in routes if not isinstance(route, Mount))


def _documented_operation(path: str, operation: dict[str, Any]) -> dict[str, Any]:
    """One operation with the errors of this house, and its first sentence first."""
    words = " ".join(str(operation.get("description") or "").split())
    first, stop, rest = words.partition(". ")
    told = {
        key: one for key, one in operation.items() if key not in {"description", MEDIA}
    }
    if words:
        told["summary"] = first.rstrip(".")
    if stop:
        told["description"] = rest
    if parameters := _parameters(path, operation):
        told["parameters"] = parameters
    responses = {
        status: _of_media(answer, operation.get(MEDIA))
        for status, answer in operation["responses"].items()
        # Bad input is 400 here, as everywhere in Backstage.
        if status != "422"
    }
    return {**told, "responses": {**responses, "default": {"$ref": ERROR}}}


def _parameters(path: str, operation: Mapping[str, Any]) -> list[Any]:
    """With those in the path that a route takes no notice of."""
    known: list[Any] = operation.get("parameters", [])
    named = {one["name"] for one in known if one["in"] == "path"}
    missing = [name for name in _IN_PATH.findall(path) if name not in named]
    return [*map(_in_path, missing), *known]


def _of_media(answer: Any, media: str | None) -> Any:
    return {**answer, "content": {media: {"schema": {}}}} if media else answer


def _identity(method: str, path: str) -> str:
    words = re.sub(r"\W+", "_", path).strip("_")
    return f"{method.lower()}_{words}"


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _body(fields: Mapping[str, str]) -> dict[str, Any]:
    properties = {
        name.removesuffix("?"): {"description": words} for name, words in fields.items()
    }
    schema = {
        "type": "object",
        "properties": properties,
        "required": [name for name in fields if not name.endswith("?")],
    }
    return {"required": True, "content": {JSON: {"schema": schema}}}
