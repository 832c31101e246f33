"""What is refused of a request before anything reads it, and how its sender learns."""

import http.client
import time
from collections.abc import Iterator
from typing import Annotated

import pytest
from fastapi import Form

from shared.contracts.errors import Forbidden
from shared.kit.http.apps import make_app
from shared.kit.http.connections import Bounds
from shared.kit.http.request_limits import BODY_LIMIT, FORM, MOST_PARAMETERS
from tests.costs import slowness
from tests.shared.test_connections import serving

Answer = tuple[int, str]
FORM_TYPE = FORM.decode()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """An app with a route that reads no body, and one that reads a form."""
    app = make_app("limits")

    @app.post("/refuses")
    async def refuses() -> None:
        raise Forbidden("not for you")

    @app.post("/form")
    async def form(name: Annotated[str, Form()] = "") -> str:
        return name

    with serving(Bounds(), served=app) as number:
        yield number


def post(port: int, path: str, body: bytes, kind: str, connection: str) -> Answer:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"content-type": kind, "connection": connection}
    client.request("POST", path, body, headers)
    answer = client.getresponse()
    status, text = answer.status, answer.read().decode()
    client.close()
    return status, text


@pytest.mark.parametrize("connection", ["close", "keep-alive"])
@pytest.mark.parametrize(
    ("path", "status"), [("/refuses", 403), ("/nowhere", 404), ("/healthz", 405)]
)
def test_a_refusal_is_sent_after_the_body_is_read(
    port: int, path: str, status: int, connection: str
) -> None:
    """A body that no route reads is read to its end before the response.

    Otherwise the client sees a broken connection and no response.
    """
    body = b"x" * (BODY_LIMIT - 1)
    for _ in range(5):
        answered, text = post(port, path, body, "text/plain", connection)
        assert (answered, '"error"' in text) == (status, True)


@pytest.mark.parametrize("separator", [b"&", b";", b"a=1&"])
def test_a_form_of_very_many_fields_is_refused_before_it_is_read(
    port: int, separator: bytes
) -> None:
    """Its parser takes a step for each of them."""
    body = separator * (9_000_000 // len(separator))
    start = time.process_time()
    status, text = post(port, "/form", body, FORM_TYPE, "close")
    assert (status, "form: at most 2000 fields" in text) == (413, True)
    # Taken apart it would be seconds.
    assert time.process_time() - start < 1 * slowness()


def test_a_form_of_many_fields_is_read(port: int) -> None:
    """What people fill in is far below the limit, and a text may be long."""
    body = b"&".join(b"f%d=x" % n for n in range(MOST_PARAMETERS // 3))
    body += b"&name=" + b"y" * 1_000_000
    assert post(port, "/form", body, FORM_TYPE, "close") == (
        200,
        f'"{"y" * 1_000_000}"',
    )
