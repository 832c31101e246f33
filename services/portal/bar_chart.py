"""A stacked bar chart as numbers that a template draws: no text, no colour.

The text of axes and legend stands beside the picture as HTML, so that it keeps its size
when the picture is stretched, and the same numbers stand in a table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

#: One bar with its gap, and the height of the highest, in the picture's units.
STEP, HEIGHT = 10, 100
#: The axis ends at one of these times a power of ten.
ROUND_STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class BarPart:
    """The part of a bar that one series has."""

    series: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its label, the count of each series, and its parts from the bottom."""

    label: str
    counts: Sequence[tuple[str, int]]
    x: int
    parts: Sequence[BarPart]

    @property
    def total(self) -> int:
        """What all series have together."""
        return sum(count for _, count in self.counts)


@dataclass(frozen=True, slots=True)
class BarChart:
    """All bars; `top` is the number where the axis ends."""

    series: Sequence[str]
    bars: Sequence[Bar]
    top: int

    @property
    def width(self) -> int:
        """The picture's width in its units."""
        return STEP * len(self.bars)

    @property
    def total(self) -> int:
        """What all bars have together."""
        return sum(bar.total for bar in self.bars)


def bar_chart(
    rows: Sequence[tuple[str, Mapping[str, int]]], series: Sequence[str]
) -> BarChart:
    """A chart of labelled counts; series that a row does not have count as zero."""
    counted = [
        (label, [(s, counts.get(s, 0)) for s in series]) for label, counts in rows
    ]
    highest = max((sum(n for _, n in counts) for _, counts in counted), default=0)
    top = round_up(highest)
    bars = [
        Bar(label, counts, STEP * place, _parts(counts, top))
        for place, (label, counts) in enumerate(counted)
    ]
    return BarChart(series, bars, top)


def _parts(counts: Sequence[tuple[str, int]], top: int) -> list[BarPart]:
    parts, base = [], float(HEIGHT)
    for series, count in counts:
        height = HEIGHT * count / top
        base -= height
        if count:
            parts.append(BarPart(series, round(base, 2), round(height, 2)))
    return parts


def round_up(value: int) -> int:
    """The least round number (1, 2 or 5 times a power of ten) that is not below."""
    power = 1
    while True:
        for step in ROUND_STEPS:
            if step * power >= value:
                return step * power
        power *= 10


def window_label(start: datetime, step: str) -> str:
    """How a window is called: its day, or its hour with the day."""
    day = f"{start.day} {start:%b}"
    return day if step == "day" else f"{day}, {start:%H}:00"
