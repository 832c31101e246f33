"""The catalog's routes in words, for the OpenAPI document; a test holds them equal."""

from shared.kit.http.openapi import Operation, QueryParameter

FILTER = QueryParameter(
    "filter",
    "key=value pairs joined by commas that must all hold; repeated, one is enough",
    many=True,
)
FIELDS = QueryParameter(
    "fields", "Dotted paths that entities are cut down to", many=True
)
LIMIT = QueryParameter("limit", "How many at most", "integer")
OFFSET = QueryParameter("offset", "How many to skip", "integer")
BY_NAME = "/entities/by-name/{kind}/{namespace}/{name}"
PERMISSIONS = "/.well-known/backstage/permissions"
PAGE = "items, totalItems and pageInfo with cursors to the neighbours"

ENTITIES = (
    Operation(
        "GET",
        "/entities",
        "Entities that match",
        "An array of entities; a Link header leads to the next page if limit is given",
        (
            FILTER,
            FIELDS,
            LIMIT,
            OFFSET,
            QueryParameter("after", "The place that the Link header told"),
            QueryParameter("order", "asc:path or desc:path", many=True),
        ),
    ),
    Operation(
        "GET",
        "/entities/by-query",
        "A page of entities",
        PAGE,
        (
            FILTER,
            FIELDS,
            LIMIT,
            OFFSET,
            QueryParameter("orderField", "path, path,asc or path,desc", many=True),
            QueryParameter("fullTextFilterTerm", "Text that a field must hold"),
            QueryParameter(
                "fullTextFilterFields", "The fields that it may be in", many=True
            ),
            QueryParameter("cursor", "From pageInfo; instead of all the others"),
            QueryParameter("totalItems", "include or exclude"),
        ),
    ),
    Operation(
        "POST",
        "/entities/by-query",
        "A page of entities, asked with a predicate",
        PAGE,
        body={
            "query?": "a predicate over fields: $all, $any, $not, $in, $exists, …",
            "fields?": "array of paths",
            "limit?": "how many at most",
            "offset?": "how many to skip",
            "orderBy?": "array of {field, order}",
            "fullTextFilter?": "{term, fields}",
            "cursor?": "from pageInfo",
            "totalItems?": "include or exclude",
        },
    ),
    Operation(
        "POST",
        "/entities/by-refs",
        "Entities by their refs",
        "items: as many as refs, in their order, null where there is none",
        (FILTER,),
        {
            "entityRefs": "array of entity refs",
            "fields?": "array of paths",
            "query?": "a predicate that the entities must meet",
        },
    ),
    Operation("GET", BY_NAME, "One entity by its name", "The entity"),
    Operation("GET", "/entities/by-uid/{uid}", "One entity by its uid", "The entity"),
    Operation(
        "DELETE",
        "/entities/by-uid/{uid}",
        "Remove an entity; it comes back while its source has it",
        "It is gone",
        status=204,
    ),
    Operation(
        "GET",
        f"{BY_NAME}/ancestry",
        "An entity and the locations above it",
        "rootEntityRef, and items of {entity, parentEntityRefs}",
    ),
    Operation(
        "GET",
        f"{BY_NAME}/history",
        "Who changed an entity, what and why; newest first",
        "items of {revision, at, actor, cause, changed, deleted, diff}, totalItems and "
        "pageInfo.nextCursor",
        (LIMIT, QueryParameter("cursor", "From pageInfo.nextCursor")),
    ),
    Operation(
        "GET",
        "/entity-facets",
        "How often the values of fields occur",
        "facets: by field an array of {value, count}; with valueText or valueLimit "
        "also totals: by field how many values there are",
        (
            QueryParameter("facet", "A field's path", many=True, required=True),
            FILTER,
            QueryParameter(
                "valueText", "Only values that contain it, or name such a title"
            ),
            QueryParameter("valueLimit", "Only so many, the most frequent"),
        ),
    ),
    Operation(
        "POST",
        "/entity-facets",
        "How often the values of fields occur, asked with a predicate",
        "facets: by field an array of {value, count}",
        body={"facets": "array of paths", "query?": "a predicate"},
    ),
    Operation(
        "GET",
        "/changes",
        "What changed lately in the whole catalog; newest first",
        "items of {entityRef, title, kind, revision, at, actor, cause, changed, "
        "deleted} and pageInfo.nextCursor",
        (LIMIT, QueryParameter("after", "From pageInfo.nextCursor")),
    ),
    Operation(
        "POST",
        "/refresh",
        "Read an entity's sources again",
        "Done: what changed is visible",
        body={"entityRef": "an entity ref"},
    ),
    Operation(
        "POST",
        "/validate-entity",
        "Check an entity without storing it",
        "It is valid; 400 with errors of {name, message} if not",
        body={"entity": "the entity", "location": "where it would lie: url:https://…"},
    ),
)

LOCATIONS = (
    Operation("GET", "/locations", "All registrations", "An array of {data: location}"),
    Operation(
        "POST",
        "/locations",
        "Register a location and read it",
        "location and entities; with dryRun what it would bring, with provided also "
        "{entityRef, location, origin, providers, isOtherFile} of what the catalog has",
        (
            QueryParameter("dryRun", "Only look", "boolean"),
            QueryParameter("provided", "Look also at what the catalog has", "boolean"),
            QueryParameter(
                "onConflict", "refresh or reject a location that is registered"
            ),
        ),
        {"type": "url", "target": "the address of a descriptor"},
        status=201,
    ),
    Operation(
        "POST",
        "/locations/by-query",
        "A page of registrations",
        PAGE,
        body={
            "query?": "a predicate over id, type and target",
            "limit?": "how many at most",
            "cursor?": "from pageInfo",
        },
    ),
    Operation("GET", "/locations/{id}", "One registration", "The location"),
    Operation(
        "GET",
        "/locations/{id}/remaining",
        "What removing a registration takes away, and what it does not",
        "items of {location, providers, returns, totalEntities, entityRefs}: what "
        "stays, or goes and comes back, by the location that provides it then; "
        "leaving of {totalEntities, entityRefs}; removable: whether the caller may",
    ),
    Operation(
        "PUT",
        "/locations/{id}",
        "Let a registration mean another location",
        "The location",
        body={"type": "url", "target": "the address of a descriptor"},
    ),
    Operation(
        "DELETE",
        "/locations/{id}",
        "Remove a registration and what only it brought",
        "It is gone",
        status=204,
    ),
    Operation(
        "GET",
        "/locations/by-entity/{kind}/{namespace}/{name}",
        "The registration that an entity came from",
        "The location",
    ),
    Operation(
        "POST",
        "/analyze-location",
        "What could be registered at an address",
        "existingEntityFiles and generateEntities",
        body={
            "location": "{type, target}",
            "catalogFilename?": "the descriptors' file name",
        },
    ),
)

SOURCES = (
    Operation(
        "POST",
        "/sources/readable",
        "Which locations may be read on the caller's behalf",
        "items of {location, readable}",
        body={
            "locations": "array of locations: url:https://…",
        },
    ),
)

FRAMEWORK = (
    Operation(
        "GET",
        f"{PERMISSIONS}/metadata",
        "The permissions and rules that policies can speak of",
        "permissions and rules",
    ),
    Operation(
        "POST",
        f"{PERMISSIONS}/apply-conditions",
        "Whether entities meet conditions",
        "items of {id, result}: ALLOW or DENY",
        body={"items": "array of {id, resourceRef, resourceType, conditions}"},
    ),
)

OPERATIONS = (*ENTITIES, *LOCATIONS, *SOURCES, *FRAMEWORK)
