"""What one client may hold of a service's connections, and for how long."""

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.kit.http.connections import Bounds, ConnectionCensus, bounded_protocol
from tests.waiting import until_now

#: Short times, so that a test waits for less than a second.
SHORT = Bounds(
    head_seconds=0.3,
    body_seconds=0.3,
    body_rate=1024 * 1024,
    body_total_seconds=5.0,
    unread_seconds=0.3,
    check_seconds=0.1,
)
GET = b"GET /echo HTTP/1.1\r\nHost: x\r\n"
SLOW = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the length of the body and the number of headers."""
    if scope["type"] != "http":
        return
    if scope["path"] == "/early":
        await answer(send, b"early")
        return
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        length += len(message["body"])
        more = message["more_body"]
    if scope["path"] == "/slow":
        # Until the client has left.
        await receive()
        return
    if scope["path"] == "/big":
        await answer(send, b"x" * 50_000_000)
        return
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    text = f"{length} {len(scope['headers'])} {b','.join(hosts).decode()}"
    await answer(send, text.encode())


async def answer(send: Any, body: bytes) -> None:
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextlib.contextmanager
def serving(
    bounds: Bounds = SHORT,
    *,
    total: int = 100,
    per_client: int = 100,
    served: Any = app,
) -> Any:
    """The app, or another, on a real port; its number."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        config = uvicorn.Config(
            served,
            http=bounded_protocol(bounds, ConnectionCensus(total, per_client)),
            loop="uvloop",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
            timeout_keep_alive=1,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listening]}, daemon=True
        )
        thread.start()
        until_now(lambda: server.started, "the server")
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving() as port:
        yield port


@pytest.fixture(scope="module")
def usual_port() -> Iterator[int]:
    """The app with the usual times, which a busy machine keeps too."""
    with serving(Bounds()) as port:
        yield port


@contextlib.contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.settimeout(10)
        yield client


def heard(client: socket.socket) -> bytes:
    """All that the server says until it closes the connection."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(65536):
            parts.append(part)
    return b"".join(parts)


def said(port: int, *parts: bytes) -> bytes:
    """What the server answers to these bytes, up to its closing."""
    with connected(port) as client:
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            for part in parts:
                client.sendall(part)
        return heard(client)


def status(response: bytes) -> int:
    return int(response.split(b" ", 2)[1]) if response else 0


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [
        (GET + b"X: " + b"a" * 70_000 + b"\r\n\r\n", 431),
        (GET + b"X: " + b"a" * 60_000 + b"\r\nConnection: close\r\n\r\n", 200),
        (GET + b"".join(b"X%d: a\r\n" % n for n in range(300)) + b"\r\n", 431),
        (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET /\x00 HTTP/1.1\r\n\r\n", 400),
    ],
    ids=["header", "large header", "headers", "line", "TLS", "NUL"],
)
def test_the_head_of_a_request_is_limited(
    port: int, request_bytes: bytes, expected: int
) -> None:
    """Its bytes, its lines, its first line; the response says why it is refused."""
    assert status(said(port, request_bytes)) == expected


def test_an_endless_header_closes_the_connection(port: int) -> None:
    """The server closes it long before all is received."""
    megabyte = b"a" * 1_000_000
    sent = 0
    with connected(port) as client, contextlib.suppress(OSError):
        client.sendall(GET + b"X: ")
        for _ in range(200):
            client.sendall(megabyte)
            sent += 1
    assert sent < 20


def test_endless_trailers_close_the_connection(port: int) -> None:
    """Trailers of a chunked body are limited like headers."""
    post = b"POST /slow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    answered = said(port, post + b"1\r\na\r\n0\r\nX: " + b"a" * 200_000)
    assert status(answered) == 431


def test_trailers_are_not_taken_for_headers(port: int) -> None:
    """Credentials never come after the body."""
    post = (
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        b"Connection: close\r\n\r\n"
    )
    answered = said(port, post + b"1\r\na\r\n0\r\nAuthorization: Bearer x\r\n\r\n")
    assert answered.endswith(b"1 3 x")


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (b"", 0),
        (b"\r\n\r\n", 0),
        (b"GET /echo HT", 0),
        (GET + b"X: ", 0),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab", 0),
        (b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab", 200),
    ],
    ids=["nothing", "empty lines", "line", "header", "body", "body after the answer"],
)
def test_an_unfinished_request_closes_its_connection(
    port: int, first: bytes, expected: int
) -> None:
    """A response is sent only where the service answers before the body ends."""
    answered = said(port, first)
    assert status(answered) == expected
    assert answered.count(b"HTTP/1.1 ") == bool(expected)


def test_slow_single_bytes_do_not_keep_a_connection_open(port: int) -> None:
    """Neither bytes of a header now and then, nor bytes of a body."""
    post = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n"
    for first in (GET + b"X: ", post):
        with connected(port) as client:
            client.sendall(first)
            client.settimeout(0.05)
            until_now(lambda: is_ended(client), "the server closes")


def is_ended(client: socket.socket) -> bool:
    """Whether the other side has closed, after one more byte for it."""
    try:
        client.sendall(b"a")
        return client.recv(65536) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def test_a_slow_but_steady_body_is_received() -> None:
    """Received bytes extend the time: a slow upload is no attack."""
    bounds = Bounds(body_seconds=0.2, body_rate=100_000, check_seconds=0.05)
    post = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 400000\r\n"
    with serving(bounds) as port, connected(port) as client:
        chunk, ticking = b"a" * 40_000, threading.Event()
        client.sendall(post + b"Connection: close\r\n\r\n" + chunk)
        for _ in range(9):
            # The pace of the upload: together longer than `body_seconds`.
            ticking.wait(0.05)
            client.sendall(chunk)
        assert heard(client).endswith(b"400000 3 x")


def test_an_idle_connection_is_closed(port: int) -> None:
    """Empty lines are no request: they do not keep it open."""
    with connected(port) as client:
        client.sendall(GET + b"\r\n")
        response = client.recv(65536)
        assert status(response) == 200
        while not response.endswith(b"x"):
            response += client.recv(65536)
        client.sendall(b"\r\n")
        assert heard(client) == b""


def test_an_unread_response_closes_the_connection() -> None:
    """Its bytes fill the server's memory."""
    with serving() as port, connected(port) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        until_now(lambda: is_reset(client), "the server gives up")


