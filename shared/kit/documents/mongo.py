"""How documents are reached (Motor). Only `store` rooms and the outbox use it.

Every write is acknowledged by a majority and by the journal: an acknowledged write must
survive the end of the server that took it. A single server understands both words, as
it understands that there is nobody to elect and no write to repeat (ADR 0013).
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

from shared.contracts.errors import CallboardError, Invalid, Unavailable
from shared.kit.config.servers import Server

Document = dict[str, Any]
Collection = AsyncIOMotorCollection[Document]
Database = AsyncIOMotorDatabase[Document]
#: Each may be overruled in the address (`?socketTimeoutMS=60000`). A server that does
#: not answer the heartbeat for `connectTimeoutMS` stands still, and calls that wait for
#: it are ended; on a machine with too much to do, three seconds were mere slowness.
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
#: A lost server may be back at once: calls look for it for so long, later ones do not.
PATIENCE_SECONDS = 3.0
#: Server codes: not authorised, wrong password, no such user's mechanism.
UNPROVEN = frozenset({11, 13, 18, 334, 8000})
#: Server codes: the write concern names members or a journal that are not there.
REFUSED_CONCERN = frozenset({2, 79, 93, 100})
#: Server codes of what passes: stepping down, shutting down, no space, a lock's wait.
PASSING = frozenset({6, 7, 8, 24, 50, 64, 89, 91, 112, 189, 262, 9001, 10058, 14031})
PASSING |= frozenset({10107, 11600, 11602, 13388, 13435, 13436})
DUPLICATE = 11000
#: What is counted for an operator's eyes is counted up to here.
COUNTED = 10_000


class Presence(TopologyListener):
    """Knows since when there was no server; the driver tells it, a second late."""

    def __init__(self) -> None:
        #: By the monotonic clock. None: there is one, or nobody has looked for one yet.
        self.since: float | None = None

    def opened(self, event: TopologyOpenedEvent) -> None:
        """A client begins."""

    def closed(self, event: TopologyClosedEvent) -> None:
        """A client ends."""

    def description_changed(self, event: TopologyDescriptionChangedEvent) -> None:
        """The driver found a server, or lost one."""
        found = event.new_description
        if found.has_readable_server():
            self.since = None
        elif self.since is None and _is_lost(found):
            self.since = time.monotonic()


def _is_lost(found: TopologyDescription) -> bool:
    """Whether somebody looked in vain: at first no server is known, nor any error."""
    return any(server.error for server in found.server_descriptions().values())


class MonitoredMongoClient(AsyncIOMotorClient[Document]):
    """Motor's client, which also knows whether anybody answers."""

    def __init__(self, address: str, **options: Any) -> None:
        # Before Motor's own, which takes an unknown attribute for a database's name.
        self.presence = Presence()
        listeners = [self.presence]
        super().__init__(address, event_listeners=listeners, **options)

    @property
    def away_seconds(self) -> float:
        """For how long no server was to be found; 0 while there is one.

        That there is one again is asked for: calls must not be refused for a second
        after others have succeeded.
        """
        since = self.presence.since
        if since is None:
            return 0.0
        now: Any = self.topology_description
        return 0.0 if now.has_readable_server() else time.monotonic() - since


def away_seconds(
    place: Collection | Database,
) -> float:
    """For how long the server of a database or collection was not to be found."""
    owner = place.database if isinstance(place, AsyncIOMotorCollection) else place
    return (
        owner.client.away_seconds
        if isinstance(owner.client, MonitoredMongoClient)
        else 0.0
    )


class Unfit(CallboardError):
    """What the store holds is not what this version works with; who runs it decides."""

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
        marks = [m for m in ("unique", "sparse") if getattr(self, m)]
        return f"({', '.join(self.fields)}){''.join(f' {mark}' for mark in marks)}"


