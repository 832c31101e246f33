"""Access to documents (Motor). Only `store` rooms and the outbox use it.

Every write is acknowledged by a majority and by the journal, because it must survive
the end of the server that accepted it. A single server accepts the same options
(ADR 0013).
"""

import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from motor.motor_asyncio import (
    AsyncIOMotorClient,
    AsyncIOMotorCollection,
    AsyncIOMotorDatabase,
)
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    DocumentTooLarge,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
)
from pymongo.monitoring import (
    TopologyClosedEvent,
    TopologyDescriptionChangedEvent,
    TopologyListener,
    TopologyOpenedEvent,
)
from pymongo.topology_description import TopologyDescription

from shared.contracts.errors import CallboardError, Invalid, TooLarge, Unavailable
from shared.kit.config.servers import Server

Document = dict[str, Any]
Collection = AsyncIOMotorCollection[Document]
Database = AsyncIOMotorDatabase[Document]
#: The address may override each (`?socketTimeoutMS=60000`). Calls to a server that does
#: not answer the heartbeat for `connectTimeoutMS` are ended; on an overloaded machine,
#: three seconds were too short.
OPTIONS = {
    "serverSelectionTimeoutMS": 3000,
    "connectTimeoutMS": 8000,
    "waitQueueTimeoutMS": 3000,
    "socketTimeoutMS": 20_000,
    "heartbeatFrequencyMS": 2000,
    "maxPoolSize": 20,
    "w": "majority",
    "wTimeoutMS": 10_000,
    "journal": True,
    "retryWrites": True,
    "retryReads": True,
    "appName": "callboard",
}
#: Calls wait for a lost server for so long; later calls fail at once.
RETURN_SECONDS = 3.0
#: Server codes: not authorised, wrong password, wrong mechanism of the user.
UNAUTHENTICATED = frozenset({11, 13, 18, 334, 8000})
#: Server codes: the server lacks the members or the journal of the write concern.
REFUSED_CONCERN = frozenset({2, 79, 93, 100})
#: Server codes of temporary errors: stepping down, shutting down, no space, a lock.
TEMPORARY = frozenset({6, 7, 8, 24, 50, 64, 89, 91, 112, 189, 262, 9001, 10058, 14031})
TEMPORARY |= frozenset({10107, 11600, 11602, 13388, 13435, 13436})
DUPLICATE = 11000
#: A count for an operator stops here.
COUNT_LIMIT = 10_000


class Presence(TopologyListener):
    """Records since when there was no server; the driver reports it a second late."""

    def __init__(self) -> None:
        #: By the monotonic clock. None: there is a server, or no attempt to find one.
        self.since: float | None = None

    def opened(self, event: TopologyOpenedEvent) -> None:
        """The driver opens a client."""

    def closed(self, event: TopologyClosedEvent) -> None:
        """The driver closes a client."""

    def description_changed(self, event: TopologyDescriptionChangedEvent) -> None:
        """The driver found a server, or lost one."""
        topology = event.new_description
        if topology.has_readable_server():
            self.since = None
        elif self.since is None and _is_lost(topology):
            self.since = time.monotonic()


def _is_lost(topology: TopologyDescription) -> bool:
    """Whether an attempt failed; before the first one there is no error either."""
    return any(server.error for server in topology.server_descriptions().values())


class MonitoredMongoClient(AsyncIOMotorClient[Document]):
    """Motor's client, which also records whether a server answers."""

    def __init__(self, address: str, **options: Any) -> None:
        # Before `super`, as Motor reads an unknown attribute as a database's name.
        self.presence = Presence()
        listeners = [self.presence]
        super().__init__(address, event_listeners=listeners, **options)

    @property
    def away_seconds(self) -> float:
        """Seconds without a server; 0 while there is one.

        The topology is read too, because calls must not be refused for a second after
        others have succeeded.
        """
        since = self.presence.since
        if since is None:
            return 0.0
        now: Any = self.topology_description
        return 0.0 if now.has_readable_server() else time.monotonic() - since


def away_seconds(
    place: Collection | Database,
) -> float:
    """Seconds without a server of the database or collection."""
    owner = place.database if isinstance(place, AsyncIOMotorCollection) else place
    return (
        owner.client.away_seconds
        if isinstance(owner.client, MonitoredMongoClient)
        else 0.0
    )


class Unfit(CallboardError):
    """The store's content does not fit this version; the operator must decide."""

    name = "UnfitStoreError"
    status = 503


@dataclass(frozen=True, slots=True)
class Index:
    """An index that a store's queries rely on; `fields` ascending, in this order."""

    fields: tuple[str, ...]
    unique: bool = False
    sparse: bool = False

    @classmethod
    def on(cls, *fields: str, unique: bool = False, sparse: bool = False) -> "Index":
        """An index on these fields."""
        return cls(fields, unique, sparse)

    def __str__(self) -> str:
        options = [name for name in ("unique", "sparse") if getattr(self, name)]
        return f"({', '.join(self.fields)}){''.join(f' {name}' for name in options)}"


