"""What the catalog's routes take and answer, in Backstage's shapes."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from services.catalog.query.predicates import Predicate
from shared.kit.http.models import (
    Absent,
    ClosedRequestModel,
    RequestModel,
    ResponseModel,
)

MOST_ITEMS = 1_000_000
"""A limit or offset above this is taken for a mistake."""
MOST_REFS = 20_000
FIELDS = "Dotted paths that entities are cut down to"


def _split_at_commas(texts: list[str]) -> list[str]:
    pieces = (piece.strip() for text in texts for piece in text.split(","))
    return [piece for piece in pieces if piece]


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
#: A foreign list may have hundreds of thousands of items: one error is enough.
Texts = Annotated[list[str], Field(fail_fast=True)]
#: A list whose items are separated by commas as well.
CommaSeparated = Annotated[list[str], AfterValidator(_split_at_commas)]
Count = Annotated[int, Field(ge=0, le=MOST_ITEMS)]
Limit = Annotated[int, Field(ge=1, le=MOST_ITEMS)]
TotalItems = Literal["include", "exclude"]


class EntityMetadata(ResponseModel):
    """An entity's metadata; authors may add fields of their own."""

    model_config = ConfigDict(extra="allow")

    name: str | Absent = None
    namespace: str | Absent = None
    uid: str | Absent = None
    etag: str | Absent = None
    title: str | Absent = None
    description: str | Absent = None
    labels: dict[str, str] | Absent = None
    annotations: dict[str, str] | Absent = None
    tags: list[str] | Absent = None
    links: list[dict[str, Any]] | Absent = None


class EntityRelation(ResponseModel):
    """A relation of an entity, and the ref that it leads to."""

    type: str | Absent = None
    target_ref: str | Absent = None


class EntityDocument(ResponseModel):
    """An entity, or its requested fields."""

    model_config = ConfigDict(extra="allow")

    api_version: str | Absent = None
    kind: str | Absent = None
    metadata: EntityMetadata | Absent = None
    spec: dict[str, Any] | Absent = None
    relations: list[EntityRelation] | Absent = None
    status: dict[str, Any] | Absent = None


EntityList = list[EntityDocument]


class PageInfo(ResponseModel):
    """Cursors to the neighbours of a page; absent where there is none."""

    next_cursor: str | Absent = None
    prev_cursor: str | Absent = None


class EntityPage(ResponseModel):
    """A page of entities."""

    items: EntityList
    total_items: int
    page_info: PageInfo


class EntityItems(ResponseModel):
    """As many items as refs, in their order; null where there is no such entity."""

    items: list[EntityDocument | None]


class Ancestor(ResponseModel):
    """An entity, and the refs of those that it came from."""

    entity: EntityDocument
    parent_entity_refs: list[str]


class Ancestry(ResponseModel):
    """An entity and the locations above it."""

    root_entity_ref: str
    items: list[Ancestor]


class FacetCount(ResponseModel):
    """A value of a field, and how many entities have it."""

    value: str
    count: int


class FacetsByField(ResponseModel):
    """The values of each field; `totals` only if they were narrowed."""

    facets: dict[str, list[FacetCount]]
    totals: dict[str, int] | Absent = None


class EntityFilter(RequestModel):
    """What an entity must meet."""

    filter: list[str] = Field(
        [],
        description="key=value pairs joined by commas that must all hold; repeated, "
        "one is enough",
    )


class EntityListQuery(EntityFilter):
    """The query of `GET /entities`."""

    fields: list[str] = Field([], description=FIELDS)
    limit: Limit | None = None
    offset: Count | None = None
    after: str | None = Field(None, description="From the Link header")
    order: list[str] = Field([], description="asc:path or desc:path")


class EntityPageQuery(EntityFilter):
    """The query of `GET /entities/by-query`."""

    fields: list[str] = Field([], description=FIELDS)
    limit: Count | None = None
    offset: Count = 0
    order_field: list[str] = Field([], description="path, path,asc or path,desc")
    full_text_filter_term: str = Field("", description="Text that a field must hold")
    full_text_filter_fields: CommaSeparated = Field([], description="Where it may be")
    cursor: str | None = Field(None, description="From pageInfo; without all others")
    total_items: TotalItems = "include"


class FacetsQuery(EntityFilter):
    """The query of `GET /entity-facets`."""

    facet: Annotated[CommaSeparated, Field(min_length=1, description="Paths of fields")]
    value_text: str = Field("", description="What values, or their titles, contain")
    value_limit: Count | None = Field(None, description="How many values at most")


class SortField(RequestModel):
    """A field to sort by."""

    field: Text
    order: Literal["asc", "desc"] = "asc"


class FullTextFilter(RequestModel):
    """Text that one of some fields must hold."""

    term: str | None = None
    fields: Texts = Field([])


class EntityPageRequest(RequestModel):
    """The body of `POST /entities/by-query`."""

    query: Predicate | None = None
    fields: Texts = Field([], description=FIELDS)
    limit: Count | None = None
    offset: Count | None = None
    order_by: Annotated[list[SortField], Field(fail_fast=True)] | None = None
    full_text_filter: FullTextFilter | None = None
    cursor: str | None = None
    total_items: TotalItems | None = None


class EntityRefsRequest(RequestModel):
    """The body of `POST /entities/by-refs`."""

    entity_refs: Annotated[Texts, Field(max_length=MOST_REFS)]
    fields: Texts = Field([], description=FIELDS)
    query: Predicate | None = None


class FacetsRequest(RequestModel):
    """The body of `POST /entity-facets`."""

    facets: Annotated[Texts, Field(min_length=1, description="Paths of fields")]
    query: Predicate | None = None


class LocationSpec(ClosedRequestModel):
    """Where a descriptor lies."""

    type: Text = Field(description="url")
    target: Text = Field(description="The address of a descriptor")


class LocationDocument(ResponseModel):
    """A registered location."""

    id: str | None
    type: str
    target: str
    entity_ref: str


class NextPage(ResponseModel):
    """A cursor onward; absent at the end."""

    next_cursor: str | Absent = None
