"""The log and the counter of the read model's changes."""

import asyncio
import secrets
import time

REMEMBERED = 20_000


class ChangeLog:
    """The ids that changed, in order, as far back as it pays to catch up by them."""

    def __init__(self) -> None:
        self._ids: list[int] = []
        self._dropped = 0

    @property
    def end(self) -> int:
        """The position after the last change."""
        return self._dropped + len(self._ids)

    def note(self, entity: int) -> None:
        self._ids.append(entity)
        if len(self._ids) >= 2 * REMEMBERED:
            del self._ids[:REMEMBERED]
            self._dropped += REMEMBERED

    def since(self, position: int) -> set[int] | None:
        """The ids that changed after `position`; None when that is forgotten."""
        if position < self._dropped:
            return None
        return set(self._ids[position - self._dropped :])


class ChangeCounter:
    """A counter of changes that clients can wait for.

    It starts at the wall clock in microseconds, so that a number handed out before a
    restart is not above those handed out after it. It counts for this process alone,
    whose name stands behind it: `1764000000000000-5f0c1a2b`.
    """

    def __init__(self, first: int | None = None) -> None:
        self.value = time.time_ns() // 1000 if first is None else first
        self.process = secrets.token_hex(4)
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []

    def __str__(self) -> str:
        return f"{self.value}-{self.process}"

    def advance(self) -> None:
        self.value += 1
        if self._waiters:
            self._wake()

    def _wake(self) -> None:
        still_waiting = []
        for number, waiter in self._waiters:
            if waiter.done():
                continue
            if number <= self.value:
                waiter.set_result(None)
            else:
                still_waiting.append((number, waiter))
        self._waiters = still_waiting

    async def reached(self, number: int, *, seconds: float) -> bool:
        """Whether the counter reaches a number within `seconds`."""
        if number <= self.value:
            return True
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((number, waiter))
        try:
            async with asyncio.timeout(seconds):
                await waiter
        except TimeoutError:
            return False
        return True
