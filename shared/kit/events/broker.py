"""How clients connect to the event log's broker, and what that broker can do.

The embedded broker implements only a part of Kafka's protocol. A broker reports what it
can do (ApiVersions); it is not configured. The report decides how long a fetch may wait
and whether topics can be declared and checked.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError, SaslAuthenticationFailed
from aiokafka.protocol.admin import (
    ApiVersionRequest,
    CreateTopicsRequest,
    DescribeConfigsRequest,
)

from shared.contracts.errors import Unavailable
from shared.kit.config.servers import Server
from shared.kit.events.embedded_log import EmbeddedLogConsumer

MECHANISM = "SCRAM-SHA-512"
REQUEST_SECONDS = 5
END_SECONDS = 2.0
#: How long a real broker may hold an empty fetch; it answers at once when a message
#: arrives.
LONG_POLL_MS = 500
#: The embedded broker answers only when the wait is over, also if a message arrives.
SHORT_POLL_MS = 30
#: How often aiokafka's fetcher wakes up by itself. Every change wakes it (responses,
#: positions, assignments); its default of 0.2 s would be a quarter of an idle portal's
#: work.
FETCHER_POLL_MS = 2000


@dataclass(frozen=True, slots=True)
class Abilities:
    """The abilities that not every broker has."""

    #: Topics can be created and their settings read.
    declares: bool

    @property
    def fetch_wait_ms(self) -> int:
        """The longest that a fetch should wait there."""
        return LONG_POLL_MS if self.declares else SHORT_POLL_MS


def client_options(server: Server) -> dict[str, Any]:
    """The options of every aiokafka client: addresses, TLS, user and password.

    Raises:
        Unavailable: if the CA file cannot be read, or a user has no password.
    """
    if (server.user is None) != (server.password is None):
        raise Unavailable(
            "CALLBOARD_KAFKA_USER and CALLBOARD_KAFKA_PASSWORD: give both or none"
        )
    try:
        context = server.context()
    except OSError as error:
        raise Unavailable(f"CALLBOARD_KAFKA_CA: {server.ca}: {error}") from error
    options: dict[str, Any] = {
        "bootstrap_servers": server.address,
        "security_protocol": protocol(server),
        "ssl_context": context,
    }
    if server.user is not None:
        options |= {
            "sasl_mechanism": MECHANISM,
            "sasl_plain_username": server.user,
            "sasl_plain_password": server.password,
        }
    return options


def make_consumer(
    server: Server, abilities: Abilities, **options: Any
) -> AIOKafkaConsumer:
    """A consumer that waits as the broker can: by long polls or announcements.

    Raises:
        Unavailable: as `client_options` does.
    """
    options = {
        **client_options(server),
        "consumer_timeout_ms": FETCHER_POLL_MS,
        **options,
    }
    if abilities.declares:
        return AIOKafkaConsumer(**options, fetch_max_wait_ms=LONG_POLL_MS)
    return EmbeddedLogConsumer(**options)


def protocol(server: Server) -> str:
    """Kafka's name for how the connection is secured."""
    if server.user is not None:
        return "SASL_SSL" if server.encrypted else "SASL_PLAINTEXT"
    return "SSL" if server.encrypted else "PLAINTEXT"


class BrokerClient:
    """A connection for requests about the broker and its topics."""

    def __init__(self, client: AIOKafkaClient) -> None:
        self._client = client

    async def abilities(self) -> Abilities:
        """The abilities of this broker.

        Raises:
            KafkaError: if it does not answer.
        """
        node = self._client.get_random_node()
        answer = await self._client.send(node, ApiVersionRequest())
        offered = {entry[0] for entry in answer.api_versions}
        required = {CreateTopicsRequest.API_KEY, DescribeConfigsRequest.API_KEY}
        return Abilities(declares=required <= offered)

    async def partitions(self, topics: Iterable[str]) -> dict[str, list[int]]:
        """The current partitions of each topic.

        Raises:
            Unavailable: if the broker does not answer, or a topic is missing.
        """
        names = list(topics)
        self._client.set_topics(names)
        if not await self._client.force_metadata_update():
            raise Unavailable("The event log does not answer")
        cluster = self._client.cluster
        partitions = {
            name: sorted(cluster.partitions_for_topic(name) or ()) for name in names
        }
        missing = [name for name, ids in partitions.items() if not ids]
        if missing:
            raise Unavailable(f"The event log has no topic {missing[0]!r} yet")
        return partitions


