"""Which question a replica may have died of, so that it is not put to the next one.

A replica that stops answering was stopped from outside, or by a question. The oldest
question that it had not answered is taken for the reason if the replica had answered
others just before that question came; the rest only waited behind it.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

from shared.contracts.errors import Unavailable

#: A replica that answered so shortly before a question came was well then, in seconds.
WELL_SECONDS = 5.0
#: So many times a question may be the reason before it is refused, for so long.
STRIKES, REFUSED_SECONDS = 2, 60.0
MOST_REMEMBERED = 1000
Clock = Callable[[], float]


class ReplicaWatch:
    """The questions that one replica has not answered, oldest first."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._answered_at = float("-inf")
        self._sent: dict[int, float] = {}
        self._ended: set[int] = set()
        self._number = 0

    def send(self) -> int:
        """A question is put; the token by which it is named later."""
        self._number += 1
        self._sent[self._number] = self._clock()
        return self._number

    def answer(self, token: int | None = None) -> None:
        """The replica answers a question, or a look at its health: it is well."""
        self._answered_at = self._clock()
        if token is not None:
            self._sent.pop(token, None)
        if self._ended:
            for ended in self._ended:
                self._sent.pop(ended, None)
            self._ended.clear()

    def withdraw(self, token: int) -> None:
        """The question never reached the replica."""
        self._sent.pop(token, None)

    def end(self, token: int) -> None:
        """Nobody waits for the answer any more; whether it comes is not known."""
        if token in self._sent:
            self._ended.add(token)
        while len(self._ended) > MOST_REMEMBERED:
            self.withdraw(self._ended.pop())

    def is_suspect(self, token: int) -> bool:
        """Whether this question may be why the replica does not answer."""
        sent = self._sent.get(token)
        if sent is None or token != next(iter(self._sent)):
            return False
        return sent - self._answered_at <= WELL_SECONDS


class Strikes:
    """Questions that were the reason: after the second time they are refused."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._by_question: OrderedDict[Hashable, tuple[int, float]] = OrderedDict()

    def check(self, question: Hashable) -> None:
        """Refuse a question of which replicas have died.

        Raises:
            Unavailable: with the time after which it may be asked again.
        """
        if not self._by_question:
            return
        count, until = self._by_question.get(question, (0, 0.0))
        left = until - self._clock()
        if count >= STRIKES and left > 0:
            raise Unavailable(
                "The service stopped answering at this question before; change it, or "
                "ask again later",
                retry_after=int(left) + 1,
            )

    def add(self, question: Hashable) -> None:
        """The question was the reason once more."""
        now = self._clock()
        count, until = self._by_question.pop(question, (0, 0.0))
        if until < now - REFUSED_SECONDS:
            count = 0
        self._by_question[question] = (count + 1, now + REFUSED_SECONDS)
        if len(self._by_question) > MOST_REMEMBERED:
            self._by_question.popitem(last=False)
