"""Insights: what happened lately, as charts and as tables of the same numbers.

The numbers are those of `/api/analytics`, which counts only what the reader may see.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from starlette.responses import Response

from services.portal.bar_chart import BarChart, bar_chart, window_label
from services.portal.entities import Summary, clipped_title
from services.portal.formats import moment
from services.portal.tables import Column
from services.portal.visit import Visit, Visiting

SUMMARY_PATH = "/api/analytics/summary"
PERIODS = {
    "24h": "24 hours",
    "48h": "2 days",
    "7d": "7 days",
    "30d": "30 days",
    "90d": "90 days",
}
USUAL_PERIOD = "7d"
#: Counted, and no part of a chart: one import has more entities than a year of changes.
UNDRAWN = frozenset({"imported"})

#: The counts of one figure as the API answers them.
Figure = Mapping[str, Any]

router = APIRouter()


@dataclass(frozen=True, slots=True)
class FigureText:
    """How a figure is worded: its heading, its counting word, what its rows are."""

    title: str
    one: str
    many: str
    rows: str
    empty: str


TEXTS = {
    "changes": FigureText(
        "Changes of entities",
        "change",
        "changes",
        "Owner",
        "No entity was changed in this period.",
    ),
    "runs": FigureText(
        "Template runs",
        "run",
        "runs",
        "Template",
        "No run of a template ended in this period.",
    ),
    "docs-builds": FigureText(
        "Documentation builds",
        "build",
        "builds",
        "Entity",
        "No documentation was built in this period.",
    ),
    "pushes": FigureText(
        "Pushes",
        "push",
        "pushes",
        "Repository",
        "No push was received in this period. Git hosts send them by webhooks.",
    ),
}


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One owner, template, entity or repository, and its counts by outcome."""

    title: str
    href: str
    counts: Sequence[int]
    total: int


@dataclass(frozen=True, slots=True)
class FigureView:
    """One figure as the page shows it."""

    id: str
    text: FigureText
    chart: BarChart
    rows: Sequence[FigureRow]
    imported: int
    is_complete: bool

    def columns(self, first: str) -> list[Column]:
        """The heads of a table: what its rows are, and the outcomes."""
        outcomes = (Column(s.capitalize(), number=True) for s in self.chart.series)
        return [Column(first), *outcomes]


@router.get("/insights")
async def insights(visit: Visiting) -> Response:
    """All figures of the period that is chosen."""
    period = visit.request.query_params.get("period", USUAL_PERIOD)
    if period not in PERIODS:
        period = USUAL_PERIOD
    figures = await _figures(visit, period)
    views = await _views(visit, figures or ())
    starts = [figure["since"] for figure in figures or () if figure["since"]]
    counted_since = moment(min(starts, default=None))
    return visit.page(
        "insights.html",
        title="Insights",
        nav="insights",
        period=period,
        periods=PERIODS,
        figures=views,
        is_available=figures is not None,
        counted_since=counted_since,
        counted_label=f"{window_label(counted_since, 'hour')} UTC"
        if counted_since
        else "",
        step=figures[0]["step"] if figures else "",
    )


@router.get("/insights/week")
async def week(visit: Visiting) -> Response:
    """The home page's block: the totals of a week, or nothing."""
    figures = await _figures(visit, USUAL_PERIOD)
    totals = [
        (TEXTS[figure["figure"]], _total(figure), figure["figure"])
        for figure in figures or ()
    ]
    html = visit.state.frame.fragment("components/week.html", totals=totals)
    return visit.state.frame.response(html)


async def _figures(visit: Visit, period: str) -> Sequence[Figure] | None:
    """The figures of a period; None while analytics does not answer."""
    answer = await visit.ask("GET", SUMMARY_PATH, params=[("period", period)])
    if not answer.ok:
        return None
    figures: Sequence[Figure] = answer.json()["figures"]
    return figures


async def _views(visit: Visit, figures: Iterable[Figure]) -> list[FigureView]:
    figures = list(figures)
    refs = {
        group["name"]
        for figure in figures
        if figure["figure"] != "pushes"
        for group in figure["groups"]
        if group["name"]
    }
    summaries = await visit.summaries(sorted(refs))
    return [_view(figure, summaries) for figure in figures]


def _view(figure: Figure, summaries: Mapping[str, Summary]) -> FigureView:
    outcomes = _drawn(figure)
    rows = []
    for bucket in figure["buckets"]:
        start = moment(bucket["start"])
        if start is not None:
            rows.append((window_label(start, figure["step"]), bucket["counts"]))
    return FigureView(
        id=figure["figure"],
        text=TEXTS[figure["figure"]],
        chart=bar_chart(rows, outcomes),
        rows=[_row(group, outcomes, summaries) for group in figure["groups"]],
        imported=int(figure["totals"].get("imported", 0)),
        is_complete=bool(figure["complete"]),
    )


def _row(
    group: Mapping[str, Any],
    outcomes: Iterable[str],
    summaries: Mapping[str, Summary],
) -> FigureRow:
    name = str(group["name"])
    summary = summaries.get(name)
    title = summary.title if summary else clipped_title(name) or "Without an owner"
    href = summary.href if summary and not summary.missing else ""
    if not summary and "/" in name:
        href = f"https://{quote(name)}"
    counts = [int(group["counts"].get(outcome, 0)) for outcome in outcomes]
    return FigureRow(title, href, counts, sum(counts))


def _drawn(figure: Figure) -> list[str]:
    return [str(outcome) for outcome in figure["outcomes"] if outcome not in UNDRAWN]


def _total(figure: Figure) -> int:
    return sum(int(figure["totals"].get(outcome, 0)) for outcome in _drawn(figure))
