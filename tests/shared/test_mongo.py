"""The way to the documents: what is asked of a server, and what its absence means."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from pymongo.errors import (
    BulkWriteError,
    OperationFailure,
    PyMongoError,
    WTimeoutError,
)

from shared.contracts.errors import Invalid, Unavailable
from shared.kit.config.servers import Server
from shared.kit.documents import mongo
from shared.kit.documents.mongo import (
    Index,
    Unfit,
    ensure_indexes,
    unavailable_as_error,
)
from tests.shared import documents
from tests.waiting import until

PASSWORD = "sesame-open"
#: Looking for a server takes three seconds, finding that it stands still some more.
SOON = 20.0


async def ping(client: Any) -> None:
    counted = client["test"]["t"]
    with unavailable_as_error(counted):
        await counted.update_one({"_id": 1}, {"$inc": {"n": 1}}, upsert=True)


async def test_writes_are_safe_unless_the_address_says_otherwise() -> None:
    """Majority and journal by default; the address may override both."""
    client = mongo.connect("mongodb://127.0.0.1:1")
    concern = client.write_concern.document
    assert (concern["w"], concern["j"]) == ("majority", True)
    assert client.options.retry_writes
    client.close()
    client = mongo.connect("mongodb://127.0.0.1:1/?w=1&journal=false&retryWrites=false")
    concern = client.write_concern.document
    assert (concern["w"], concern["j"]) == (1, False)
    assert not client.options.retry_writes
    client.close()


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:27017",
        f"mongodb://ann:{PASSWORD}/x@127.0.0.1:27017",
        "mongodb://127.0.0.1:port",
        "mongodb://127.0.0.1:27017/?w=many&journal=perhaps",
    ],
)
async def test_an_invalid_address_names_the_setting(address: str) -> None:
    """The error has an example, and repeats no password."""
    with pytest.raises(
        Invalid, match="CALLBOARD_MONGODB: must be an address"
    ) as caught:
        mongo.connect(address)
    assert PASSWORD not in str(caught.value)


async def test_incomplete_credentials_are_refused_by_setting(tmp_path: Path) -> None:
    """A user without a password, or an authority without a file."""
    with pytest.raises(Invalid, match="CALLBOARD_MONGODB_PASSWORD"):
        mongo.connect(Server("mongodb://127.0.0.1:1", "ann"))
    with pytest.raises(Invalid, match="CALLBOARD_MONGODB_CA: there is no file"):
        mongo.connect(Server("mongodb://127.0.0.1:1", ca=tmp_path / "none.pem"))


async def test_a_missing_server_is_unavailable() -> None:
    """An address without a server is an error within seconds."""
    client = mongo.connect("mongodb://127.0.0.1:1")
    start = time.monotonic()
    with pytest.raises(Unavailable, match="does not answer"):
        await ping(client)
    assert time.monotonic() - start < SOON / 2
    client.close()


async def test_an_unused_client_is_not_unavailable(
    mongodb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first call connects, however late it comes."""
    monkeypatch.setattr(mongo, "RETURN_SECONDS", 0.0)
    events: list[Any] = []
    original = mongo.Presence.description_changed

    def noted(presence: mongo.Presence, event: Any) -> None:
        original(presence, event)
        events.append(event)

    monkeypatch.setattr(mongo.Presence, "description_changed", noted)
    client = mongo.connect(mongodb)
    await until(lambda: events, condition="the driver's first word on its servers")
    assert client.away_seconds == 0
    await ping(client)
    client.close()


