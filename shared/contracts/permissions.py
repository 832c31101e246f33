"""Which permission each route of each service needs: one table decides it.

The gateway asks the policy for what stands here, and signs the answer; the service
refuses a caller who was not asked about exactly this. Names are Backstage's (catalog,
scaffolder) or, where it has none, begin `callboard.`. What is not listed reads under
its plugin's reading permission, and changes nothing.
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
#: Reading a source (a repository, an address) that entities of the catalog come from.
SOURCE_READ = "callboard.source.read"
#: Reading a source that nothing in the catalog comes from yet.
SOURCE_EXPLORE = "callboard.source.explore"
SNAPSHOT_READ = "callboard.snapshot.read"
INTERNAL_READ = "callboard.internal.read"
UNLISTED = "callboard.unlisted.change"

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
#: What a service answers to anybody who reaches its own port: probes and scrapers.
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/metrics", "/openapi.json"})

ResourceType = Literal["catalog-entity", "scaffolder-task"]


@dataclass(frozen=True, slots=True)
class Need:
    """What one route needs.

    `resource` is what the conditions of a decision are about; None: a conditional yes
    is no yes, because nothing could be tested. `also` are further permissions whose
    decisions travel with the request, for the service to apply where they matter.
    `only_services`: a person's own request is refused; services ask for that person.
    """

    permission: str
    resource: ResourceType | None = None
    also: tuple[str, ...] = ()
    only_services: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path, as the service's router writes it."""

    method: str
    path: str
    need: Need


_READS = Need(ENTITY_READ, "catalog-entity")
#: What is read for somebody before it is in the catalog, is judged entity by entity.
_SOURCES = (SOURCE_READ, SOURCE_EXPLORE, ENTITY_READ)
_BY_NAME = "/entities/by-name/{kind}/{namespace}/{name}"
_DOCS = "{namespace}/{kind}/{name}"
_PERMISSIONS = "/.well-known/backstage/permissions"


def _about_itself(*snapshots: str) -> tuple[Route, ...]:
    """What a service answers about itself, for operators and other services."""
    internal, snapshot = Need(INTERNAL_READ), Need(SNAPSHOT_READ)
    return (
        *(Route("GET", path, internal) for path in ("/healthz", "/readyz", "/metrics")),
        *(Route("GET", path, snapshot) for path in snapshots),
    )


#: What an unlisted GET of each plugin needs.
READING: Mapping[str, Need] = {
    "catalog": _READS,
    "scaffolder": Need("scaffolder.template.parameter.read", "catalog-entity"),
    "techdocs": _READS,
    "search": _READS,
}

ROUTES: Mapping[str, tuple[Route, ...]] = {
    "catalog": (
        *_about_itself("/snapshot", "/snapshot/checksum"),
        Route("GET", "/sources/open", Need(SNAPSHOT_READ)),
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
        # Registrations are read as what they lead to: catalog.location.read knows no
        # conditions, and what leads to restricted entities would tell of them.
        Route("GET", "/locations", _READS),
        Route("POST", "/locations/by-query", _READS),
        Route("GET", "/locations/{id}", _READS),
        # It tells as well whether the caller may unregister the location.
        Route(
            "GET",
            "/locations/{id}/remaining",
            Need(ENTITY_READ, "catalog-entity", also=(LOCATION_DELETE,)),
        ),
        Route("GET", "/locations/by-entity/{kind}/{namespace}/{name}", _READS),
        Route("POST", "/locations", Need(LOCATION_CREATE, also=_SOURCES)),
        # Moving one takes away what it brought and registers something else.
        Route(
            "PUT",
            "/locations/{id}",
            Need(
                LOCATION_DELETE,
                "catalog-entity",
                also=(LOCATION_CREATE, *_SOURCES),
            ),
        ),
        Route(
            "DELETE",
            "/locations/{id}",
            Need(LOCATION_DELETE, "catalog-entity", also=(ENTITY_READ,)),
        ),
        Route(
            "POST",
            "/sources/readable",
            # What is closed and what is not there differ in its answer.
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
        *_about_itself(),
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
        # A run acts for who created it: nobody else may start it again.
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
        *_about_itself("/snapshot", "/snapshot/checksum"),
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
        *_about_itself("/snapshot/checksum"),
        Route("GET", "/query", _READS),
        Route("GET", "/suggest", _READS),
        Route("POST", "/rebuild", Need("callboard.search.rebuild")),
    ),
}


def need_of(plugin: str, method: str, path: str) -> Need:
    """What `method path` of a plugin needs.

    `path` is decoded, below the plugin's root, and passed `checked_path`.
    """
    method = "GET" if method == "HEAD" else method
    compiled = _compiled(plugin, method)
    if compiled is not None:
        pattern, needs = compiled
        match = pattern.fullmatch(path.removesuffix("/") or "/")
        if match is not None and match.lastgroup is not None:
            return needs[int(match.lastgroup[1:])]
    if method in SAFE_METHODS:
        return READING.get(plugin, _READS)
    return Need(UNLISTED)


@lru_cache(maxsize=256)
def _compiled(
    plugin: str, method: str
) -> tuple[re.Pattern[str], tuple[Need, ...]] | None:
    rows = [row for row in ROUTES.get(plugin, ()) if row.method == method]
    return _alternatives(rows) if rows else None


def _alternatives(rows: Iterable[Route]) -> tuple[re.Pattern[str], tuple[Need, ...]]:
    rows = tuple(rows)
    alternatives = (
        f"(?P<r{number}>{path_pattern(row.path)})" for number, row in enumerate(rows)
    )
    return re.compile("|".join(alternatives)), tuple(row.need for row in rows)


def permissions() -> frozenset[str]:
    """Every permission that some route needs or takes along."""
    needs = [row.need for rows in ROUTES.values() for row in rows]
    return frozenset(name for need in needs for name in (need.permission, *need.also))