def connect(server: Server | str) -> MonitoredMongoClient:
    """A client whose calls fail after seconds, not minutes, when nobody answers.

    Raises:
        Invalid: if the address is none, naming the setting and never the password.
    """
    given = Server.of(server)
    options: dict[str, Any] = dict(OPTIONS)
    if given.user is not None:
        options |= {"username": given.user, "password": given.password}
    if given.ca is not None and not given.ca.is_file():
        raise Invalid(f"CALLBOARD_MONGODB_CA: there is no file {given.ca}")
    if given.encrypted:
        options["tls"] = True
        options |= {"tlsCAFile": str(given.ca)} if given.ca else {}
    said = {key.lower() for key, _ in parse_qsl(urlsplit(given.address).query)}
    options = {key: value for key, value in options.items() if key.lower() not in said}
    try:
        with warnings.catch_warnings():
            # What the driver only warns of, it ignores; a typing error must be seen.
            warnings.simplefilter("error", UserWarning)
            return MonitoredMongoClient(given.address, tz_aware=True, **options)
    except (PyMongoError, ValueError, TypeError, OSError, UserWarning) as error:
        # The driver's words may repeat the address, and that the password in it.
        reason = "" if "@" in given.address else f": {error}"
        if given.user is not None and isinstance(error, ConfigurationError):
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
    """Turn a server that does not answer, or not now, into `Unavailable`.

    Where it is said on which `place` the calls are, none is begun while the server has
    been away for a while: each would keep one of the driver's few threads for seconds.
    A write that ended so may have happened or not: whoever repeats it must be able to.
    """
    if place is not None and away_seconds(place) > PATIENCE_SECONDS:
        raise Unavailable("The document store does not answer")
    try:
        yield
    except (AutoReconnect, ConnectionFailure, ExecutionTimeout) as error:
        raise Unavailable("The document store does not answer") from error
    except WriteConcernError as error:
        raise Unavailable(_unsure(error.code)) from error
    except BulkWriteError as error:
        failures = write_errors(error)
        if failures and all(failure["code"] in PASSING for failure in failures):
            raise Unavailable("The document store cannot write now") from error
        raise
    except OperationFailure as error:
        if error.code in UNPROVEN:
            raise Unavailable(
                "The document store refuses the user: see CALLBOARD_MONGODB_USER, "
                "CALLBOARD_MONGODB_PASSWORD and the user's role readWrite"
            ) from error
        if error.code in PASSING:
            raise Unavailable("The document store cannot do this now") from error
        raise


def write_errors(error: BulkWriteError) -> Sequence[Document]:
    """The writes of a batch that failed, by `index` and `code`.

    Raises:
        Unavailable: if some that did not fail are not known to be safe.
    """
    details: Document = dict(error.details or {})
    unsure = details.get("writeConcernErrors") or ()
    if unsure:
        raise Unavailable(_unsure(unsure[0].get("code"))) from error
    failures: Sequence[Document] = details.get("writeErrors") or ()
    return failures


def only_duplicates(error: BulkWriteError) -> frozenset[int]:
    """The positions of the documents that were there before.

    Raises:
        BulkWriteError: if any failed for another reason.
        Unavailable: if some are not known to be safe.
    """
    failures = write_errors(error)
    if any(failure["code"] != DUPLICATE for failure in failures):
        raise error
    return frozenset(int(failure["index"]) for failure in failures)


async def counted(collection: Collection, filters: Mapping[str, Any]) -> int:
    """How many documents fit, by an index on what `filters` asks; `COUNTED` at most.

    A server's own count may look at all documents: the embedded one takes four seconds
    for 100,000, where the search by the index takes one millisecond.
    """
    found = collection.find(filters, {"_id": 1}).limit(COUNTED)
    return len(await found.to_list(COUNTED))


async def ensure_indexes(collection: Collection, indexes: Sequence[Index]) -> None:
    """Make what is missing; safe to repeat, and by many processes at once.

    Raises:
        Unfit: if one is there with other options: dropping it is its owner's decision.
    """
    if not indexes:
        return
    with unavailable_as_error():
        there = await _uniqueness(collection)
        for index in indexes:
            if there.get(index.fields, index.unique) != index.unique:
                raise Unfit(_contradiction(collection, index))
            if index.fields in there:
                # Asked for again it would cost nothing, but some servers replace it.
                continue
            # Named: absent options are not sent, as some servers compare them.
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
    """Whether the index on these fields is unique: all servers tell that much."""
    found = await collection.index_information()
    return {
        tuple(field for field, _ in known["key"]): bool(known.get("unique"))
        for known in found.values()
    }


def _contradiction(collection: Collection, index: Index) -> str:
    return (
        f"{collection.full_name}: the index on {', '.join(index.fields)} has other "
        f"options than {index}; drop it there, it is made anew at the next start"
    )


def _unsure(code: int | None) -> str:
    if code in REFUSED_CONCERN:
        return (
            "The document store cannot keep to the write concern majority, journal: "
            "see CALLBOARD_MONGODB, where w and journal may be said otherwise"
        )
    return "The document store did not confirm the write in time"
