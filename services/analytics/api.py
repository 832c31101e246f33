"""The HTTP face: figures, and a summary of all of them."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from services.analytics.answers import answer_figure
from services.analytics.events import ActivityConsumer
from services.analytics.model import OUTCOMES, Figure, PeriodName
from services.analytics.rights import ReaderRights
from services.analytics.shapes import FigureResponse, SummaryResponse
from shared.kit.http.apps import Caller
from shared.kit.http.service_tokens import Principal

router = APIRouter(tags=["analytics"])
Period = Annotated[
    PeriodName,
    Query(description="hours are kept for two days, days for ninety; UTC"),
]


class Figures:
    """Answers figures from the tables as they are now."""

    def __init__(self, activity: ActivityConsumer, rights: ReaderRights) -> None:
        self._activity = activity
        self._rights = rights

    async def answer(
        self, reader: Principal, figure: Figure, period: PeriodName
    ) -> FigureResponse:
        """One figure, as far as the reader may see it."""
        stream = await self._activity.ready()
        return await answer_figure(
            stream, self._rights, reader, figure=figure, period=period
        )


async def figures_of(request: Request) -> Figures:
    """The figures of the app that serves this request."""
    figures: Figures = request.app.state.figures
    return figures


Served = Annotated[Figures, Depends(figures_of)]


@router.get("/summary")
async def summary(
    figures: Served, reader: Caller, period: Period = "7d"
) -> SummaryResponse:
    """All figures of a period."""
    answers = await asyncio.gather(
        *(figures.answer(reader, figure, period) for figure in OUTCOMES)
    )
    return SummaryResponse(figures=list(answers))


def _add(figure: Figure, words: str) -> None:
    async def answer(
        figures: Served, reader: Caller, period: Period = "7d"
    ) -> FigureResponse:
        return await figures.answer(reader, figure, period)

    router.add_api_route(f"/{figure}", answer, summary=words, name=figure)


_add("changes", "Changes of entities, by owner")
_add("runs", "Runs of templates, by template")
_add("docs-builds", "Builds of documentation, by entity")
_add("pushes", "Pushes, by repository")