@contextlib.asynccontextmanager
async def connect(server: Server) -> AsyncIterator[BrokerClient]:
    """A connection for requests, closed at the end.

    Raises:
        Unavailable: if no broker is reachable there.
    """
    client = AIOKafkaClient(
        **client_options(server), request_timeout_ms=REQUEST_SECONDS * 1000
    )
    try:
        try:
            await client.bootstrap()
        except (KafkaError, OSError) as error:
            raise Unavailable(await _connection_problem(server)) from error
        yield BrokerClient(client)
    finally:
        await end(client.close())


async def end(closing: Coroutine[Any, Any, None]) -> bool:
    """Close a client; False if it did not end within `END_SECONDS`.

    It runs in a task of its own: aiokafka cancels its own tasks when it closes, and
    while the broker is unavailable `close` raises their cancellation, as if the caller
    were cancelled.
    """
    task = asyncio.create_task(closing)
    done, _ = await asyncio.wait({task}, timeout=END_SECONDS)
    if not done:
        task.cancel()
        return False
    # Reading the exception prevents asyncio's warning.
    return task.cancelled() or task.exception() is None


async def leave(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer of a group: it leaves the group, and its connections are closed.

    aiokafka's own `stop` may fail half-way, and a second call does nothing, because the
    consumer counts as stopped from the first call on.
    """
    if await end(consumer.stop()) or consumer._coordinator is None:  # noqa: SLF001
        return
    coordinator = consumer._coordinator  # noqa: SLF001
    await end(coordinator._stop_heartbeat_task())  # noqa: SLF001
    await end(coordinator._stop_commit_offsets_refresh_task())  # noqa: SLF001
    await end(coordinator._maybe_leave_group())  # noqa: SLF001
    await end(consumer._fetcher.close())  # noqa: SLF001
    await end(consumer._client.close())  # noqa: SLF001


@contextlib.contextmanager
def failing_if_cancelled() -> Iterator[None]:
    """Make an error of a cancellation that is a client's own and leaked from it.

    Raises:
        Unavailable: instead of the cancellation, unless it is meant for this task.
    """
    try:
        yield
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling() > 0:
            raise
        raise Unavailable("cancelled by its client") from error


async def _connection_problem(server: Server) -> str:
    """The reason of a failed connection, which the client writes only to its log."""
    host, _, port = server.address.split(",")[0].strip().rpartition(":")
    if not host or not port.isdigit():
        return f"CALLBOARD_KAFKA: {server.address!r} is not host:port"
    options = client_options(server)
    del options["bootstrap_servers"]
    problem = f"The event log at {server.address} is not reachable"
    try:
        async with asyncio.timeout(REQUEST_SECONDS):
            connection = await create_conn(host, int(port), **options)
    except ssl.SSLCertVerificationError as error:
        return f"{problem}: its certificate is refused: {error.verify_message}"
    except SaslAuthenticationFailed as error:
        return f"{problem}: it refuses the user {server.user!r}: {error.description}"
    except (KafkaError, OSError) as error:
        return f"{problem}: {error or type(error).__name__}"
    connection.close()
    return problem


async def abilities(server: Server) -> Abilities:
    """The abilities of the broker at an address.

    Raises:
        Unavailable: if it does not answer.
    """
    async with connect(server) as client:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                return await client.abilities()
        except (KafkaError, OSError, TimeoutError) as error:
            raise Unavailable("The event log does not answer") from error
