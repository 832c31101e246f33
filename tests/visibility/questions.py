"""All that can be asked: every route of the services, and every page of the portal."""

from typing import Any

from services.portal.pages.backstage_addresses import ADDRESSES

BY_NAME = "/entities/by-name/{kind}/{namespace}/{name}"
#: Stands in a question for the names of all entities.
EVERY = {"entityRefs": ["*"]}
NOTHING = [("", "")]
#: plugin, method, path -> what is asked: paths (with {ref} for each of some entities),
#: or (path, body). An empty tuple: it names no entity, or is a change.
QUESTIONS: dict[tuple[str, str, str], tuple[Any, ...]] = {
    ("catalog", "GET", "/entities"): (
        "/entities",
        "/entities?fields=relations",
        "/entities?order=asc:metadata.title",
        "/entities?filter=metadata.tags=common",
    ),
    ("catalog", "GET", "/entities/by-query"): (
        "/entities/by-query?limit=1000",
        "/entities/by-query?limit=1000&fullTextFilterTerm=zq",
        "/entities/by-query?filter=kind=component&orderField=metadata.title,desc",
    ),
    ("catalog", "POST", "/entities/by-query"): (
        ("/entities/by-query", {"query": {"kind": "component"}, "limit": 1000}),
        ("/entities/by-query", {"query": {"$not": {"kind": "user"}}, "limit": 1000}),
        (
            "/entities/by-query",
            {"query": {"relations.dependencyOf": {"$exists": True}}},
        ),
    ),
    ("catalog", "POST", "/entities/by-refs"): (("/entities/by-refs", EVERY),),
    ("catalog", "GET", "/entities/by-uid/{uid}"): ("/entities/by-uid/{uid}",),
    ("catalog", "GET", BY_NAME): ("/entities/by-name/{at}",),
    ("catalog", "GET", f"{BY_NAME}/ancestry"): ("/entities/by-name/{at}/ancestry",),
    ("catalog", "GET", f"{BY_NAME}/history"): ("/entities/by-name/{at}/history",),
    ("catalog", "GET", "/entity-facets"): (
        *(
            f"/entity-facets?facet={one}"
            for one in ("metadata.name", "kind", "spec.type", "metadata.tags")
        ),
        *(
            f"/entity-facets?facet=relations.{one}"
            for one in ("dependsOn", "dependencyOf", "ownerOf", "hasPart", "hasMember")
        ),
    ),
    ("catalog", "POST", "/entity-facets"): (
        ("/entity-facets", {"facets": ["metadata.name", "relations.dependencyOf"]}),
    ),
    ("catalog", "GET", "/changes"): ("/changes?limit=200",),
    ("catalog", "GET", "/locations"): ("/locations",),
    ("catalog", "POST", "/locations/by-query"): (("/locations/by-query", {}),),
    ("catalog", "GET", "/locations/{location_id}"): (),
    ("catalog", "GET", "/locations/{location_id}/remaining"): (),
    ("catalog", "GET", "/locations/by-entity/{kind}/{namespace}/{name}"): (
        "/locations/by-entity/{at}",
    ),
    ("catalog", "POST", "/validate-entity"): (),
    ("catalog", "POST", "/analyze-location"): (),
    ("catalog", "POST", "/sources/readable"): (),
    ("catalog", "POST", "/sources/open"): (),
    ("catalog", "POST", "/sources/hidden"): (),
    # For services alone.
    ("catalog", "POST", "/snapshot/operations"): (),
    ("catalog", "GET", "/.well-known/backstage/permissions/metadata"): (),
    ("catalog", "POST", "/.well-known/backstage/permissions/apply-conditions"): (),
    ("catalog", "POST", "/refresh"): (),
    ("catalog", "POST", "/locations"): (),
    ("catalog", "PUT", "/locations/{location_id}"): (),
    ("catalog", "DELETE", "/locations/{location_id}"): (),
    ("catalog", "DELETE", "/entities/by-uid/{uid}"): (),
    ("search", "GET", "/query"): (
        "/query?term=common&pageLimit=100",
        "/query?term=zq*&pageLimit=100",
        "/query?term={name}",
    ),
    ("search", "GET", "/suggest"): ("/suggest?term=zq", "/suggest?term={name}"),
    ("search", "POST", "/rebuild"): (),
    ("techdocs", "GET", "/sites"): ("/sites?limit=1000",),
    ("techdocs", "GET", "/sites/failed"): ("/sites/failed?limit=100",),
    ("techdocs", "POST", "/sites/by-refs"): (("/sites/by-refs", EVERY),),
    ("techdocs", "GET", "/sites/{namespace}/{kind}/{name}"): ("/sites/{docs}",),
    ("techdocs", "GET", "/pages/{namespace}/{kind}/{name}"): ("/pages/{docs}",),
    ("techdocs", "GET", "/pages/{namespace}/{kind}/{name}/{path:path}"): (
        "/pages/{docs}/a",
    ),
    ("techdocs", "GET", "/assets/{namespace}/{kind}/{name}/{path:path}"): (
        "/assets/{docs}/a",
    ),
    ("techdocs", "GET", "/static/docs/{namespace}/{kind}/{name}"): (
        "/static/docs/{docs}",
    ),
    ("techdocs", "GET", "/static/docs/{namespace}/{kind}/{name}/{path:path}"): (
        "/static/docs/{docs}/index.html",
    ),
    ("techdocs", "GET", "/metadata/techdocs/{namespace}/{kind}/{name}"): (
        "/metadata/techdocs/{docs}",
    ),
    ("techdocs", "GET", "/metadata/entity/{namespace}/{kind}/{name}"): (
        "/metadata/entity/{docs}",
    ),
    # It looks at the source, and answers as the others what is not to be seen.
    ("techdocs", "GET", "/sync/{namespace}/{kind}/{name}"): (),
}
#: For operators and services alone, whoever else asks.
ITSELF = ("/healthz", "/readyz", "/metrics", "/snapshot", "/snapshot/checksum")
PAGE_PATHS: dict[str, tuple[str, ...]] = {
    "/": ("/",),
    "/sign-in": (),
    # What analytics counts: tried with its own events.
    "/insights": (),
    "/insights/week": (),
    "/catalog": tuple(
        f"/catalog?kind={kind}&limit=1000"
        for kind in ("component", "api", "user", "group", "template", "location")
    ),
    "/catalog/facets/{name}": (
        "/catalog/facets/owner?kind=component",
        "/catalog/facets/system?kind=component&find=zq",
        "/catalog/facets/tag?kind=component",
    ),
    "/catalog.csv": ("/catalog.csv?kind=component",),
    "/catalog.json": ("/catalog.json?kind=api",),
    "/catalog/{namespace}/{kind}/{name}": ("/catalog/{docs}",),
    "/catalog/{namespace}/{kind}/{name}/dependencies": (
        "/catalog/{docs}/dependencies",
    ),
    "/catalog/{namespace}/{kind}/{name}/api": ("/catalog/{docs}/api",),
    "/catalog/{namespace}/{kind}/{name}/api/definition": (
        "/catalog/{docs}/api/definition",
    ),
    "/catalog/{namespace}/{kind}/{name}/activity": ("/catalog/{docs}/activity",),
    "/catalog/{namespace}/{kind}/{name}/raw": ("/catalog/{docs}/raw",),
    "/catalog/{namespace}/{kind}/{name}/unregister": ("/catalog/{docs}/unregister",),
    "/catalog/{namespace}/{kind}/{name}/removed": ("/catalog/{docs}/removed",),
    # Backstage's addresses: what they lead to is above and below.
    **dict.fromkeys(ADDRESSES, ()),
    "/graph": ("/graph", "/graph?entity={ref}"),
    "/styleguide": (),
    "/docs": ("/docs",),
    "/docs/{namespace}/{kind}/{name}": (),
    "/docs/{namespace}/{kind}/{name}/{path:path}": ("/docs/{docs}/",),
    "/diagrams/frame": (),
    "/create": ("/create",),
    "/create/templates/{namespace}/{name}": ("/create/templates/default/{name}",),
    "/create/actions": (),
    "/create/tasks": (),
    "/create/tasks/{task}": (),
    "/create/register": (),
    "/choices": (
        "/choices?what=entities",
        "/choices?what=entities&term=zq",
        "/choices?what=entities&filter=kind%3Dcomponent&term={name}",
        "/choices?what=groups",
        "/choices?what=tags&term=zq",
    ),
    "/search": ("/search?query=common", "/search?query={name}"),
    "/search/suggest": ("/search/suggest?term=zq", "/search/suggest?term={name}"),
    "/settings": (),
    "/status": (),
}
