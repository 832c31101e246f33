"""Which permission a request to a plugin needs: one table, nothing else decides it.

Names are Backstage's (catalog, scaffolder) or, where it has none, begin `callboard.`.
A route that is not listed reads under its plugin's reading permission, and changes
nothing: a method that may change something is refused unless it stands here.
"""

import re
from collections.abc import Iterable

ENTITY_READ = "catalog.entity.read"
SNAPSHOT_READ = "callboard.snapshot.read"
INTERNAL_READ = "callboard.internal.read"
UNLISTED = "callboard.unlisted.change"

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

#: What an unlisted GET of each plugin needs.
READING = {
    "catalog": ENTITY_READ,
    "scaffolder": "scaffolder.template.parameter.read",
    "techdocs": ENTITY_READ,
    "search": ENTITY_READ,
}

_ANY = r"[^/]+"
_SNAPSHOT = ("GET", "/snapshot(/checksum)?", SNAPSHOT_READ)
#: What every service answers about itself, for operators and the gateway.
_INTERNAL = ("GET", "/(healthz|readyz|metrics)", INTERNAL_READ)
_SERVICES_ONLY = (_SNAPSHOT, _INTERNAL)

#: plugin -> (method, path as a regular expression, permission); the first match counts.
ROUTES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "catalog": (
        *_SERVICES_ONLY,
        ("POST", "/entities/(by-query|by-refs)", ENTITY_READ),
        ("POST", "/entity-facets", ENTITY_READ),
        ("DELETE", f"/entities/by-uid/{_ANY}", "catalog.entity.delete"),
        ("POST", "/refresh", "catalog.entity.refresh"),
        ("POST", "/validate-entity", "catalog.entity.validate"),
        ("POST", "/analyze-location", "catalog.location.analyze"),
        # Not catalog.location.read, which has no conditions: what leads to restricted
        # entities would tell of them.
        ("POST", "/locations/by-query", ENTITY_READ),
        ("POST", "/locations", "catalog.location.create"),
        ("PUT", f"/locations/{_ANY}", "catalog.location.create"),
        ("DELETE", f"/locations/{_ANY}", "catalog.location.delete"),
        ("GET", "/locations(/.*)?", ENTITY_READ),
        (
            "POST",
            "/.well-known/backstage/permissions/apply-conditions",
            ENTITY_READ,
        ),
    ),
    "scaffolder": (
        *_SERVICES_ONLY,
        ("GET", "/v2/(actions|templating-extensions)", "scaffolder.action.read"),
        ("GET", "/v2/tasks(/.*)?", "scaffolder.task.read"),
        ("POST", f"/v2/tasks/{_ANY}/cancel", "scaffolder.task.cancel"),
        ("POST", f"/v2/tasks/{_ANY}/retry", "scaffolder.task.create"),
        ("POST", "/v2/tasks", "scaffolder.task.create"),
        ("POST", "/v2/dry-run", "scaffolder.template.dry-run"),
        ("POST", f"/v2/autocomplete/{_ANY}/{_ANY}", "scaffolder.task.create"),
    ),
    "techdocs": _SERVICES_ONLY,
    "search": (*_SERVICES_ONLY, ("POST", "/rebuild", "callboard.search.rebuild")),
}


class RouteTable:
    """`ROUTES` compiled: per plugin and method one regular expression."""

    def __init__(
        self, routes: dict[str, tuple[tuple[str, str, str], ...]] = ROUTES
    ) -> None:
        self._compiled: dict[tuple[str, str], tuple[re.Pattern[str], list[str]]] = {}
        for plugin, rows in routes.items():
            for method in {row[0] for row in rows}:
                mine = [row for row in rows if row[0] == method]
                self._compiled[plugin, method] = _compile(mine)

    def permission(self, plugin: str, method: str, path: str) -> str:
        """The permission that `method path` of `plugin` needs.

        `path` is below the plugin's root and begins with a slash.
        """
        method = "GET" if method == "HEAD" else method
        found = self._compiled.get((plugin, method))
        if found is not None:
            match = found[0].fullmatch(path.rstrip("/") or "/")
            if match is not None and match.lastgroup is not None:
                return found[1][int(match.lastgroup[1:])]
        return READING.get(plugin, ENTITY_READ) if method in SAFE else UNLISTED


def _compile(
    rows: Iterable[tuple[str, str, str]],
) -> tuple[re.Pattern[str], list[str]]:
    rows = list(rows)
    alternatives = (
        f"(?P<r{number}>{path.replace('(', '(?:')})"
        for number, (_, path, _permission) in enumerate(rows)
    )
    return re.compile("|".join(alternatives)), [row[2] for row in rows]
