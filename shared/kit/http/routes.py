"""Routes that FastAPI documents by their models and Starlette runs: hot reads.

Parsing, dependencies and serialisation of FastAPI cost some 100 µs a request. The
endpoint of a plain route takes the request and returns ready bytes; its models are in
the OpenAPI document, and tests compare them with its responses.
"""

import inspect
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Query
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import compile_path


class PlainRoute(APIRoute):
    """A route whose endpoint takes the request itself."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return self.endpoint


class DocumentedParameters:
    """The parameters of a plain endpoint, as a dependency that never runs."""

    def __init__(
        self,
        path: str,
        query: type[BaseModel] | None = None,
        body: type[BaseModel] | None = None,
    ) -> None:
        types: dict[str, Any] = dict.fromkeys(compile_path(path)[2], str)
        if query is not None:
            types["query"] = Annotated[query, Query()]
        if body is not None:
            types["body"] = body
        kind = inspect.Parameter.KEYWORD_ONLY
        self.__signature__ = inspect.Signature(
            [inspect.Parameter(name, kind, annotation=types[name]) for name in types]
        )

    def __call__(self) -> None:
        """Do nothing: FastAPI reads only the signature."""
