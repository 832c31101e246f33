"""Finds requests that may have killed a replica, so that no other one gets them.

A replica that stops answering was stopped from outside, or by a request. The oldest
unanswered request is the suspect if the replica had answered others just before it; the
other requests only waited behind it.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

from shared.contracts.errors import Unavailable

#: A replica was healthy if it answered at most so many seconds before a request.
HEALTHY_SECONDS = 5.0
#: A request that was the suspect so often is refused for so many seconds.
STRIKES, REFUSED_SECONDS = 2, 60.0
MOST_RECORDED = 1000
Clock = Callable[[], float]


class ReplicaWatch:
    """The unanswered requests to one replica, oldest first."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._answered_at = float("-inf")
        self._sent: dict[int, float] = {}
        self._ended: set[int] = set()
        self._number = 0

    def send(self) -> int:
        """Record a request; returns its token."""
        self._number += 1
        self._sent[self._number] = self._clock()
        return self._number

    def answer(self, token: int | None = None) -> None:
        """Record that the replica answered a request or a health check."""
        self._answered_at = self._clock()
        if token is not None:
            self._sent.pop(token, None)
        if self._ended:
            for ended in self._ended:
                self._sent.pop(ended, None)
            self._ended.clear()

    def withdraw(self, token: int) -> None:
        """Remove a request that never reached the replica."""
        self._sent.pop(token, None)

    def end(self, token: int) -> None:
        """Record that nobody waits for the response any more."""
        if token in self._sent:
            self._ended.add(token)
        while len(self._ended) > MOST_RECORDED:
            self.withdraw(self._ended.pop())

    def is_suspect(self, token: int) -> bool:
        """Whether this request may be the reason that the replica does not answer."""
        sent = self._sent.get(token)
        if sent is None or token != next(iter(self._sent)):
            return False
        return sent - self._answered_at <= HEALTHY_SECONDS


class Strikes:
    """Requests that were suspects; after the second time they are refused."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._by_request: OrderedDict[Hashable, tuple[int, float]] = OrderedDict()

    def check(self, request: Hashable) -> None:
        """Refuse a request that may have killed replicas.

        Raises:
            Unavailable: with the time after which it may be sent again.
        """
        if not self._by_request:
            return
        count, until = self._by_request.get(request, (0, 0.0))
        seconds = until - self._clock()
        if count >= STRIKES and seconds > 0:
            raise Unavailable(
                "The service stopped answering at this question before; change it, or "
                "ask again later",
                retry_after=int(seconds) + 1,
            )

    def add(self, request: Hashable) -> None:
        """Record that the request was the suspect once more."""
        now = self._clock()
        count, until = self._by_request.pop(request, (0, 0.0))
        if until < now - REFUSED_SECONDS:
            count = 0
        self._by_request[request] = (count + 1, now + REFUSED_SECONDS)
        if len(self._by_request) > MOST_RECORDED:
            self._by_request.popitem(last=False)
