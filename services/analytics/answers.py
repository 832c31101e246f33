"""Figures as a reader may see them: sums over the keys that are visible to them."""

import time
from collections.abc import Iterable, Mapping

from services.analytics.model import (
    OUTCOMES,
    PERIODS,
    UNCOUNTED,
    Counts,
    Figure,
    PeriodName,
    moment,
)
from services.analytics.rights import ReaderRights
from services.analytics.shapes import Bucket, CountedGroup, FigureResponse
from services.analytics.stream import ActivityStream
from services.analytics.tables import REST
from services.analytics.visibility import ChangeKey, is_visible
from shared.kit.http.service_tokens import Principal

#: The most keys that rights are asked about for one answer: the ones counted most.
MOST_KEYS = 500
MOST_GROUPS = 20


async def answer_figure(
    stream: ActivityStream,
    rights: ReaderRights,
    reader: Principal,
    *,
    figure: Figure,
    period: PeriodName,
) -> FigureResponse:
    """A figure in the windows of a period, as far as the reader may see it."""
    windows, now = PERIODS[period], time.time()
    table = stream.tables[windows.resolution]
    by_start = table.read(figure, windows.starts(now))
    whole = Counts(figure)
    for counts in by_start.values():
        for key, numbers in counts.by_key.items():
            whole.add(key, numbers)
    visible = await _visible_keys(whole, rights, reader)
    outcomes, oldest = OUTCOMES[figure], table.oldest()
    return FigureResponse(
        figure=figure,
        period=period,
        step="hour" if windows.resolution.name == "hours" else "day",
        outcomes=list(outcomes),
        since=None if oldest is None else moment(oldest),
        buckets=[
            Bucket(start=moment(start), counts=_named(figure, counts.total(visible)))
            for start, counts in by_start.items()
        ],
        totals=_named(figure, whole.total(visible)),
        groups=_groups(whole, visible),
        complete=reader.decision == "allow" or not _is_cut(whole),
    )


async def _visible_keys(
    counts: Counts, rights: ReaderRights, reader: Principal
) -> set[str]:
    if reader.decision == "allow":
        return set(counts.by_key)
    keys = _most_counted(counts)
    if counts.figure == "changes":
        return {k for k in keys if is_visible(reader.conditions, ChangeKey.parse(k))}
    if counts.figure == "pushes":
        return await rights.repositories(keys[:MOST_KEYS], reader)
    return await rights.entities(keys[:MOST_KEYS], reader)


def _most_counted(counts: Counts) -> list[str]:
    """Keys, those that were counted most first; without what is counted together."""
    keys = (key for key in counts.by_key if key != REST)
    return sorted(keys, key=lambda key: (-sum(counts.by_key[key]), key))


def _is_cut(counts: Counts) -> bool:
    """Whether a reader with conditions may miss something that they may see."""
    is_judged_by_entities = counts.figure != "changes"
    too_many = is_judged_by_entities and len(counts.by_key) > MOST_KEYS
    return REST in counts.by_key or too_many


def _groups(counts: Counts, visible: Iterable[str]) -> list[CountedGroup]:
    """The names with most activity: owners, templates, entities or repositories."""
    by_name = Counts(counts.figure)
    for key in visible:
        if key != REST:
            for name in _names(counts.figure, key):
                by_name.add(name, counts.by_key.get(key, ()))
    groups = []
    for name, numbers in by_name.by_key.items():
        named = _named(counts.figure, numbers)
        total = sum(n for outcome, n in named.items() if outcome not in UNCOUNTED)
        if total:
            groups.append(CountedGroup(name=name, counts=named, total=total))
    groups.sort(key=lambda group: (-group.total, group.name))
    return groups[:MOST_GROUPS]


def _names(figure: Figure, key: str) -> tuple[str, ...]:
    """What a key's counts are shown under; "" for entities without an owner."""
    return ChangeKey.parse(key).owners or ("",) if figure == "changes" else (key,)


def _named(figure: Figure, numbers: Iterable[int]) -> Mapping[str, int]:
    return dict(zip(OUTCOMES[figure], numbers, strict=True))
