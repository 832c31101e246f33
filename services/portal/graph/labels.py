"""Places the words of each arrow: on its line, upon no box and no other words.

Greedy: the arrows with the shortest way choose first, each takes the free place that is
nearest to the middle of its line, or beside the line if none on it is free. Words for
which there is no room are left out: the table beside a picture has them all.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from services.portal.graph.text_widths import (
    LABEL_CHARACTER,
    LABEL_HEIGHT,
    text_width,
)

Point = tuple[float, float]

#: Parts of a curve at which its words may stand: not at its ends, where arrowheads are.
PARTS = (0.5, 0.55, 0.45, 0.6, 0.4, 0.65, 0.35, 0.7, 0.3, 0.75, 0.25, 0.8, 0.2)
#: How far beside its line a label may stand: a row of words above, or below.
BESIDE = (0.0, -LABEL_HEIGHT, LABEL_HEIGHT)
#: Places that are tried for one label.
MOST_PLACES = 120


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of the picture."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: "Area") -> bool:
        """Whether the two have a part in common."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def holds(self, other: "Area") -> bool:
        """Whether the other lies within."""
        return (
            self.left <= other.left
            and self.top <= other.top
            and self.right >= other.right
            and self.bottom >= other.bottom
        )


def label_area(words: str, middle: Point) -> Area:
    """What words take up around their middle."""
    width = text_width(words) * LABEL_CHARACTER
    x, y = middle
    half = LABEL_HEIGHT / 2
    return Area(x - width / 2, y - half, x + width / 2, y + half)


def place_labels(
    lines: Sequence[tuple[str, Sequence[Point]]],
    boxes: Iterable[Area],
    picture: Area,
) -> list[Point | None]:
    """The middle of each line's words, None for those without room.

    A line is its words and its points; curves and straight parts alternate.
    """
    taken = list(boxes)
    middles: list[Point | None] = [None] * len(lines)
    for index in sorted(range(len(lines)), key=lambda index: len(lines[index][1])):
        words, points = lines[index]
        if not words:
            continue
        for middle in islice(_places(points), MOST_PLACES):
            area = label_area(words, middle)
            if picture.holds(area) and not any(area.meets(other) for other in taken):
                middles[index] = middle
                taken.append(area)
                break
    return middles


def _places(points: Sequence[Point]) -> Iterator[Point]:
    """The middles that words on a line may have, the best first."""
    for beside in BESIDE:
        for part in PARTS:
            for index in range(len(points) - 1):
                x, y = _at(
                    points[index], points[index + 1], part, is_curve=not index % 2
                )
                yield x, y + beside


def _at(start: Point, end: Point, part: float, *, is_curve: bool) -> Point:
    """The point of a piece of a line; curves are those of `layout`."""
    along, down = part, part
    if is_curve:
        along = 1.5 * part * (1 - part) + part**3
        down = (3 - 2 * part) * part**2
    return start[0] + (end[0] - start[0]) * along, start[1] + (end[1] - start[1]) * down
