"""The addresses of one service's replicas, in the order in which a caller tries them.

A caller always uses the same replica (rendezvous hashing of its name), so that it reads
its own writes; while that one is unavailable, its callers are spread over the others.
"""

import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from zlib import crc32

from yarl import URL

from shared.contracts.errors import Invalid

#: Seconds for which a replica that did not answer is tried last.
REST_SECONDS = 1.0
CALLERS = 4096


def upstream_url(address: str, path: str, *, encoded: bool = True) -> URL:
    """The URL of a path (with its query) of the service at an address.

    `encoded` tells that the path is escaped already.

    Raises:
        Invalid: if the path does not begin with `/`, or leads to another host.
    """
    if path.startswith("/"):
        url = URL(address + path, encoded=encoded)
        if url.origin() == URL(address).origin():
            return url
    raise Invalid("path: must begin with / and lead to the service's own address")


class Replicas:
    """One or more addresses, separated by commas."""

    def __init__(
        self,
        addresses: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises Invalid if there is no address at all."""
        items = [item.strip().rstrip("/") for item in addresses.split(",")]
        self.addresses = tuple(dict.fromkeys(item for item in items if item))
        if not self.addresses:
            raise Invalid("a service's URL: must be an address, or several with commas")
        self._clock = clock
        self._unavailable_until: dict[str, float] = {}
        self._ranked = lru_cache(CALLERS)(self._rank)

    def order(self, caller: str) -> Sequence[str]:
        """The addresses in the order in which this caller should try them."""
        if len(self.addresses) == 1:
            return self.addresses
        ranked = self._ranked(caller)
        if not self._unavailable_until:
            return ranked
        now = self._clock()
        self._unavailable_until = {
            url: until for url, until in self._unavailable_until.items() if until > now
        }
        return sorted(ranked, key=self._unavailable_until.__contains__)

    def mark_unavailable(self, address: str) -> None:
        """Try a replica that did not answer last for a moment."""
        self._unavailable_until[address] = self._clock() + REST_SECONDS

    def _rank(self, caller: str) -> tuple[str, ...]:
        def weight(address: str) -> int:
            return crc32(f"{caller}\n{address}".encode())

        return tuple(sorted(self.addresses, key=weight))
