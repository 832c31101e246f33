"""A service's app, and its part of the OpenAPI document, made from its routes."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from fastapi import Depends, FastAPI
from fastapi.responses import JSONResponse
from fastapi.utils import generate_unique_id
from pydantic import BaseModel
from starlette.responses import Response

from shared.kit.http.models import ErrorBody
from shared.kit.http.routes import DocumentedParameters, PlainRoute

#: All errors have the same body; malformed input is 400, as in Backstage.
ERRORS: dict[int | str, dict[str, Any]] = {
    "default": {
        "model": ErrorBody,
        "description": "An error, named as Backstage names it",
    }
}


def answers_of(media: str) -> dict[str, Any]:
    """The options of a route whose response is not JSON."""
    return {"response_class": Response, "responses": {200: {"content": {media: {}}}}}


EVENTS = answers_of("text/event-stream")
FILES = answers_of("*/*")


class BackstageJson(JSONResponse):
    """JSON as Backstage sends it, with the charset in its media type."""

    def __init__(self, content: Any, status_code: int = 200, **options: Any) -> None:
        options["media_type"] = "application/json; charset=utf-8"
        super().__init__(content, status_code, **options)

    def render(self, content: Any) -> bytes:
        """The content as bytes; bytes are JSON already."""
        return content if isinstance(content, bytes) else orjson.dumps(content)


class ServiceApp(FastAPI):
    """An app whose document has the paths that clients of the gateway use.

    `root` is the gateway's prefix of this service's paths.
    """

    def __init__(self, name: str, *, root: str, **options: Any) -> None:
        super().__init__(
            title=f"Callboard {name}",
            version="1",
            servers=[{"url": "/"}],
            docs_url=None,
            redoc_url=None,
            default_response_class=BackstageJson,
            responses=ERRORS,
            generate_unique_id_function=lambda route: (
                f"{name}_{generate_unique_id(route)}"
            ),
            **options,
        )
        self.name = name
        self.root = root

    def add_plain_route(
        self,
        method: str,
        path: str,
        endpoint: Callable[..., Any],
        *,
        answer: Any = None,
        query: type[BaseModel] | None = None,
        body: type[BaseModel] | None = None,
        is_public: bool = True,
        **options: Any,
    ) -> None:
        """Let Starlette run a route that FastAPI documents by its models, if public."""
        self.router.add_api_route(
            path,
            endpoint,
            methods=[method],
            response_model=answer,
            dependencies=[Depends(DocumentedParameters(path, query, body))],
            route_class_override=PlainRoute,
            include_in_schema=is_public,
            **options,
        )

    def openapi(self) -> dict[str, Any]:
        """The document, without security, which the gateway adds."""
        if self.openapi_schema is None:
            document = super().openapi()
            document["paths"] = {
                f"{self.root}{path}": {
                    method: self._described(operation)
                    for method, operation in item.items()
                }
                for path, item in document["paths"].items()
            }
            self.openapi_schema = document
        return self.openapi_schema

    def _described(self, operation: Mapping[str, Any]) -> dict[str, Any]:
        """The operation with the docstring's first sentence as the summary."""
        words = " ".join(operation.get("description", "").split())
        summary, _, rest = words.partition(". ")
        described = {"tags": [self.name], **operation}
        described.pop("description", None)
        if summary:
            described["summary"] = summary.rstrip(".")
        return {**described, "description": rest} if rest else described
