"""JSON bodies of requests, within the same limits for every service."""

from collections.abc import Callable, Coroutine
from typing import Any, Literal, TypeVar

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from shared.guards.json_text import JsonLimits, load_json
from shared.guards.workers import run_beside

#: The size is counted while the body is received; a service may have a lower limit.
#: 100,000 elements are parsed in a twentieth of a second, in which nothing else runs.
LIMITS = JsonLimits(size=64 * 1024 * 1024, depth=100, nodes=100_000)
#: Longer bodies are read in a thread.
_LONG = 64 * 1024
Model = TypeVar("Model", bound=BaseModel)


async def json_of(request: Request, limits: JsonLimits = LIMITS) -> Any:
    """The JSON value in a request's body.

    Raises:
        Invalid: if it is no JSON, or too deep or too large to be walked.
    """
    body = await request.body()
    if len(body) > _LONG:
        return await run_beside(load_json, body, label="request/body", limits=limits)
    return load_json(body, label="request/body", limits=limits)


def validated(model: type[Model], value: Any, place: Literal["body", "query"]) -> Model:
    """A value of a plain route's request, validated as by FastAPI.

    Raises:
        RequestValidationError: if it breaks a rule of the model.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        errors = [
            {**detail, "loc": (place, *detail["loc"])} for detail in error.errors()
        ]
        raise RequestValidationError(errors, body=value) from error


async def body_as(request: Request, model: type[Model]) -> Model:
    """The JSON body of a request to a plain route.

    Raises:
        Invalid: if it is no JSON, or too deep or too large to be walked.
        RequestValidationError: if it breaks a rule of the model.
    """
    return validated(model, await json_of(request), "body")


class BoundedRoute(APIRoute):
    """A route whose JSON body is read within limits before FastAPI looks at it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            bounded_request = _BoundedRequest(request.scope, request.receive)
            if self.body_field is not None:
                # FastAPI would hide the reason of an error.
                await bounded_request.json()
            return await handle(bounded_request)

        return bounded


class _BoundedRequest(Request):
    _value: Any = None
    _is_read = False

    async def json(self) -> Any:
        if not self._is_read and await self.body():
            self._value, self._is_read = await json_of(self), True
        return self._value
