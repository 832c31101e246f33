"""Stops asking a server that does not answer, so that nobody waits for its no.

After a row of failures nothing is asked for a rest; then one question alone finds out
whether it answers again. A success at any time ends it.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import Gauge

from shared.contracts.errors import Unavailable
from shared.kit.observability import logs

FAILURES = 5
#: Short: whoever asks first after it may wait for the time-out, nobody else does.
REST_SECONDS = 0.25
RETRY_AFTER = 1
OPEN = Gauge("callboard_gateway_policy_away", "1 while the policy server is not asked")


class Breaker:
    """Counts failures in a row; `failures` of them open it."""

    def __init__(
        self,
        *,
        failures: int = FAILURES,
        rest_seconds: float = REST_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = failures
        self._rest = rest_seconds
        self._clock = clock
        self._failed = 0
        self._resting_until = 0.0
        self._trying = False
        self._reason = ""
        self._log = logs.get_logger("gateway")

    @property
    def is_open(self) -> bool:
        """Whether the server counts as away."""
        return self._failed >= self._limit

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Around one question, which raises Unavailable when it is not answered.

        One that ends otherwise (the client left) says nothing about the server.

        Raises:
            Unavailable: at once while the server counts as away.
        """
        alone = self._admit()
        try:
            yield
        except Unavailable as error:
            self._fail(error.message)
            raise
        else:
            self._succeed()
        finally:
            if alone:
                self._trying = False

    def _admit(self) -> bool:
        """Whether this question is the one that finds out."""
        if not self.is_open:
            return False
        if self._trying or self._clock() < self._resting_until:
            raise Unavailable(self._reason, retry_after=RETRY_AFTER)
        self._trying = True
        return True

    def _fail(self, reason: str) -> None:
        self._failed += 1
        self._reason = reason
        self._resting_until = self._clock() + self._rest
        if self._failed == self._limit:
            OPEN.set(1)
            self._log.warning("policy_server_away", reason=reason)

    def _succeed(self) -> None:
        if self.is_open:
            OPEN.set(0)
            self._log.info("policy_server_back")
        self._failed = 0
