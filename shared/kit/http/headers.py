"""Headers of every HTTP response of a service, against caches and sniffing.

A response contains what one caller may see. A browser or a proxy must neither store it
for another caller nor interpret it as a page or a script.
"""

from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.contracts.headers import NOSNIFF

NOT_SNIFFED = [(name.encode(), value.encode()) for name, value in NOSNIFF.items()]
NO_STORE = (b"cache-control", b"no-store")
#: A response with one of these defines its own caching.
CACHE_HEADERS = frozenset({b"cache-control", b"etag", b"last-modified", b"expires"})


class SafeAnswers:
    """Adds the headers to an app's responses, unless the app sets its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _completed(message.get("headers", ()))
            await send(message)

        await self._app(scope, receive, with_headers)


def _completed(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    names = {name.lower() for name, _ in headers}
    completed = list(headers)
    completed += [pair for pair in NOT_SNIFFED if pair[0] not in names]
    if names.isdisjoint(CACHE_HEADERS):
        completed.append(NO_STORE)
    return completed