async def test_a_returned_server_is_used_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A late notice of the driver about its return refuses no call."""
    monkeypatch.setattr(mongo, "RETURN_SECONDS", 0.0)
    with documents.started(tmp_path) as engine:
        client = mongo.connect(engine.server)
        await ping(client)
        port = int(engine.address.rpartition(":")[2])
        engine.process.kill()
        engine.process.wait()
        with pytest.raises(PyMongoError):
            await client["test"]["t"].find_one({})
        await until(lambda: client.away_seconds > 0)
        again = await asyncio.to_thread(documents.start, tmp_path, port)
        # Without a look at how long it was away: this one finds it again.
        await client["test"]["t"].find_one({})
        await ping(client)
        client.close()
        again.stop()


async def test_a_killed_or_frozen_server_is_unavailable(
    tmp_path: Path,
) -> None:
    """No call hangs, and the first one after its return is answered."""
    with documents.started(tmp_path) as engine:
        client = mongo.connect(engine.server)
        await ping(client)
        with documents.frozen(engine):
            start = time.monotonic()
            errors = await asyncio.gather(
                *(ping(client) for _ in range(8)), return_exceptions=True
            )
            assert time.monotonic() - start < SOON
            assert {type(error) for error in errors} == {Unavailable}
            await until(lambda: client.away_seconds > mongo.RETURN_SECONDS)
            start = time.monotonic()
            for _ in range(40):
                with pytest.raises(Unavailable):
                    await ping(client)
            assert time.monotonic() - start < 5, "known to be away: nobody waits"
        await until(lambda: client.away_seconds == 0)
        await ping(client)
        engine.process.kill()
        engine.process.wait()
        with pytest.raises(Unavailable):
            await ping(client)
        port = int(engine.address.rpartition(":")[2])
        again = await asyncio.to_thread(documents.start, tmp_path, port)
        await until(lambda: client.away_seconds == 0)
        await ping(client)
        document = await client["test"]["t"].find_one({"_id": 1})
        # Who was told "unavailable" does not know: it may have been written.
        assert document["n"] >= 3
        client.close()
        again.stop()


async def test_a_secured_server_requires_its_user(secured_mongodb: Server) -> None:
    """User, password and authority are accepted; an error names the wrong one."""
    client = mongo.connect(secured_mongodb)
    await ping(client)
    client.close()
    server = secured_mongodb
    for user, password in ((server.user, PASSWORD), (None, None)):
        client = mongo.connect(Server(server.address, user, password, server.ca))
        with pytest.raises(Unavailable, match="CALLBOARD_MONGODB_USER") as caught:
            await ping(client)
        assert PASSWORD not in str(caught.value)
        client.close()
    client = mongo.connect(
        Server(server.address, server.user, server.password, tls=True)
    )
    with pytest.raises(Unavailable, match="does not answer"):
        await ping(client)
    client.close()


@pytest.mark.parametrize(
    "error",
    [
        WTimeoutError("waiting for replication timed out", 64, {}),
        OperationFailure("stepping down", 189),
        BulkWriteError({"writeErrors": [], "writeConcernErrors": [{"code": 64}]}),
        BulkWriteError({"writeErrors": [{"index": 0, "code": 14031}]}),
    ],
    ids=lambda error: type(error).__name__,
)
def test_transient_errors_are_unavailable(error: Exception) -> None:
    """A write without a majority may be lost: its caller retries it."""
    with pytest.raises(Unavailable), unavailable_as_error():
        raise error


def test_a_refused_write_concern_is_named() -> None:
    """For a server without a journal the error says what to change."""
    failed = {"writeErrors": [], "writeConcernErrors": [{"code": 100}]}
    with (
        pytest.raises(Unavailable, match="see CALLBOARD_MONGODB, where w"),
        unavailable_as_error(),
    ):
        raise BulkWriteError(failed)


def test_programming_errors_are_not_taken_for_unavailability() -> None:
    """An internal error is raised as it is."""
    with pytest.raises(OperationFailure), unavailable_as_error():
        raise OperationFailure("unknown operator: $sett", 9)


async def test_indexes_are_created_once(database: Any) -> None:
    """A second and a concurrent creation change nothing."""
    indexes = (Index.on("unsent"), Index.on("task", "number", unique=True))
    await asyncio.gather(*(ensure_indexes(database["t"], indexes) for _ in range(8)))
    await ensure_indexes(database["t"], indexes)
    information = await database["t"].index_information()
    keys = sorted(
        [field for field, _ in index["key"]] for index in information.values()
    )
    assert keys == [["_id"], ["task", "number"], ["unsent"]]
    await database["t"].insert_one({"_id": "a", "task": "t", "number": 1})
    with pytest.raises(mongo.PyMongoError) as caught:
        await database["t"].insert_one({"_id": "b", "task": "t", "number": 1})
    assert caught.value.code == mongo.DUPLICATE  # type: ignore[attr-defined]


async def test_an_index_with_other_options_is_named(database: Any) -> None:
    """It is not replaced silently."""
    await database["t"].create_index("name")
    with pytest.raises(Unfit, match=r"t: the index on name has other options"):
        await ensure_indexes(database["t"], [Index.on("name", unique=True)])
    await database["t"].insert_many([{"_id": 1, "name": "a"}, {"_id": 2, "name": "a"}])
