"""Gateway and services judge the same request alike: every route, every spelling."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.routing import BaseRoute, Match, Mount

from services.analytics.main import create_app as analytics_app
from services.analytics.settings import Settings as AnalyticsSettings
from services.catalog.main import create_app as catalog_app
from services.catalog.settings import Settings as CatalogSettings
from services.scaffolder.main import create_app as scaffolder_app
from services.scaffolder.settings import Settings as ScaffolderSettings
from services.search.main import create_app as search_app
from services.search.settings import Settings as SearchSettings
from services.techdocs.main import create_app as techdocs_app
from services.techdocs.settings import Settings as TechdocsSettings
from shared.contracts.errors import NotFound
from shared.contracts.headers import PRINCIPAL
from shared.contracts.paths import checked_path
from shared.contracts.permissions import OPEN_PATHS, ROUTES, Route, need_of
from shared.kit.http.service_tokens import Principal, PrincipalTokens
from tests.gateway.running import SECRET

PLUGINS = {
    "catalog": (catalog_app, CatalogSettings),
    "scaffolder": (scaffolder_app, ScaffolderSettings),
    "techdocs": (techdocs_app, TechdocsSettings),
    "search": (search_app, SearchSettings),
    "analytics": (analytics_app, AnalyticsSettings),
}
NAMES = ("gateway", *PLUGINS)
TAILS = (
    "", "/", "//", "%0A", "%0D", "%09", "%00", "%7F", "%C2%85", "%2F", "%2f", "%5C",
    "\\", ";x", "%3B", "/.", "/..", "/%2e", "/%2E%2E/x", "%20", "%", "%ZZ", "%C3%BC",
    "%FF", ".json", "/x", "/healthz", "/../metrics", "%250A", "*", "~", "%E2%80%A8",
)  # fmt: skip


def make_apps(data: Path) -> dict[str, FastAPI]:
    config = data / "app-config.yaml"
    config.write_text("organization:\n  name: Playhouse\n")
    values: dict[str, Any] = {
        "kafka": "127.0.0.1:1",
        "mongodb": "mongodb://127.0.0.1:1",
        "config": config,
        "data": data,
        "service_secret": SECRET,
        "port": 0,
        **{f"{name}_url": "http://127.0.0.1:1" for name in NAMES},
    }
    return {name: make(kind(**values)) for name, (make, kind) in PLUGINS.items()}


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FastAPI]:
    """Every service's app as it would run, not started."""
    return make_apps(tmp_path_factory.mktemp("apps"))


def leaves(routes: Any) -> Iterator[Any]:
    """All routes, also those of included routers."""
    for route in routes:
        original = getattr(route, "original_router", None)
        if original is not None:
            yield from leaves(original.routes)
        elif not isinstance(route, Mount):
            yield route


def served(app: FastAPI) -> set[tuple[str, str]]:
    return {
        (method, route.path)
        for route in leaves(app.routes)
        for method in route.methods
        if method != "HEAD" and route.path != "/openapi.json"
    }


@pytest.mark.parametrize("plugin", PLUGINS)
def test_the_table_holds_exactly_the_routes_of_the_services(apps, plugin) -> None:
    """A new route without a row, and a row without a route, fail here."""
    rows = {(row.method, row.path) for row in ROUTES[plugin]}
    assert served(apps[plugin]) == rows


def first_match(app: FastAPI, method: str, path: str) -> BaseRoute | None:
    scope = {"type": "http", "method": method, "path": path, "headers": []}
    for route in leaves(app.routes):
        if route.matches(scope)[0] is Match.FULL:
            return route
    return None


def concrete(route: Route, word: str) -> str:
    path = route.path
    for name in re.findall(r"{(\w+)}", path):
        path = path.replace(f"{{{name}}}", quote(word, safe=""))
    return path.replace("{path:path}", "a/b.html")


words = st.text(min_size=1, max_size=8).filter(lambda word: word not in {".", ".."})
plugins = st.sampled_from(sorted(PLUGINS))
PARTS = ("/", "%0A", "entities", "locations", "x", "%2e", ";", "v2", "tasks", "healthz")


