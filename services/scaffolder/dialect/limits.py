"""The limits of one rendering: work, text, depth and time."""

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from services.scaffolder.dialect.failure import TemplateLimitError

WORK = 1_000_000
TEXT = 20_000_000
#: Characters that operations may read: what a few seconds are enough for.
READ = 400_000_000
#: Characters of one text that an operation takes: until its call has ended, no other
#: thread of the process can run, not even to answer a health check.
OPERAND = 1_000_000
SECONDS = 5.0
DEPTH = 120
SOURCE = 2_000_000
_TICK = 512
_TEXT_TICK = 100_000


def check_operand(text: str, name: str) -> None:
    """Refuse a text that is too long for one call of the operation `name`.

    Raises:
        TemplateLimitError: if it is too long.
    """
    if len(text) > OPERAND:
        raise TemplateLimitError(
            f"{name} takes a text of up to {OPERAND} characters, not {len(text)}"
        )


class RenderingBudget:
    """Counts down the allowance of one rendering.

    `work` counts evaluated nodes and produced list items, `text` the characters made
    by any operation (so that doubling a text in a loop ends early), `unread` those that
    operations may still read. `seconds` is processor time of the thread, so that a busy
    machine makes no rendering fail. Renderings with one `seed` make the same random
    choices. An error names the allowance of its own budget.
    """

    __slots__ = (
        "_chance",
        "_checked",
        "_most_text",
        "_most_unread",
        "_most_work",
        "_unread_checked",
        "deadline",
        "depth",
        "seconds",
        "text",
        "unread",
        "work",
    )

    def __init__(
        self,
        *,
        work: int = WORK,
        text: int = TEXT,
        seconds: float = SECONDS,
        seed: int | None = None,
    ) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - a filter's, not a key's
        self.work = self._most_work = work
        self.text = self._most_text = text
        self.unread = self._unread_checked = self._most_unread = READ
        self.seconds = seconds
        self.deadline = time.thread_time() + seconds
        self.depth = 0
        self._checked = work

    def spend(self, amount: int = 1) -> None:
        """Pay for `amount` units of work.

        Raises:
            TemplateLimitError: if the work or the time is used up.
        """
        self.work -= amount
        if self.work < 0:
            raise TemplateLimitError(
                f"the work limit of {self._most_work} units is exceeded"
            )
        if self._checked - self.work >= _TICK:
            self._checked = self.work
            self.check_time()

    def read(self, amount: int) -> None:
        """Pay for reading `amount` characters.

        Raises:
            TemplateLimitError: if the allowance or the time is used up.
        """
        self.unread -= amount
        if self.unread < 0:
            raise TemplateLimitError(
                f"more than {self._most_unread} characters are looked at"
            )
        if self._unread_checked - self.unread >= _TEXT_TICK:
            self._unread_checked = self.unread
            self.check_time()

    def check_time(self) -> None:
        """Check that there is time left.

        Raises:
            TemplateLimitError: if there is none.
        """
        if time.thread_time() > self.deadline:
            raise TemplateLimitError(
                f"the time limit of {self.seconds:g} s is exceeded"
            )

    def afford(self, amount: int) -> None:
        """Check that the budget allows `amount` characters, before they are made.

        Raises:
            TemplateLimitError: if they cannot.
        """
        if amount > self.text:
            raise TemplateLimitError(
                f"the output limit of {self._most_text} characters is exceeded"
            )

    def write(self, amount: int) -> None:
        """Pay for `amount` characters before they are made.

        Raises:
            TemplateLimitError: if the text is used up.
        """
        self.afford(amount)
        self.text -= amount
        self.read(amount)

    def choose(self, items: Sequence[Any]) -> Any:
        """Any of the items."""
        return self._chance.choice(items)

    def enter(self) -> None:
        """Go one level deeper (call, loop, nested expression)."""
        self.depth += 1
        if self.depth > DEPTH:
            raise TemplateLimitError(f"the nesting limit of {DEPTH} levels is exceeded")

    def leave(self) -> None:
        self.depth -= 1

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Make this the budget that pays for conversions."""
        token = _IN_FORCE.set(self)
        try:
            yield
        finally:
            _IN_FORCE.reset(token)


_IN_FORCE: ContextVar[RenderingBudget | None] = ContextVar("budget", default=None)


def in_force() -> RenderingBudget:
    """The budget of the rendering under way; a fresh one outside of any."""
    return _IN_FORCE.get() or RenderingBudget()
