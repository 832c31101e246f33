"""Search's plain routes in words, for the OpenAPI document; a test holds them equal."""

from shared.kit.openapi import Asked, Operation

OPERATIONS = (
    Operation(
        "GET",
        "/query",
        "A page of what was found, as far as the caller may see it",
        "numberOfResults, results of {type, document, rank, highlight}, nextPageCursor "
        "and previousPageCursor",
        (
            Asked("term", "What to look for"),
            Asked("types", "software-catalog or techdocs", many=True),
            Asked(
                "filters", "What fields must hold: filters[kind]=Component", "object"
            ),
            Asked("pageLimit", "How many at most", "integer"),
            Asked("pageCursor", "From nextPageCursor or previousPageCursor"),
        ),
    ),
    Operation(
        "GET",
        "/suggest",
        "The likeliest titles for what has been typed so far",
        "suggestions of {title, highlight, type, kind, entityRef, entityTitle, "
        "location}, preTag and postTag",
        (
            Asked("term", "What has been typed"),
            Asked("limit", "How many at most", "integer"),
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
