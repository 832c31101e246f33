"""What search's routes take and answer, for the OpenAPI document."""

from typing import Any

from pydantic import Field

from services.search.model import Checksum
from shared.kit.http.models import Absent, RequestModel, ResponseModel

#: `filters[kind]=Component`: pydantic knows no such parameters.
FILTERS = {
    "name": "filters",
    "in": "query",
    "description": "What fields must hold",
    "style": "deepObject",
    "explode": True,
    "schema": {"type": "object"},
}


class SearchQuery(RequestModel):
    """The query of a search."""

    term: str = Field("", description="What to look for")
    types: list[str] = Field([], description="software-catalog or techdocs")
    page_limit: int = Field(25, description="How many at most")
    page_cursor: str | None = Field(
        None, description="From nextPageCursor or previousPageCursor"
    )


class Highlight(ResponseModel):
    """Fields of a document with marks around what matched."""

    pre_tag: str
    post_tag: str
    fields: dict[str, str]


class SearchResult(ResponseModel):
    """One document that matched; its fields depend on its type."""

    type: str
    document: dict[str, Any]
    rank: int
    highlight: Highlight


class SearchPage(ResponseModel):
    """A page of results."""

    number_of_results: int
    results: list[SearchResult]
    next_page_cursor: str | Absent = None
    previous_page_cursor: str | Absent = None


class SuggestionQuery(RequestModel):
    """The query of suggestions."""

    term: str = Field("", description="What has been typed")
    limit: int = Field(8, description="How many at most")


class Suggestion(ResponseModel):
    """One title that completes what has been typed."""

    title: str
    highlight: str
    type: str
    kind: str
    entity_ref: str
    entity_title: str
    location: str


class SuggestionList(ResponseModel):
    """Suggestions, the likeliest first, and the marks in their highlights."""

    suggestions: list[Suggestion]
    pre_tag: str
    post_tag: str


class RebuildProof(ResponseModel):
    """Whether a new index equals its sources; `live` is the one it replaced."""

    equal: bool
    entities: Checksum
    sites: Checksum
    live: dict[str, Checksum]
    seconds: float