@pytest.fixture(scope="module")
def agree(apps: dict[str, FastAPI]) -> Any:
    """Says what is wrong where gateway and service do not judge a path alike."""

    def judge(plugin: str, method: str, raw: str) -> str:
        try:
            path = checked_path(raw)
        except NotFound:
            return ""
        assert path == unquote(raw)
        need = need_of(plugin, method, path)
        without = path.removesuffix("/") or "/"
        routed = "GET" if method == "HEAD" else method  # the app answers it so
        route = first_match(apps[plugin], routed, path) or first_match(
            apps[plugin], routed, without
        )
        if route is None or route.path in OPEN_PATHS:  # type: ignore[attr-defined]
            return ""
        rows = {(row.method, row.path): row.need for row in ROUTES[plugin]}
        served_by = rows[routed, route.path]  # type: ignore[attr-defined]
        return "" if served_by == need else f"{method} {raw}: {served_by} {need}"

    return judge


def test_every_spelling_of_a_route_is_judged_as_served(agree) -> None:
    """The text before, after or within a path never changes whose route it is."""
    for plugin, rows in ROUTES.items():
        for row in rows:
            plain = concrete(row, "a-b")
            for tail in TAILS:
                for raw in (f"{plain}{tail}", f"{tail}{plain}", f"/x{tail}{plain}"):
                    for method in ("GET", "HEAD", "POST", "PUT", "DELETE"):
                        assert agree(plugin, method, raw) == ""


@given(plugin=plugins, data=st.data(), word=words, tail=st.sampled_from(TAILS))
@settings(max_examples=300, deadline=None)
def test_any_parameter_in_a_route_is_judged_as_served(
    agree, plugin, data, word, tail
) -> None:
    """Parameters may hold anything that a path can spell."""
    row = data.draw(st.sampled_from(ROUTES[plugin]))
    assert agree(plugin, row.method, concrete(row, word) + tail) == ""


@given(plugin=plugins, parts=st.lists(st.sampled_from(PARTS), max_size=8))
@settings(max_examples=300, deadline=None)
def test_any_path_is_judged_as_served(agree, plugin, parts) -> None:
    """Also a path that no route was written for."""
    for method in ("GET", "POST"):
        assert agree(plugin, method, "/" + "".join(parts)) == ""


@pytest.mark.parametrize(
    "raw",
    ["/a%0A", "/a%00b", "/a%C2%9F", "//a", "/a//b", "/a/../b", "/a/%2e%2E", "/a%2Fb",
     "/a%5cb", "/a\\b", "/a;b", "a"],
)  # fmt: skip
def test_an_ambiguous_path_is_refused(raw: str) -> None:
    """Neither of its two readings is chosen."""
    with pytest.raises(NotFound, match=r"^path: "):
        checked_path(raw)


@pytest.mark.parametrize(
    ("raw", "path"),
    [("/a%20b/", "/a b/"), ("/%C3%BC.html", "/ü.html"), ("/a%3Bb", "/a;b"),
     ("/.well-known/..a", "/.well-known/..a"), ("/", "/")],
)  # fmt: skip
def test_unusual_but_valid_names_in_paths_are_accepted(raw: str, path: str) -> None:
    """Blanks, umlauts and dots in names are accepted."""
    assert checked_path(raw) == path


def signed(permission: str | None, kind: str = "user", **more: Any) -> dict[str, str]:
    principal = Principal("user:default/x", kind, permission=permission, **more)  # type: ignore[arg-type]
    return {PRINCIPAL: PrincipalTokens(SECRET).sign(principal)}


@pytest.mark.parametrize("plugin", PLUGINS)
async def test_a_principal_for_another_permission_is_refused(apps, plugin) -> None:
    """A principal for reading does not register at the service's own port."""
    transport = httpx.ASGITransport(apps[plugin])
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        for row in ROUTES[plugin]:
            path = concrete(row, "a-b")
            if path in OPEN_PATHS:
                continue
            bare = await client.request(row.method, path)
            assert bare.status_code in {401, 503}, path
            other = await client.request(
                row.method, path, headers=signed("x.y.read"), json={}
            )
            assert other.status_code in {403, 503}, path
