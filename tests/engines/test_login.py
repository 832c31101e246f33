"""The embedded document store is for those who know its password."""

import contextlib
import socket
import struct
from collections.abc import Iterator
from typing import Any

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from deploy.embedded import engines
from deploy.embedded.login import Exchange, LoginRefused, Verifier
from deploy.engines.engine import Engine
from shared.kit.config.servers import Server
from shared.kit.documents import mongo
from tests.conftest import running

PASSWORD = "a-password-of-the-tests"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("login")
    file = folder / "password"
    file.write_text(PASSWORD + "\n")
    log = folder / "log"
    started = engines.start_documents(folder / "data", log, password_file=file)
    with running(started) as engine:
        yield engine


def client(store: Engine, user: str | None, password: str | None) -> Any:
    options: dict[str, Any] = {"serverSelectionTimeoutMS": 5000}
    if user is not None:
        options |= {"username": user, "password": password}
    return MongoClient(store.address, **options)


async def test_a_client_with_the_password_reads_and_writes(store: Engine) -> None:
    """By the services' own client, on all of its connections."""
    assert PASSWORD not in repr(store)
    connected = mongo.connect(store.server)
    try:
        collection = connected["mine"]["things"]
        await collection.insert_one({"_id": 1})
        assert await collection.count_documents({}) == 1
    finally:
        connected.close()


@pytest.mark.parametrize(
    ("user", "password"),
    [
        ("callboard", "another"),
        ("callboard", PASSWORD + "x"),
        ("somebody", PASSWORD),
        (None, None),
    ],
)
def test_a_client_without_the_password_is_refused(
    store: Engine, user: str | None, password: str | None
) -> None:
    """Neither with a wrong password nor without any."""
    with client(store, user, password) as connected:
        things = connected["mine"]["things"]
        for ask in (
            lambda: things.find_one({}),
            lambda: things.insert_one({"_id": 2}),
            connected.list_database_names,
            lambda: connected["mine"].command("dropDatabase"),
        ):
            with pytest.raises(OperationFailure) as raised:
                ask()
            assert raised.value.code in (13, 18)


def test_a_greeting_needs_no_login(store: Engine) -> None:
    """Drivers look for a server before they log in."""
    with client(store, None, None) as connected:
        assert connected.admin.command("ping")["ok"] == 1


@pytest.mark.parametrize(
    "message",
    [
        b"\xff" * 16,
        struct.pack("<iiii", 48_000_000, 1, 0, 2013),
        struct.pack("<iiii", 17, 1, 0, 2013) + b"x",
        struct.pack("<iiii", 20, 1, 0, 2012) + b"xxxx",
        struct.pack("<iiii", 0, 1, 0, 2004),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_a_malformed_request_ends_the_connection(store: Engine, message: bytes) -> None:
    """Nothing large is waited for; other connections go on."""
    port = int(store.address.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(10)
        connection.sendall(message)
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(100) == b""
    with client(store, "callboard", PASSWORD) as connected:
        assert connected.admin.command("ping")["ok"] == 1


def command(document: dict[str, Any]) -> bytes:
    body = struct.pack("<IB", 0, 0) + bson.encode(document)
    return struct.pack("<iiii", 16 + len(body), 1, 0, 2013) + body


def test_a_login_step_without_a_start_is_refused(store: Engine) -> None:
    """Also of another mechanism, or with an invalid payload."""
    port = int(store.address.rpartition(":")[2])
    for document in (
        {"saslContinue": 1, "payload": b"c=biws,r=,p=", "$db": "admin"},
        {"saslStart": 1, "mechanism": "PLAIN", "payload": b"", "$db": "admin"},
        {"saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": 7, "$db": "admin"},
    ):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.settimeout(10)
            connection.sendall(command(document))
            answered = bson.decode(connection.recv(4096)[21:])
            assert answered["code"] == 18


VERIFIER = Verifier.of(PASSWORD)


@given(st.binary(max_size=80))
def test_no_other_login_proof_is_accepted(proof: bytes) -> None:
    """Whatever its bytes are."""
    exchange = Exchange(VERIFIER)
    nonce = exchange.first(b"n,,n=callboard,r=abc").partition(b"r=")[2].split(b",")[0]
    for message in (b"c=biws,r=" + nonce + b",p=" + proof, proof):
        with pytest.raises(LoginRefused):
            exchange.last(message)


def test_the_address_alone_gives_no_access(store: Engine) -> None:
    """The address in `run.json` has no password."""
    assert "@" not in store.address
    with pytest.raises(PyMongoError):
        mongo.connect(Server(store.address)).delegate["mine"]["things"].find_one({})
