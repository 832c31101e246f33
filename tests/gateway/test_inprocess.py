"""The public API called from inside: same answers, no socket."""

import asyncio
from typing import Any

import orjson

from services.gateway.callers import IN_PROCESS
from services.gateway.forward.inprocess import InProcessApi
from services.gateway.model import ApiAnswer, Identity

ANN = Identity("user:default/ann", "user")


class Recorder:
    """An app that answers with what it was asked."""

    def __init__(self, status: int = 200, body: Any = None) -> None:
        self.scope: dict[str, Any] = {}
        self.body = b""
        self.status = status
        self.answer = orjson.dumps({} if body is None else body)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope = scope
        message = await receive()
        self.body = message["body"]
        # Whoever listens for the client's leaving must be able to wait for it.
        waiting = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()
        headers = [(b"Content-Type", b"application/json"), (b"x-a", b"1")]
        start = {"type": "http.response.start", "status": self.status}
        await send({**start, "headers": headers})
        half = len(self.answer) // 2
        for part, more in ((self.answer[:half], True), (self.answer[half:], False)):
            await send({"type": "http.response.body", "body": part, "more_body": more})


def api_over(recorder: Recorder) -> InProcessApi:
    api = InProcessApi()
    api.app = recorder
    return api


async def test_a_call_is_a_request() -> None:
    """Path, parameters and body arrive as a client would send them."""
    recorder = Recorder(body={"ok": True})
    answer = await api_over(recorder).call(
        ANN,
        "post",
        "/api/catalog/entities/by-name/component/default/a%20b?x=1",
        params=[("filter", "kind=user,a=ü"), ("filter", "b")],
        json={"n": 1},
    )
    assert (answer.status, answer.json(), answer.headers["x-a"]) == (
        200,
        {"ok": True},
        "1",
    )
    scope = recorder.scope
    assert scope[IN_PROCESS] is ANN
    assert scope["method"] == "POST"
    assert scope["path"].endswith("/a b")
    assert scope["raw_path"].endswith(b"/a%20b")
    assert scope["query_string"] == (b"x=1&filter=kind%3Duser%2Ca%3D%C3%BC&filter=b")
    assert recorder.body == b'{"n":1}'


async def test_before_the_app_is_there_the_answer_is_503() -> None:
    """Not an exception: callers look at the status."""
    answer = await InProcessApi().call(ANN, "GET", "/api/status")
    assert (answer.status, answer.ok) == (503, False)


def test_what_an_answer_says_of_an_error() -> None:
    """The service's message, or at least its status."""
    told = orjson.dumps({"error": {"name": "X", "message": "no such thing"}})
    assert ApiAnswer(404, {}, told).error == "no such thing"
    assert ApiAnswer(502, {}, b"<html>").error == "The service answered 502"
    assert ApiAnswer(200, {}, b"").error == ""
