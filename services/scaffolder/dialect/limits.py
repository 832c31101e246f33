"""What one rendering may use: work, text and time. Exceeding it ends the rendering."""

import random
import time
from collections.abc import Sequence
from typing import Any

from services.scaffolder.dialect.failure import TemplateLimitError

WORK = 1_000_000
TEXT = 20_000_000
SECONDS = 5.0
DEPTH = 120
SOURCE = 2_000_000
_TICK = 512


class Budget:
    """Counts down the allowance of one rendering.

    `work` are evaluated nodes and produced list items, `text` are characters made by
    any operation (so that doubling a string in a loop ends early), `seconds` is wall
    time from construction. Renderings of one `seed` choose alike where they choose at
    random.
    """

    __slots__ = ("_chance", "_checked", "deadline", "depth", "seconds", "text", "work")

    def __init__(
        self,
        *,
        work: int = WORK,
        text: int = TEXT,
        seconds: float = SECONDS,
        seed: int | None = None,
    ) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - a filter's, not a key's
        self.work = work
        self.text = text
        self.seconds = seconds
        self.deadline = time.monotonic() + seconds
        self.depth = 0
        self._checked = work

    def spend(self, amount: int = 1) -> None:
        """Pay for `amount` units of work.

        Raises:
            TemplateLimitError: if the work or the time is used up.
        """
        self.work -= amount
        if self.work < 0:
            raise TemplateLimitError(f"the work limit of {WORK} units is exceeded")
        if self._checked - self.work >= _TICK:
            self._checked = self.work
            if time.monotonic() > self.deadline:
                raise TemplateLimitError(
                    f"the time limit of {self.seconds:g} s is exceeded"
                )

    def write(self, amount: int) -> None:
        """Pay for `amount` characters before they are made.

        Raises:
            TemplateLimitError: if the text is used up.
        """
        self.text -= amount
        if self.text < 0:
            raise TemplateLimitError(
                f"the output limit of {TEXT} characters is exceeded"
            )

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
