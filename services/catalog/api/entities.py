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
    plain = app.add_plain_route
    plain("GET", BY_NAME, single.by_name, answer=EntityDocument)
    plain(
        "POST",
        "/entities/by-refs",
        single.by_refs,
        answer=EntityItems,
        query=EntityFilter,
        body=EntityRefsRequest,
    )
    plain("GET", BY_QUERY, pages.by_query, answer=EntityPage, query=EntityPageQuery)
    plain("GET", "/entities", pages.entities, answer=EntityList, query=EntityListQuery)
    plain("GET", FACETS, facets.facets, answer=FacetsByField, query=FacetsQuery)
    plain("POST", BY_QUERY, pages.by_body, answer=EntityPage, body=EntityPageRequest)
    plain("POST", FACETS, facets.by_body, answer=FacetsByField, body=FacetsRequest)
    plain("GET", "/entities/by-uid/{uid}", single.by_uid, answer=EntityDocument)
    plain("GET", f"{BY_NAME}/ancestry", single.by_name_ancestry, answer=Ancestry)
    plain("GET", "/snapshot", snapshot.snapshot, is_public=False)
    plain("GET", "/snapshot/checksum", snapshot.checksum, is_public=False)
    plain("POST", "/snapshot/operations", operations.operations, is_public=False)
