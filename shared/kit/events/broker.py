"""How the clients reach the event log's broker, and what that broker can do.

The embedded broker speaks a part of Kafka's protocol only. What a broker can do is
asked of itself (ApiVersions), never configured: the answer decides how long a fetch may
wait and whether topics can be declared and checked.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Coroutine, Iterable
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
ASK_SECONDS = 5
END_SECONDS = 2.0
#: How long a real broker may hold a fetch that finds nothing; one that finds something
#: is answered at once, so this costs no event any time.
LONG_POLL_MS = 500
#: The embedded broker answers only when the wait is over, whatever came in meanwhile.
SHORT_POLL_MS = 30
#: How often aiokafka's fetcher looks around when nothing has woken it. All that it must
#: notice wakes it (answers, positions, assignments), and at its own 0.2 s those looks
#: are a quarter of what a portal at rest does.
LOOK_AROUND_MS = 2000


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a broker offers that not every broker does."""

    #: Topics can be created and their settings read.
    declares: bool

    @property
    def fetch_wait_ms(self) -> int:
        """The longest that a fetch should wait there."""
        return LONG_POLL_MS if self.declares else SHORT_POLL_MS


def client_options(server: Server) -> dict[str, Any]:
    """What every aiokafka client is given: addresses, TLS, user and password.

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


def make_consumer(server: Server, able: Abilities, **options: Any) -> AIOKafkaConsumer:
    """A consumer whose fetches suit the broker: long polls, or announcements.

    Raises:
        Unavailable: as `client_options` does.
    """
    options = {
        **client_options(server),
        "consumer_timeout_ms": LOOK_AROUND_MS,
        **options,
    }
    if able.declares:
        return AIOKafkaConsumer(**options, fetch_max_wait_ms=LONG_POLL_MS)
    return EmbeddedLogConsumer(**options)


def protocol(server: Server) -> str:
    """Kafka's name for how the connection is secured."""
    if server.user is not None:
        return "SASL_SSL" if server.encrypted else "SASL_PLAINTEXT"
    return "SSL" if server.encrypted else "PLAINTEXT"


class Asking:
    """A connection for questions about the broker and its topics."""

    def __init__(self, client: AIOKafkaClient) -> None:
        self._client = client

    async def abilities(self) -> Abilities:
        """What this broker offers.

        Raises:
            KafkaError: if it does not answer.
        """
        node = self._client.get_random_node()
        answer = await self._client.send(node, ApiVersionRequest())
        offered = {entry[0] for entry in answer.api_versions}
        wanted = {CreateTopicsRequest.API_KEY, DescribeConfigsRequest.API_KEY}
        return Abilities(declares=wanted <= offered)

    async def partitions(self, topics: Iterable[str]) -> dict[str, list[int]]:
        """The partitions of each topic as they are now.

        Raises:
            Unavailable: if the broker does not answer, or a topic is not there.
        """
        names = list(topics)
        self._client.set_topics(names)
        if not await self._client.force_metadata_update():
            raise Unavailable("The event log does not answer")
        cluster = self._client.cluster
        found = {
            name: sorted(cluster.partitions_for_topic(name) or ()) for name in names
        }
        missing = [name for name, ids in found.items() if not ids]
        if missing:
            raise Unavailable(f"The event log has no topic {missing[0]!r} yet")
        return found


@contextlib.asynccontextmanager
async def asking(server: Server) -> AsyncIterator[Asking]:
    """A connection for questions, closed at the end.

    Raises:
        Unavailable: if no broker is reachable there.
    """
    client = AIOKafkaClient(
        **client_options(server), request_timeout_ms=ASK_SECONDS * 1000
    )
    try:
        try:
            await client.bootstrap()
        except (KafkaError, OSError) as error:
            raise Unavailable(await _why(server)) from error
        yield Asking(client)
    finally:
        await end(client.close())


async def end(closing: Coroutine[Any, Any, None]) -> bool:
    """Close a client; False if it did not end within `END_SECONDS`.

    In a task of its own: aiokafka cancels its own tasks when it closes, and while a
    broker is away their cancellation comes out of `close` as if the caller were meant.
    """
    task = asyncio.create_task(closing)
    done, _ = await asyncio.wait({task}, timeout=END_SECONDS)
    if not done:
        task.cancel()
        return False
    # Looked at, so that nobody complains of an exception never retrieved.
    return task.cancelled() or task.exception() is None


async def leave(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer of a group: it leaves the group, and its connections are closed.

    aiokafka's own closing may break off, and closing anew does nothing: a consumer
    counts as closed from the first try on.
    """
    if await end(consumer.stop()) or consumer._coordinator is None:  # noqa: SLF001
        return
    coordinator = consumer._coordinator  # noqa: SLF001
    await end(coordinator._stop_heartbeat_task())  # noqa: SLF001
    await end(coordinator._stop_commit_offsets_refresh_task())  # noqa: SLF001
    await end(coordinator._maybe_leave_group())  # noqa: SLF001
    await end(consumer._fetcher.close())  # noqa: SLF001
    await end(consumer._client.close())  # noqa: SLF001


def is_cancelled_itself() -> bool:
    """Whether a cancellation is meant for this task, and not a client's that leaked."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _why(server: Server) -> str:
    """Why no connection comes about; the client itself tells that to its log alone."""
    host, _, port = server.address.split(",")[0].strip().rpartition(":")
    if not host or not port.isdigit():
        return f"CALLBOARD_KAFKA: {server.address!r} is not host:port"
    options = client_options(server)
    del options["bootstrap_servers"]
    told = f"The event log at {server.address} is not reachable"
    try:
        async with asyncio.timeout(ASK_SECONDS):
            connection = await create_conn(host, int(port), **options)
    except ssl.SSLCertVerificationError as error:
        return f"{told}: its certificate is refused: {error.verify_message}"
    except SaslAuthenticationFailed as error:
        return f"{told}: it refuses the user {server.user!r}: {error.description}"
    except (KafkaError, OSError) as error:
        return f"{told}: {error or type(error).__name__}"
    connection.close()
    return told


async def abilities(server: Server) -> Abilities:
    """What the broker at an address offers.

    Raises:
        Unavailable: if it does not answer.
    """
    async with asking(server) as asked:
        try:
            async with asyncio.timeout(ASK_SECONDS):
                return await asked.abilities()
        except (KafkaError, OSError, TimeoutError) as error:
            raise Unavailable("The event log does not answer") from error
