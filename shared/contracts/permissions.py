"""The table of permissions that the routes of all services need.

The gateway asks the policy about a route's permission and signs the decision; the
service refuses a request that was decided on another permission. Names are Backstage's
(catalog, scaffolder), or begin with `callboard.` where it has none. An unlisted GET
needs its plugin's read permission; every other unlisted request is refused.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from shared.contracts.paths import path_pattern

ENTITY_READ = "catalog.entity.read"
LOCATION_CREATE = "catalog.location.create"
LOCATION_DELETE = "catalog.location.delete"
TASK_READ = "scaffolder.task.read"
#: Read a source (a repository, an address) that entities of the catalog come from.
SOURCE_READ = "callboard.source.read"
#: Read a source that no entity of the catalog comes from yet.
SOURCE_EXPLORE = "callboard.source.explore"
SNAPSHOT_READ = "callboard.snapshot.read"
INTERNAL_READ = "callboard.internal.read"
UNLISTED = "callboard.unlisted.change"

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
#: Paths that a service answers without a token at its own port: probes and scrapers.
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/metrics", "/openapi.json"})

ResourceType = Literal["catalog-entity", "scaffolder-task"]


@dataclass(frozen=True, slots=True)
class Need:
    """The permission that one route needs.

    `resource` is the type of resource that a decision's conditions apply to. If it is
    None, a conditional decision counts as a denial, because nothing can be tested.
    `also` lists further permissions whose decisions are passed to the service with the
    request. With `only_services`, only services may call the route, on behalf of
    people.
    """

    permission: str
    resource: ResourceType | None = None
    also: tuple[str, ...] = ()
    only_services: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path, in the syntax of the service's router."""

    method: str
    path: str
    need: Need


_READS = Need(ENTITY_READ, "catalog-entity")
#: Sources that are read before they are in the catalog are decided entity by entity.
_SOURCES = (SOURCE_READ, SOURCE_EXPLORE, ENTITY_READ)
_ENTITY_FIGURES = ("changes", "runs", "docs-builds")
_PUSHES = Need(ENTITY_READ, "catalog-entity", also=(SOURCE_READ, SOURCE_EXPLORE))
_BY_NAME = "/entities/by-name/{kind}/{namespace}/{name}"
_DOCS = "{namespace}/{kind}/{name}"
_PERMISSIONS = "/.well-known/backstage/permissions"


def _operations_routes(*snapshots: str) -> tuple[Route, ...]:
    """The routes for operators and for other services."""
    internal, snapshot = Need(INTERNAL_READ), Need(SNAPSHOT_READ)
    return (
        *(Route("GET", path, internal) for path in ("/healthz", "/readyz", "/metrics")),
        *(Route("GET", path, snapshot) for path in snapshots),
    )


#: The permission that an unlisted GET of each plugin needs.
READING: Mapping[str, Need] = {
    "catalog": _READS,
    "scaffolder": Need("scaffolder.template.parameter.read", "catalog-entity"),
    "techdocs": _READS,
    "search": _READS,
    "analytics": _READS,
}

