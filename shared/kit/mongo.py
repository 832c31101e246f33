"""How documents are reached (Motor). Only `store` rooms and the outbox use it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase
from pymongo.errors import AutoReconnect, ConnectionFailure, ServerSelectionTimeoutError

from shared.contracts.errors import Unavailable

SELECTION_MS = 3000
SOCKET_MS = 20_000


def connect(url: str) -> AsyncIOMotorClient[dict[str, Any]]:
    """A client whose calls fail after seconds, not minutes, when nobody answers."""
    return AsyncIOMotorClient(
        url,
        serverSelectionTimeoutMS=SELECTION_MS,
        connectTimeoutMS=SELECTION_MS,
        socketTimeoutMS=SOCKET_MS,
        maxPoolSize=20,
        tz_aware=True,
        retryWrites=False,
    )


def database(
    client: AsyncIOMotorClient[dict[str, Any]], service: str
) -> AsyncIOMotorDatabase[dict[str, Any]]:
    """A service's own database."""
    return client[f"callboard_{service}"]


@contextmanager
def unavailable_as_error() -> Iterator[None]:
    """Turn a server that does not answer into `Unavailable`."""
    try:
        yield
    except (AutoReconnect, ConnectionFailure, ServerSelectionTimeoutError) as error:
        raise Unavailable("The document store does not answer") from error
