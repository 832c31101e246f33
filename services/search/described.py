"""Search's plain routes in words, for the OpenAPI document; a test holds them equal."""

from shared.kit.http.openapi import Operation, QueryParameter

OPERATIONS = (
    Operation(
        "GET",
        "/query",
        "A page of what was found, as far as the caller may see it",
        "numberOfResults, results of {type, document, rank, highlight}, nextPageCursor "
        "and previousPageCursor",
        (
            QueryParameter("term", "What to look for"),
            QueryParameter("types", "software-catalog or techdocs", many=True),
            QueryParameter(
                "filters", "What fields must hold: filters[kind]=Component", "object"
            ),
            QueryParameter("pageLimit", "How many at most", "integer"),
            QueryParameter("pageCursor", "From nextPageCursor or previousPageCursor"),
        ),
    ),
    Operation(
        "GET",
        "/suggest",
        "The likeliest titles for what has been typed so far",
        "suggestions of {title, highlight, type, kind, entityRef, entityTitle, "
        "location}, preTag and postTag",
        (
            QueryParameter("term", "What has been typed"),
            QueryParameter("limit", "How many at most", "integer"),
        ),
    ),
    Operation(
        "POST",
        "/rebuild",
        "Make a fresh index in place of this one",
        "Whether it equals its sources, by count and checksum; as server-sent events "
        "with Accept: text/event-stream",
    ),
)
