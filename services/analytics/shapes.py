"""The answers of the API."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from services.analytics.model import Figure, PeriodName


class Bucket(BaseModel):
    """One window: when it begins, and how often each outcome came in it."""

    start: datetime
    counts: dict[str, int]


class CountedGroup(BaseModel):
    """What was counted for one owner, template, entity or repository."""

    name: str = Field(
        description="an entity ref or host/repository; empty: without an owner"
    )
    counts: dict[str, int]
    total: int = Field(description="all outcomes but what an import brought")


class FigureResponse(BaseModel):
    """One figure in the windows of a period, as far as the reader may see it."""

    figure: Figure
    period: PeriodName
    step: Literal["hour", "day"] = Field(description="how long a window is, in UTC")
    outcomes: list[str] = Field(description="in the order in which they are drawn")
    since: datetime | None = Field(
        description="when the oldest window begins that has a count; null: none has"
    )
    buckets: list[Bucket] = Field(description="every window, the oldest first")
    totals: dict[str, int]
    groups: list[CountedGroup] = Field(description="the twenty with most activity")
    complete: bool = Field(
        description="false: more was counted than could be told apart by reader"
    )


class SummaryResponse(BaseModel):
    """All figures in one period."""

    figures: list[FigureResponse]
