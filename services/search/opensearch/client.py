"""The way to OpenSearch: its answers, its refusals in our words, and no waiting.

Every call has a time-out. After one that was not answered, calls are refused at once,
but for one each second, until the server answers.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import orjson
from aiohttp import ClientSSLError
from opensearchpy import AsyncOpenSearch, JSONSerializer
from opensearchpy import exceptions as failures

from shared.contracts.errors import Unavailable
from shared.kit.config.servers import Server
from shared.kit.resilience.breaker import CircuitBreaker

SEARCH_SECONDS = 5.0
#: Of calls that write or manage.
WRITE_SECONDS = 30.0
REST_SECONDS = 1.0
CONNECTIONS = 20
REFUSED = {
    401: "refuses CALLBOARD_OPENSEARCH_USER and CALLBOARD_OPENSEARCH_PASSWORD",
    403: "does not let CALLBOARD_OPENSEARCH_USER do this",
    429: "has more to do than it can take",
}


class MissingIndex(Unavailable):
    """There is no such index or alias."""


class ServerUnreachable(Unavailable):
    """The server does not answer, or not in time."""


class VersionCollision(Unavailable):
    """Somebody else wrote this, or made it, in the meantime."""


class _Serializer(JSONSerializer):
    """JSON by orjson: a page of sections is parsed in a fraction of the time."""

    def loads(self, s: str) -> Any:
        return orjson.loads(s)

    def dumps(self, data: Any) -> Any:
        return data if isinstance(data, bytes | str) else orjson.dumps(data)


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
        # One failure is enough: questions must not pile up behind a server that hangs.
        self._breaker = CircuitBreaker(
            failures=1,
            rest_seconds=REST_SECONDS,
            on=(ServerUnreachable,),
            clock=clock,
        )
        # It warns of every 404 and every conflict; what matters is told by us.
        logging.getLogger("opensearch").setLevel(logging.CRITICAL)
        self._client = AsyncOpenSearch(
            [host.strip().rstrip("/") for host in server.address.split(",")],
            http_auth=(server.user, server.password or "") if server.user else None,
            ssl_context=server.context(),
            serializer=_Serializer(),
            maxsize=CONNECTIONS,
            # A connection that the server closed meanwhile costs one more try.
            max_retries=1,
            retry_on_status=(),
            retry_on_timeout=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def search(self, target: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """A search that is answered whole and in time.

        Raises:
            Missing: if the target is not there.
            Unavailable: if a shard is missing or time runs out.
        """
        params = {
            "allow_partial_search_results": "false",
            "cancel_after_time_interval": f"{round(self._search_seconds * 1000)}ms",
        }
        path = f"/{target}/_search"
        found: dict[str, Any] = await self.call(
            "POST", path, body, params, self._search_seconds
        )
        if found.get("timed_out"):
            raise Unavailable("The index server did not finish the search in time")
        return found

    async def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | bytes | None = None,
        params: Mapping[str, Any] | None = None,
        seconds: float = WRITE_SECONDS,
    ) -> Any:
        """One request; its answer's JSON.

        Raises:
            Missing: if an index or alias in the path is not there.
            Collision: if what it was to change or make is another's already.
            Unavailable: if it cannot be done now, saying why.
        """
        headers = {"content-type": "application/x-ndjson"} if _lines(body) else None
        with self._breaker.call(), _errors_translated(seconds):
            return await self._client.transport.perform_request(
                method,
                path,
                params={**(params or {}), "request_timeout": seconds},
                body=body,
                headers=headers,
            )

    async def exists(self, path: str) -> bool:
        """Whether an index, alias or document is there."""
        with self._breaker.call(), _errors_translated(self._search_seconds):
            params = {"request_timeout": self._search_seconds}
            found = await self._client.transport.perform_request(
                "HEAD", path, params=params
            )
        return bool(found)


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


def _lines(body: object) -> bool:
    return isinstance(body, bytes)


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
    """What the server says is wrong, in one line."""
    info = error.info
    if isinstance(info, Mapping) and isinstance(info.get("error"), Mapping):
        return str(info["error"].get("reason") or error.error)[:300]
    return str(error.error)[:300]