def is_reset(client: socket.socket) -> bool:
    """Whether the other side has reset the connection; nothing is read."""
    try:
        client.sendall(b"G")
    except OSError:
        return True
    return False


def test_a_whole_url_names_the_host(port: int) -> None:
    """The target's authority counts, not the header beside it."""
    line = b"GET http://other.example:80/echo HTTP/1.1\r\nHost: x\r\n"
    assert said(port, line + b"Connection: close\r\n\r\n").endswith(
        b"0 2 other.example:80"
    )


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "CONNECT"])
@pytest.mark.parametrize(
    "target",
    [
        "*",
        "*x",
        "*@127.0.0.1:1/x",
        "*.evil.example/",
        "evil.example:80",
        "ftp://evil.example/",
        "http://x@evil.example/",
        "http://x\\@evil.example/",
        "http:///x",
    ],
)
def test_a_target_that_is_no_path_is_refused(
    port: int, method: str, target: str
) -> None:
    """No service sees a target that, after an address, could name another host."""
    with connected(port) as client:
        client.sendall(f"{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        response = client.recv(65536)
    assert status(response) == 400


def test_the_refusal_of_a_target_names_the_rule(port: int) -> None:
    """The message says what a request target must be."""
    with connected(port) as client:
        client.sendall(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")
        response = client.recv(65536)
    assert b"The request target must be a path that begins with /" in response


@pytest.mark.parametrize("target", [b"HTTP://other.example", b"http://other.example?a"])
def test_a_whole_url_without_a_path_is_the_root(port: int, target: bytes) -> None:
    """An absolute form needs no path (RFC 9112, section 3.2.1)."""
    line = b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert said(port, line).endswith(b"0 2 other.example")


def test_pipelined_requests_are_not_answered(port: int) -> None:
    """Requests that arrive before the response are ignored, however many they are."""
    answered = said(port, (GET + b"\r\n") * 1000)
    assert answered.count(b"HTTP/1.1 ") == 1
    assert status(answered) == 200


def test_a_malformed_request_does_not_affect_the_one_before(port: int) -> None:
    """The earlier request is answered, and then the connection ends."""
    answered = said(port, GET + b"\r\n" + b"\x00\x01\x02")
    assert answered.count(b"HTTP/1.1 ") == 1
    assert status(answered) == 200


def test_connections_per_client_are_limited() -> None:
    """A new client takes the place of an idle one; if all are busy it is refused."""
    with serving(Bounds(), per_client=3) as port, contextlib.ExitStack() as stack:
        silent = [stack.enter_context(connected(port)) for _ in range(3)]
        assert status(said(port, GET + b"Connection: close\r\n\r\n")) == 200
        assert silent[0].recv(1) == b""
        busy = [stack.enter_context(connected(port)) for _ in range(3)]
        for client in busy:
            client.sendall(SLOW)
        until_now(lambda: status(said(port, GET + b"\r\n")) == 503, "a refusal")
        busy[0].close()
        closing = GET + b"Connection: close\r\n\r\n"
        until_now(lambda: status(said(port, closing)) == 200, "a free place")


@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 200_000), min_size=1, max_size=4),
    cuts=st.lists(st.integers(100, 70_000), min_size=1, max_size=6),
    chunked=st.booleans(),
)
def test_requests_are_parsed_however_they_are_split(
    usual_port: int, lengths: list[int], cuts: list[int], chunked: bool
) -> None:
    """Requests one after the other, in any pieces."""
    lengths_read = []
    with connected(usual_port) as client:
        for length in lengths:
            whole = posted(length, chunked)
            sending = threading.Thread(target=send_cut, args=(client, whole, cuts))
            sending.start()
            response = b""
            while not response.endswith(b" 2 x"):
                part = client.recv(65536)
                assert part, response
                response += part
            sending.join()
            lengths_read.append(int(response.rpartition(b"\n")[2].split()[0]))
    assert lengths_read == lengths


def send_cut(client: socket.socket, whole: bytes, cuts: list[int]) -> None:
    """Send all of it in pieces of these lengths, over and over."""
    place = 0
    for cut in itertools.cycle(cuts):
        client.sendall(whole[place : place + cut])
        place += cut
        if place >= len(whole):
            return


def posted(length: int, chunked: bool) -> bytes:
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\n"
    if not chunked:
        return head + b"Content-Length: %d\r\n\r\n" % length + b"a" * length
    body = b"%x\r\n%s\r\n" % (length, b"a" * length) if length else b""
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + body + b"0\r\n\r\n"
