"""Figures, as different readers see them."""

import time
from collections.abc import Sequence
from typing import Any

import pytest

from services.analytics.answers import MOST_KEYS, answer_figure
from services.analytics.model import DAYS, HOURS, Figure, PeriodName
from services.analytics.shapes import FigureResponse
from services.analytics.stream import ActivityStream
from services.analytics.tables import REST
from shared.kit.config.servers import Server
from shared.kit.http.service_tokens import Principal

OPERATOR = Principal("user:default/ops", "user", permission="catalog.entity.read")
CONDITIONS = {
    "anyOf": [
        {
            "not": {
                "rule": "HAS_ANNOTATION",
                "params": {
                    "annotation": "callboard.dev/visibility",
                    "value": "restricted",
                },
            }
        },
        {
            "rule": "IS_ENTITY_OWNER",
            "params": {"claims": ["group:default/ushers"]},
        },
    ]
}
ANN = Principal(
    "user:default/ann",
    "user",
    permission="catalog.entity.read",
    decision="conditional",
    conditions=CONDITIONS,
)


class MemoryRights:
    """The twin: what everybody with conditions may see, and what was asked."""

    def __init__(self, *visible: str) -> None:
        self.visible = set(visible)
        self.requests: list[int] = []

    async def entities(self, refs: Sequence[str], reader: Principal) -> set[str]:
        assert reader.decision == "conditional"
        self.requests.append(len(refs))
        return self.visible & set(refs)

    async def repositories(self, names: Sequence[str], reader: Principal) -> set[str]:
        return await self.entities(names, reader)


def row(figure: Figure, counts: dict[str, list[int]], *, ago: int = 0) -> list[Any]:
    start = DAYS.start(time.time()) - ago * DAYS.seconds
    return [f"{figure}:0", start, start + DAYS.seconds - 0.1, counts]


async def answer(
    figure: Figure,
    rows: list[list[Any]],
    reader: Principal,
    *,
    rights: MemoryRights | None = None,
    period: PeriodName = "7d",
) -> FigureResponse:
    stream = ActivityStream(Server.of("nowhere:1"))
    stream.tables[DAYS].fill(rows)
    return await answer_figure(
        stream, rights or MemoryRights(), reader, figure=figure, period=period
    )


CHANGES = {
    "|group:default/ushers": [3, 1, 0, 500],
    "|group:default/cast,user:default/bob": [2, 0, 0, 0],
    "restricted|group:default/ushers": [10, 0, 0, 0],
    "restricted|group:default/board": [100, 0, 0, 0],
    "|": [1, 0, 0, 0],
}


async def test_an_unconditional_reader_gets_all_counts() -> None:
    """Without conditions every count is in the sum, and the catalog is not queried."""
    rights = MemoryRights()
    rows = [row("changes", CHANGES)]
    figure = await answer("changes", rows, OPERATOR, rights=rights)
    assert list(figure.totals.values()) == [116, 1, 0, 500]
    assert figure.groups[0].name == "group:default/board"
    assert figure.complete
    assert rights.requests == []


async def test_restricted_changes_are_counted_for_their_owners_only() -> None:
    """A reader sees open changes, and restricted ones of their own group."""
    figure = await answer("changes", [row("changes", CHANGES)], ANN)
    assert figure.totals["updated"] == 16
    names = [(group.name, group.total) for group in figure.groups]
    assert names == [
        ("group:default/ushers", 14),
        ("group:default/cast", 2),
        ("user:default/bob", 2),
        ("", 1),
    ]


@pytest.mark.parametrize("figure", ["runs", "docs-builds", "pushes"])
async def test_keys_of_other_figures_are_checked_in_one_request(figure: Figure) -> None:
    """It returns the keys that the reader may see."""
    numbers = {"runs": [1, 2, 0], "docs-builds": [1, 2], "pushes": [3]}[figure]
    rights = MemoryRights("seen")
    rows = [row(figure, {"seen": numbers, "hidden": numbers})]
    result = await answer(figure, rows, ANN, rights=rights)
    assert sum(result.totals.values()) == 3
    assert [group.name for group in result.groups] == ["seen"]
    assert rights.requests == [2]


async def test_merged_counts_are_shown_to_unconditional_readers() -> None:
    """Counts of many keys together; other readers get a note."""
    rows = [row("runs", {REST: [5, 0, 0], "seen": [1, 0, 0]})]
    figure = await answer("runs", rows, ANN, rights=MemoryRights("seen"))
    assert (figure.totals["completed"], figure.complete) == (1, False)
    figure = await answer("runs", rows, OPERATOR)
    assert (figure.totals["completed"], figure.complete) == (6, True)
    assert [group.name for group in figure.groups] == ["seen"]


async def test_the_number_of_checked_keys_is_limited() -> None:
    """The keys with the highest counts are checked."""
    keys = {f"key-{n:04}": [n, 0, 0] for n in range(MOST_KEYS + 10)}
    rights = MemoryRights(*keys)
    figure = await answer("runs", [row("runs", keys)], ANN, rights=rights)
    assert rights.requests == [MOST_KEYS]
    assert not figure.complete
    assert figure.groups[0].name == f"key-{MOST_KEYS + 9:04}"


async def test_a_period_has_all_its_windows() -> None:
    """Windows without a count have zeros; older ones are left out."""
    rows = [row("pushes", {"a/b": [2]}, ago=ago) for ago in (0, 3, 8)]
    figure = await answer("pushes", rows, OPERATOR)
    assert [b.counts["pushed"] for b in figure.buckets] == [0, 0, 0, 2, 0, 0, 2]
    assert (figure.step, len(figure.buckets)) == ("day", 7)
    assert figure.since is not None
    assert figure.since.timestamp() == DAYS.start(time.time()) - 8 * DAYS.seconds


async def test_without_a_count_a_figure_is_empty() -> None:
    """Every window is zero, and there is no beginning."""
    figure = await answer("runs", [], OPERATOR, period="24h")
    assert (figure.step, len(figure.buckets), figure.since) == ("hour", 24, None)
    assert figure.groups == []
    assert figure.buckets[-1].start.timestamp() == HOURS.start(time.time())
