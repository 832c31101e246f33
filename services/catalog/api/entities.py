"""All routes that answer entities, the most frequent first: plain ones."""

from services.catalog.api import facets, operations, pages, single, snapshot
from services.catalog.api.models import (
    Ancestry,
    EntityDocument,
    EntityFilter,
    EntityItems,
    EntityList,
    EntityListQuery,
    EntityPage,
    EntityPageQuery,
    EntityPageRequest,
    EntityRefsRequest,
    FacetsByField,
    FacetsQuery,
    FacetsRequest,
)
from shared.kit.http.openapi import ServiceApp

BY_NAME = "/entities/by-name/{kind}/{namespace}/{name}"
BY_QUERY, FACETS = "/entities/by-query", "/entity-facets"


def add_routes(app: ServiceApp) -> None:
    """`app.state` must hold `readmodel`, and `definitions` where there are any."""
    add = app.add_plain_route
    add("GET", BY_NAME, single.by_name, answer=EntityDocument)
    add(
        "POST",
        "/entities/by-refs",
        single.by_refs,
        answer=EntityItems,
        query=EntityFilter,
        body=EntityRefsRequest,
    )
    add("GET", BY_QUERY, pages.by_query, answer=EntityPage, query=EntityPageQuery)
    add("GET", "/entities", pages.entities, answer=EntityList, query=EntityListQuery)
    add("GET", FACETS, facets.facets, answer=FacetsByField, query=FacetsQuery)
    add("POST", BY_QUERY, pages.by_body, answer=EntityPage, body=EntityPageRequest)
    add("POST", FACETS, facets.by_body, answer=FacetsByField, body=FacetsRequest)
    add("GET", "/entities/by-uid/{uid}", single.by_uid, answer=EntityDocument)
    add("GET", f"{BY_NAME}/ancestry", single.by_name_ancestry, answer=Ancestry)
    add("GET", "/snapshot", snapshot.snapshot, is_public=False)
    add("GET", "/snapshot/checksum", snapshot.checksum, is_public=False)
    add("POST", "/snapshot/operations", operations.operations, is_public=False)