ROUTES: Mapping[str, tuple[Route, ...]] = {
    "catalog": (
        *_operations_routes("/snapshot", "/snapshot/checksum"),
        Route("POST", "/sources/open", Need(SNAPSHOT_READ)),
        Route("POST", "/sources/hidden", Need(SNAPSHOT_READ)),
        Route("POST", "/snapshot/operations", Need(SNAPSHOT_READ)),
        Route("GET", "/entities", _READS),
        Route("GET", "/entities/by-query", _READS),
        Route("POST", "/entities/by-query", _READS),
        Route("POST", "/entities/by-refs", _READS),
        Route("GET", "/entities/by-uid/{uid}", _READS),
        Route("GET", _BY_NAME, _READS),
        Route("GET", f"{_BY_NAME}/ancestry", _READS),
        Route("GET", f"{_BY_NAME}/history", _READS),
        Route("GET", "/entity-facets", _READS),
        Route("POST", "/entity-facets", _READS),
        Route("GET", "/changes", _READS),
        Route(
            "DELETE",
            "/entities/by-uid/{uid}",
            Need("catalog.entity.delete", "catalog-entity", also=(ENTITY_READ,)),
        ),
        Route(
            "POST",
            "/refresh",
            Need("catalog.entity.refresh", "catalog-entity", also=(ENTITY_READ,)),
        ),
        Route(
            "POST", "/validate-entity", Need("catalog.entity.validate", also=_SOURCES)
        ),
        Route(
            "POST", "/analyze-location", Need("catalog.location.analyze", also=_SOURCES)
        ),
        # Backstage's catalog.location.read has no conditions. Locations are visible
        # through their entities, so that they do not reveal restricted ones.
        Route("GET", "/locations", _READS),
        Route("POST", "/locations/by-query", _READS),
        Route("GET", "/locations/{location_id}", _READS),
        # The answer also says whether the caller may unregister the location.
        Route(
            "GET",
            "/locations/{location_id}/remaining",
            Need(ENTITY_READ, "catalog-entity", also=(LOCATION_DELETE,)),
        ),
        Route("GET", "/locations/by-entity/{kind}/{namespace}/{name}", _READS),
        Route("POST", "/locations", Need(LOCATION_CREATE, also=_SOURCES)),
        # Moving a location deletes its entities and registers another source.
        Route(
            "PUT",
            "/locations/{location_id}",
            Need(
                LOCATION_DELETE,
                "catalog-entity",
                also=(LOCATION_CREATE, *_SOURCES),
            ),
        ),
        Route(
            "DELETE",
            "/locations/{location_id}",
            Need(LOCATION_DELETE, "catalog-entity", also=(ENTITY_READ,)),
        ),
        Route(
            "POST",
            "/sources/readable",
            # The answer distinguishes sources that are closed from absent ones.
            Need(
                SOURCE_READ,
                "catalog-entity",
                also=(SOURCE_EXPLORE,),
                only_services=True,
            ),
        ),
        Route("GET", f"{_PERMISSIONS}/metadata", _READS),
        Route("POST", f"{_PERMISSIONS}/apply-conditions", _READS),
    ),
    "scaffolder": (
        *_operations_routes(),
        Route(
            "GET",
            "/v2/templates/{namespace}/{kind}/{name}/parameter-schema",
            READING["scaffolder"],
        ),
        Route("GET", "/v2/actions", Need("scaffolder.action.read")),
        Route("GET", "/v2/templating-extensions", Need("scaffolder.action.read")),
        *(
            Route("GET", path, Need(TASK_READ, "scaffolder-task"))
            for path in (
                "/v2/tasks",
                "/v2/tasks/{task_id}",
                "/v2/tasks/{task_id}/events",
                "/v2/tasks/{task_id}/eventstream",
            )
        ),
        Route("POST", "/v2/tasks", Need("scaffolder.task.create")),
        Route(
            "POST",
            "/v2/tasks/{task_id}/cancel",
            Need("scaffolder.task.cancel", "scaffolder-task"),
        ),
        # A run acts for its creator, so nobody else may retry it.
        Route("POST", "/v2/tasks/{task_id}/retry", Need("scaffolder.task.create")),
        Route("POST", "/v2/dry-run", Need("scaffolder.template.dry-run")),
        Route("POST", "/v2/template-checks", READING["scaffolder"]),
        Route(
            "POST",
            "/v2/autocomplete/{provider}/{resource}",
            Need("scaffolder.task.create"),
        ),
    ),
    "techdocs": (
        *_operations_routes("/snapshot", "/snapshot/checksum"),
        Route("GET", f"/metadata/techdocs/{_DOCS}", _READS),
        Route("GET", f"/metadata/entity/{_DOCS}", _READS),
        Route("GET", f"/sync/{_DOCS}", _READS),
        Route("GET", f"/static/docs/{_DOCS}", _READS),
        Route("GET", f"/static/docs/{_DOCS}/{{path:path}}", _READS),
        Route("GET", "/sites", _READS),
        Route("GET", "/sites/failed", _READS),
        Route("POST", "/sites/by-refs", _READS),
        Route("GET", f"/sites/{_DOCS}", _READS),
        Route("GET", f"/pages/{_DOCS}", _READS),
        Route("GET", f"/pages/{_DOCS}/{{path:path}}", _READS),
        Route("GET", f"/assets/{_DOCS}/{{path:path}}", _READS),
    ),
    "search": (
        *_operations_routes("/snapshot/checksum"),
        Route("GET", "/query", _READS),
        Route("GET", "/suggest", _READS),
        Route("POST", "/rebuild", Need("callboard.search.rebuild")),
    ),
    "analytics": (
        *_operations_routes(),
        *(Route("GET", f"/{figure}", _READS) for figure in _ENTITY_FIGURES),
        # Pushes show to whom their repositories' sources show.
        *(Route("GET", f"/{figure}", _PUSHES) for figure in ("pushes", "summary")),
    ),
}


def need_of(plugin: str, method: str, path: str) -> Need:
    """The permission that `method path` of a plugin needs.

    `path` is decoded, below the plugin's root, and passed `checked_path`.
    """
    route = _route(plugin, method, path)
    if route is not None:
        return route.need
    if method in SAFE_METHODS:
        return READING.get(plugin, _READS)
    return Need(UNLISTED)


def route_of(plugin: str, method: str, path: str) -> str | None:
    """The route that answers `method path` of a plugin, if it is listed; see `need_of`.

    It tells requests apart by what they ask for and not by what they ask about.
    """
    route = _route(plugin, method, path)
    return None if route is None else route.path


def _route(plugin: str, method: str, path: str) -> Route | None:
    listed = _routes_pattern(plugin, "GET" if method == "HEAD" else method)
    if listed is not None:
        pattern, routes = listed
        match = pattern.fullmatch(path.removesuffix("/") or "/")
        if match is not None and match.lastgroup is not None:
            return routes[int(match.lastgroup[1:])]
    return None


@lru_cache(maxsize=256)
def _routes_pattern(
    plugin: str, method: str
) -> tuple[re.Pattern[str], tuple[Route, ...]] | None:
    routes = [route for route in ROUTES.get(plugin, ()) if route.method == method]
    return _join_patterns(routes) if routes else None


def _join_patterns(
    routes: Iterable[Route],
) -> tuple[re.Pattern[str], tuple[Route, ...]]:
    routes = tuple(routes)
    alternatives = (
        f"(?P<r{number}>{path_pattern(route.path)})"
        for number, route in enumerate(routes)
    )
    return re.compile("|".join(alternatives)), routes


def permissions() -> frozenset[str]:
    """Every permission that a route needs or passes on."""
    needs = [route.need for routes in ROUTES.values() for route in routes]
    return frozenset(name for need in needs for name in (need.permission, *need.also))
