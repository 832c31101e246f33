"""The client of OpenSearch: timeouts, translated errors and a circuit breaker.

Every call has a timeout. After an unanswered call, further calls fail at once, except
for one a second, until the server answers.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import ClientSSLError
from opensearchpy import AsyncOpenSearch, JSONSerializer
from opensearchpy import exceptions as failures

from shared.contracts.errors import Unavailable
from shared.kit.config.servers import Server
from shared.kit.resilience.breaker import CircuitBreaker

SEARCH_SECONDS = 5.0
#: The timeout of calls that write or manage indices.
WRITE_SECONDS = 30.0
REST_SECONDS = 1.0
CONNECTIONS = 20
REFUSED = {
    401: "refuses CALLBOARD_OPENSEARCH_USER and CALLBOARD_OPENSEARCH_PASSWORD",
    403: "does not let CALLBOARD_OPENSEARCH_USER do this",
    429: "has more to do than it can take",
}


#: JSON as OpenSearch's API defines it: requests, answers, fields of documents.
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document on the server.

    `place` is its sequence number and primary term, which every write changes;
    `version` is its external version.
    """

    source: Json
    place: tuple[int, int]
    version: int = 0

    @classmethod
    def of(cls, answer: Json) -> "StoredDocument":
        """The document in an answer of the server."""
        place = int(answer["_seq_no"]), int(answer["_primary_term"])
        source = answer.get("_source") or {}
        return cls(source, place, int(answer.get("_version", 0)))


class MissingIndex(Unavailable):
    """There is no such index or alias."""


class ServerUnreachable(Unavailable):
    """The server does not answer, or not in time."""


class VersionCollision(Unavailable):
    """Another process wrote or created the same object in the meantime."""


class _Serializer(JSONSerializer):
    """JSON by orjson: a page of sections is parsed in a fraction of the time."""

    def loads(self, s: str) -> Any:
        return orjson.loads(s)

    def dumps(self, data: Any) -> Any:
        return data if isinstance(data, str) else orjson.dumps(data).decode()


class OpenSearchClient:
    """One server, or the nodes of one cluster with commas between their addresses."""

    def __init__(
        self,
        server: Server,
        *,
        search_seconds: float = SEARCH_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = server.address
        self._search_seconds = search_seconds
        # One failure is enough, because queries must not pile up at a hanging server.
        self._breaker = CircuitBreaker(
            failures=1,
            rest_seconds=REST_SECONDS,
            on=(ServerUnreachable,),
            clock=clock,
        )
        # The library warns of every 404 and conflict, which are expected here.
        logging.getLogger("opensearch").setLevel(logging.CRITICAL)
        self._server = AsyncOpenSearch(
            [host.strip().rstrip("/") for host in server.address.split(",")],
            http_auth=(server.user, server.password or "") if server.user else None,
            ssl_context=server.context(),
            serializer=_Serializer(),
            maxsize=CONNECTIONS,
            timeout=WRITE_SECONDS,
            # A connection that the server closed meanwhile costs one more try.
            max_retries=1,
            retry_on_status=(),
            retry_on_timeout=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._server.close()

    @contextmanager
    def calls(self, seconds: float = WRITE_SECONDS) -> Iterator[AsyncOpenSearch]:
        """The library's client, for calls that take at most so many seconds each.

        Raises:
            MissingIndex: if an index or alias does not exist.
            VersionCollision: if another process changed or created the same object.
            Unavailable: if the call fails for another reason.
        """
        with self._breaker.call(), _errors_translated(seconds):
            yield self._server

    async def search(self, target: str, body: Json) -> Json:
        """Search; partial and late results are errors.

        Raises:
            MissingIndex: if the target does not exist.
            Unavailable: if a shard is missing or time runs out.
        """
        seconds = self._search_seconds
        with self.calls(seconds) as server:
            answer: Json = await server.search(
                index=target,
                body=body,
                allow_partial_search_results=False,
                cancel_after_time_interval=f"{round(seconds * 1000)}ms",
                request_timeout=seconds,
            )
        if answer.get("timed_out"):
            raise Unavailable("The index server did not finish the search in time")
        return answer

    async def has_alias(self, name: str) -> bool:
        """Whether there is an alias of this name."""
        seconds = self._search_seconds
        with self.calls(seconds) as server:
            exists = await server.indices.exists_alias(
                name=name, request_timeout=seconds
            )
        return bool(exists)


@contextmanager
def _errors_translated(seconds: float) -> Iterator[None]:
    try:
        yield
    except failures.ConnectionTimeout as error:
        raise ServerUnreachable(
            f"The index server (OpenSearch) does not answer within {seconds:g} s"
        ) from error
    except failures.ConnectionError as error:
        raise ServerUnreachable(_unreached(error)) from error
    except failures.TransportError as error:
        raise _refusal(error) from error
    except (failures.SerializationError, orjson.JSONDecodeError) as error:
        raise Unavailable("What answers is no OpenSearch") from error


def _unreached(error: failures.ConnectionError) -> str:
    if isinstance(error, failures.SSLError) or isinstance(error.info, ClientSSLError):
        return (
            "The certificate of the index server (OpenSearch) does not hold against "
            "CALLBOARD_OPENSEARCH_CA"
        )
    return "The index server (OpenSearch) cannot be reached"


def _refusal(error: failures.TransportError) -> Exception:
    status, kind = error.status_code, str(error.error)
    if status == 404:
        return MissingIndex("The index server (OpenSearch) has no such index")
    if status == 409 or kind == "resource_already_exists_exception":
        return VersionCollision("Another process is at the search index as well")
    if status in REFUSED:
        return Unavailable(f"The index server (OpenSearch) {REFUSED[status]}")
    return Unavailable(
        f"The index server (OpenSearch) refuses: {status} {reason(error)}"
    )


def reason(error: failures.TransportError) -> str:
    """The server's reason in one line."""
    info = error.info
    if isinstance(info, Mapping) and isinstance(info.get("error"), Mapping):
        return str(info["error"].get("reason") or error.error)[:300]
    return str(error.error)[:300]