def connect(server: Server | str) -> MonitoredMongoClient:
    """A client whose calls fail after seconds, not minutes, without a server.

    Raises:
        Invalid: if the address is wrong, naming the setting and never the password.
    """
    server = Server.of(server)
    options: dict[str, Any] = dict(OPTIONS)
    if server.user is not None:
        options |= {"username": server.user, "password": server.password}
    if server.ca is not None and not server.ca.is_file():
        raise Invalid(f"CALLBOARD_MONGODB_CA: there is no file {server.ca}")
    if server.encrypted:
        options["tls"] = True
        options |= {"tlsCAFile": str(server.ca)} if server.ca else {}
    address_options = {
        key.lower() for key, _ in parse_qsl(urlsplit(server.address).query)
    }
    options = {
        key: value
        for key, value in options.items()
        if key.lower() not in address_options
    }
    try:
        with warnings.catch_warnings():
            # The driver ignores an option with a warning; a misspelling must fail.
            warnings.simplefilter("error", UserWarning)
            return MonitoredMongoClient(server.address, tz_aware=True, **options)
    except (PyMongoError, ValueError, TypeError, OSError, UserWarning) as error:
        # The driver's message may repeat the address with its password.
        reason = "" if "@" in server.address else f": {error}"
        if server.user is not None and isinstance(error, ConfigurationError):
            reason = f": a user needs CALLBOARD_MONGODB_PASSWORD{reason}"
        raise Invalid(
            "CALLBOARD_MONGODB: must be an address such as "
            f"mongodb://host:27017/?replicaSet=rs0{reason}"
        ) from None


def database(client: MonitoredMongoClient, service: str) -> Database:
    """A service's own database."""
    return client[f"callboard_{service}"]


@contextmanager
def unavailable_as_error(
    place: Collection | None = None,
) -> Iterator[None]:
    """Turn errors of an unavailable server into `Unavailable`.

    With `place`, no call begins while its server has been unavailable for a while,
    because each would occupy one of the driver's few threads for seconds. A write that
    failed so may have happened; it must be safe to repeat.
    """
    if place is not None and away_seconds(place) > RETURN_SECONDS:
        raise Unavailable("The document store does not answer")
    try:
        yield
    except DocumentTooLarge as error:
        raise TooLarge("The document store takes no document of over 16 MB") from error
    except (AutoReconnect, ConnectionFailure, ExecutionTimeout) as error:
        raise Unavailable("The document store does not answer") from error
    except WriteConcernError as error:
        raise Unavailable(_unconfirmed(error.code)) from error
    except BulkWriteError as error:
        failures = write_errors(error)
        if failures and all(failure["code"] in TEMPORARY for failure in failures):
            raise Unavailable("The document store cannot write now") from error
        raise
    except OperationFailure as error:
        if error.code in UNAUTHENTICATED:
            raise Unavailable(
                "The document store refuses the user: see CALLBOARD_MONGODB_USER, "
                "CALLBOARD_MONGODB_PASSWORD and the user's role readWrite"
            ) from error
        if error.code in TEMPORARY:
            raise Unavailable("The document store cannot do this now") from error
        raise


def write_errors(error: BulkWriteError) -> Sequence[Document]:
    """The failed writes of a batch, with `index` and `code`.

    Raises:
        Unavailable: if other writes are not confirmed.
    """
    details: Document = dict(error.details or {})
    unconfirmed = details.get("writeConcernErrors") or ()
    if unconfirmed:
        raise Unavailable(_unconfirmed(unconfirmed[0].get("code"))) from error
    failures: Sequence[Document] = details.get("writeErrors") or ()
    return failures


def only_duplicates(error: BulkWriteError) -> frozenset[int]:
    """The positions of the documents that exist already.

    Raises:
        BulkWriteError: if any failed for another reason.
        Unavailable: if other writes are not confirmed.
    """
    failures = write_errors(error)
    if any(failure["code"] != DUPLICATE for failure in failures):
        raise error
    return frozenset(int(failure["index"]) for failure in failures)


async def counted(collection: Collection, filters: Mapping[str, Any]) -> int:
    """The number of matching documents, by an index; at most `COUNT_LIMIT`.

    A server's own count may read all documents: the embedded one takes four seconds for
    100,000 documents, and the search by the index one millisecond.
    """
    cursor = collection.find(filters, {"_id": 1}).limit(COUNT_LIMIT)
    return len(await cursor.to_list(COUNT_LIMIT))


async def ensure_indexes(collection: Collection, indexes: Sequence[Index]) -> None:
    """Create missing indexes; safe to repeat, and in many processes at once.

    Raises:
        Unfit: if one exists with other options; the operator must drop it.
    """
    if not indexes:
        return
    with unavailable_as_error():
        is_unique = await _uniqueness(collection)
        for index in indexes:
            if is_unique.get(index.fields, index.unique) != index.unique:
                raise Unfit(_contradiction(collection, index))
            if index.fields in is_unique:
                # Some servers would replace it.
                continue
            # Options that are off are not sent, as some servers compare them.
            options: dict[str, Any] = {"sparse": True} if index.sparse else {}
            options |= {"unique": True} if index.unique else {}
            keys = [(field, 1) for field in index.fields]
            try:
                await collection.create_index(keys, **options)
            except OperationFailure as error:
                if error.code not in {67, 85, 86}:
                    raise
                raise Unfit(_contradiction(collection, index)) from error


async def _uniqueness(
    collection: Collection,
) -> dict[tuple[str, ...], bool]:
    """Whether the index on each tuple of fields is unique, as all servers report."""
    indexes = await collection.index_information()
    return {
        tuple(field for field, _ in index["key"]): bool(index.get("unique"))
        for index in indexes.values()
    }


def _contradiction(collection: Collection, index: Index) -> str:
    return (
        f"{collection.full_name}: the index on {', '.join(index.fields)} has other "
        f"options than {index}; drop it there, it is made anew at the next start"
    )


def _unconfirmed(code: int | None) -> str:
    if code in REFUSED_CONCERN:
        return (
            "The document store cannot keep to the write concern majority, journal: "
            "see CALLBOARD_MONGODB, where w and journal may be said otherwise"
        )
    return "The document store did not confirm the write in time"
