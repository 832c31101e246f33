"""A circuit breaker: nobody waits for the refusal of a server that does not answer.

After a row of failures no call is let through for a rest; then one call in each rest,
or a few, find out whether the server answers again. An answer at any time closes the
circuit.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from shared.contracts.errors import Unavailable

RETRY_AFTER = 1


class CircuitBreaker:
    """Counts failures in a row; `failures` of them open it for `rest_seconds`.

    After the rest, `trials` calls at most are let through until one of them fails or
    another rest is over. `on` are the errors that count as failures: any other error is
    an answer. `changed` hears whether the circuit is open now, and the reason.
    """

    def __init__(
        self,
        *,
        failures: int,
        rest_seconds: float,
        trials: int = 1,
        on: tuple[type[Exception], ...] = (Unavailable,),
        changed: Callable[[bool, str], None] = lambda _is_open, _reason: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = failures
        self._rest_seconds = rest_seconds
        self._trials = trials
        self._on = on
        self._changed = changed
        self._clock = clock
        self._failed = 0
        self._resting_until = 0.0
        self._trials_left = 0
        self._reason = ""

    @property
    def is_open(self) -> bool:
        """Whether the server counts as away."""
        return self._failed >= self._limit

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around one call to the server.

        Raises:
            Unavailable: at once, with the last failure's message, while the circuit is
                open.
        """
        if self.is_open:
            self._admit()
        try:
            yield
        except self._on as error:
            self._fail(str(error))
            raise
        except Exception:
            self._close()
            raise
        except BaseException:
            # A call that was cancelled found out nothing: the next one may.
            self._resting_until = 0.0
            raise
        else:
            self._close()

    def _admit(self) -> None:
        now = self._clock()
        if now >= self._resting_until:
            self._resting_until = now + self._rest_seconds
            self._trials_left = self._trials
        if not self._trials_left:
            raise Unavailable(self._reason, retry_after=RETRY_AFTER)
        self._trials_left -= 1

    def _fail(self, reason: str) -> None:
        self._failed += 1
        self._reason = reason
        self._resting_until = self._clock() + self._rest_seconds
        self._trials_left = 0
        if self._failed == self._limit:
            self._changed(True, reason)

    def _close(self) -> None:
        if self.is_open:
            self._changed(False, self._reason)
        self._failed = 0
