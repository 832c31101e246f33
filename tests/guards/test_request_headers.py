"""No header of a request, whatever is in it, takes long to read or breaks an answer."""

from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, Form, Header

from shared.kit.http.apps import make_app
from tests.costs import limit_processor_time

#: As long as a line of a request may be.
LINE = 32_000
READ = [
    "accept",
    "accept-encoding",
    "accept-language",
    "authorization",
    "content-disposition",
    "content-length",
    "content-type",
    "cookie",
    "forwarded",
    "host",
    "hx-target",
    "if-modified-since",
    "if-none-match",
    "last-event-id",
    "origin",
    "range",
    "sec-fetch-site",
    "traceparent",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-request-id",
]
#: Values by which readers that go back and forth take long.
VALUES = {
    "quotes": '"' * LINE,
    "escaped quotes": 'a="' + '\\"' * (LINE // 2) + '"',
    "quoted semicolons": 'a;b="' + ";" * LINE,
    "semicolons": ";" * LINE,
    "commas": "," * LINE,
    "spaces": "a" + " " * LINE + "b",
    "brackets": "[" * LINE,
    "colons": ":" * LINE,
    "digits": "1" * LINE,
    "escapes": "%41" * (LINE // 3),
    "words": "a." * (LINE // 2),
    "pairs": "a=" * (LINE // 2),
    "choices": "a;q=0.1," * (LINE // 8),
    "parts": "multipart/form-data;" + "b=c;" * (LINE // 4),
    "boundary": "multipart/form-data; boundary=" + "-" * LINE,
}


@pytest.fixture
def app() -> FastAPI:
    """A service's app with a route for questions and one for a form."""
    sample_app = make_app("sample")

    @sample_app.get("/sample")
    async def sample(accept: Annotated[str, Header()] = "") -> int:
        return len(accept)

    @sample_app.post("/sample")
    async def form(name: Annotated[str, Form()] = "") -> int:
        return len(name)

    return sample_app


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
async def test_request_headers_are_read_in_linear_time(
    app: FastAPI, value: str
) -> None:
    """A quadratic reader takes seconds for such a line; all of these are read fast.

    No line is an internal error of the service: it is answered, or refused.
    """
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://a") as client:
        for name in READ:
            with limit_processor_time(0.5):
                headers = {name: value}
                answer = await client.get("/sample", headers=headers)
                posted = await client.post("/sample", headers=headers, content=b"a=b")
            assert answer.status_code < 500
            assert posted.status_code < 500
