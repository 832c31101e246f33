"""Windowed tables of one Faust app, in memory and in a changelog topic each.

A row holds the counts of one figure, one partition of its topic and one window, and the
offset of the last message that it counts. A message that is delivered again after a
restart is not counted again. Rows of one window stay bounded, as a message of the log
must be: keys beyond the most that a resolution allows are counted together, and so are
keys that are too long.
"""

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

import faust

from services.analytics.model import (
    FIGURE_OF,
    OUTCOMES,
    Counts,
    Figure,
    Occurrence,
    Resolution,
)

#: The key of what is counted together.
REST = "*"
#: Of a key as JSON. Names of entities, repositories and owners are far below.
MOST_KEY_BYTES = 1_000
#: What a message may be early by: clocks of other machines differ.
EARLY_SECONDS = 600


class WindowedCounts:
    """The rows of one resolution."""

    def __init__(self, app: faust.App, resolution: Resolution) -> None:
        self._resolution = resolution
        # `use_partitioner`: the changelog need not have as many partitions as topics
        # have. Windows are removed by `expire`: Faust's own expiry remembers each
        # update until then.
        self._rows: Any = app.Table(resolution.name, use_partitioner=True)
        self._rows.tumbling(resolution.seconds)

    @property
    def changelog(self) -> str:
        """The topic that the rows are written to."""
        return str(self._rows.changelog_topic.get_topic_name())

    def count(
        self, topic: str, partition: int, occurrences: Mapping[int, Occurrence]
    ) -> None:
        """Count what messages of a partition stand for, by their offsets, in order."""
        changed: dict[Any, dict[str, Any]] = {}
        now = time.time()
        oldest = self._resolution.start(now - self._resolution.keep_seconds)
        for offset, occurrence in occurrences.items():
            at = min(occurrence.time.timestamp(), now + EARLY_SECONDS)
            if at < oldest:
                continue
            place = (f"{FIGURE_OF[topic]}:{partition}", self._rows.window.current(at))
            row = changed.get(place) or _copy_of(self._rows.get(place))
            if offset > row["offset"]:
                changed[place] = row
                row["offset"] = offset
                self._add(row["counts"], occurrence)
        for place, row in changed.items():
            self._rows[place] = row

    def _add(self, counts: dict[str, list[int]], occurrence: Occurrence) -> None:
        outcomes = OUTCOMES[occurrence.figure]
        key = occurrence.key
        if key not in counts and (
            len(counts) >= self._resolution.most_keys or _is_too_long(key)
        ):
            key = REST
        numbers = counts.setdefault(key, [0] * len(outcomes))
        numbers[outcomes.index(occurrence.outcome)] += 1

    def read(self, figure: Figure, starts: Iterable[int]) -> dict[int, Counts]:
        """The counts of some windows, by when each begins."""
        counts_by_start = {start: Counts(figure) for start in starts}
        for (name, (begin, _)), row in list(self._rows.items()):
            counts = counts_by_start.get(int(begin))
            if counts is not None and name.partition(":")[0] == figure:
                for key, numbers in row["counts"].items():
                    counts.add(key, numbers)
        return counts_by_start

    def oldest(self) -> int | None:
        """When the oldest window begins that has a row."""
        return min((int(begin) for _, (begin, _) in self._rows), default=None)

    @property
    def name(self) -> str:
        """What the table is called."""
        return self._resolution.name

    def dump(self) -> list[Any]:
        """All rows as JSON values: name, begin and end of the window, counts."""
        return [
            [name, begin, end, row["counts"]]
            for (name, (begin, end)), row in self._rows.items()
        ]

    def fill(self, rows: Iterable[Any]) -> None:
        """Take the rows of a dump, of another log: its offsets mean nothing here."""
        for name, begin, end, counts in rows:
            self._rows.data[name, (begin, end)] = {"offset": -1, "counts": counts}

    def expire(self) -> None:
        """Remove the windows that are older than they are kept."""
        oldest = time.time() - self._resolution.keep_seconds
        for place in [key for key in self._rows if key[1][1] < oldest]:
            del self._rows[place]


def _is_too_long(key: str) -> bool:
    # The length first: what is written out to be measured is bounded.
    return len(key) > MOST_KEY_BYTES or len(json.dumps(key)) > MOST_KEY_BYTES


def _copy_of(row: Mapping[str, Any] | None) -> dict[str, Any]:
    """A row of its own: what is not written in the end has changed nothing."""
    if row is None:
        return {"offset": -1, "counts": {}}
    counts = {key: [*numbers] for key, numbers in row["counts"].items()}
    return {"offset": row["offset"], "counts": counts}
