"""The body of a failed request's answer, as Backstage's clients read it."""

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from shared.contracts import disk_space
from shared.contracts.errors import CallboardError, NotFound, TooMany, Unavailable
from shared.contracts.headers import NOSNIFF

STATUS_NAMES = {405: "MethodNotAllowedError", 413: "PayloadTooLargeError"}


def error_body(name: str, message: str, method: str, url: str, status: int) -> bytes:
    """The error body that Backstage's clients read (facts: every REST error)."""
    return orjson.dumps(
        {
            "error": {"name": name, "message": message},
            "request": {"method": method, "url": url},
            "response": {"statusCode": status},
        }
    )


def error_response(request: Request, error: Exception) -> Response:
    """The answer to a failed request; what nobody foresaw tells no details."""
    # A fault that nobody foresaw is answered outside of what adds these.
    headers = {**NOSNIFF, "cache-control": "no-store"}
    if disk_space.is_disk_full(error):
        error = disk_space.DiskFull()
    if isinstance(error, CallboardError):
        name, message, status = error.name, error.message, error.status
    elif isinstance(error, HTTPException):
        status, message = error.status_code, str(error.detail)
        name = NotFound.name if status == 404 else STATUS_NAMES.get(status, "Error")
        headers.update(error.headers or {})
    else:
        name, message, status = "Error", "Internal error; the log tells more", 500
    if isinstance(error, TooMany | Unavailable):
        headers["retry-after"] = str(error.retry_after)
    url = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    body = error_body(name, message, request.method, url, status)
    return Response(body, status, headers, "application/json; charset=utf-8")
