"""What is counted: figures, their outcomes, and the windows they are counted in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from shared.contracts.topics import DOCS_BUILT, ENTITY_CHANGED, GIT_PUSH, TEMPLATE_RUN

HOUR, DAY = 3600, 86_400
Figure = Literal["changes", "runs", "docs-builds", "pushes"]
#: The outcomes of each figure, in the order in which they are stored and drawn.
OUTCOMES: Mapping[Figure, tuple[str, ...]] = {
    "changes": ("updated", "created", "deleted", "imported"),
    "runs": ("completed", "failed", "cancelled"),
    "docs-builds": ("built", "failed"),
    "pushes": ("pushed",),
}
#: Outcomes that are no part of a total: what an import brings is no activity.
UNCOUNTED = frozenset({"imported"})
TOPIC_OF: Mapping[Figure, str] = {
    "changes": ENTITY_CHANGED,
    "runs": TEMPLATE_RUN,
    "docs-builds": DOCS_BUILT,
    "pushes": GIT_PUSH,
}
FIGURE_OF = {topic: figure for figure, topic in TOPIC_OF.items()}


@dataclass(frozen=True, slots=True)
class Resolution:
    """How long one window is, how long windows are kept, how many keys one may have."""

    name: str
    seconds: int
    keep_seconds: int
    most_keys: int

    def start(self, timestamp: float) -> int:
        """When the window begins in which a time lies."""
        return int(timestamp // self.seconds) * self.seconds


HOURS = Resolution("hours", HOUR, 48 * HOUR, 100)
DAYS = Resolution("days", DAY, 90 * DAY, 200)
RESOLUTIONS = (HOURS, DAYS)


@dataclass(frozen=True, slots=True)
class Period:
    """The windows that one answer is about."""

    name: str
    resolution: Resolution
    windows: int

    def starts(self, now: float) -> Sequence[int]:
        """When each window begins; the last one is under way."""
        last = self.resolution.start(now)
        step = self.resolution.seconds
        return [last - step * n for n in reversed(range(self.windows))]


PeriodName = Literal["24h", "48h", "7d", "30d", "90d"]
PERIODS: Mapping[PeriodName, Period] = {
    "24h": Period("24h", HOURS, 24),
    "48h": Period("48h", HOURS, 48),
    "7d": Period("7d", DAYS, 7),
    "30d": Period("30d", DAYS, 30),
    "90d": Period("90d", DAYS, 90),
}


@dataclass(frozen=True, slots=True)
class Occurrence:
    """What one event counts for: a key of a figure, and an outcome."""

    figure: Figure
    #: Whose it is: owners with their visibility, a template, an entity, a repository.
    key: str
    outcome: str
    time: datetime


@dataclass(slots=True)
class Counts:
    """Counts of one window: of each key, one number for each outcome."""

    figure: Figure
    by_key: dict[str, list[int]] = field(default_factory=dict)

    def add(self, key: str, numbers: Iterable[int]) -> None:
        """Add to what a key has."""
        own = self.by_key.setdefault(key, [0] * len(OUTCOMES[self.figure]))
        for place, number in enumerate(numbers):
            own[place] += number

    def total(self, keys: Iterable[str]) -> list[int]:
        """The sum of some keys, outcome by outcome."""
        rows = [self.by_key[key] for key in keys if key in self.by_key]
        return [sum(column) for column in zip(*rows, strict=True)] or [0] * len(
            OUTCOMES[self.figure]
        )


def moment(timestamp: float) -> datetime:
    """A time in UTC."""
    return datetime.fromtimestamp(timestamp, UTC)
