"""Backstage's addresses that the portal has under another name: links to them work.

Each leads to an address of the portal, made of checked parts; none leads elsewhere.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.portal.catalog_query import CatalogQuery
from services.portal.entities import docs_href, entity_href, ref_from
from services.portal.graph.query import GraphQuery

ENTITY = "/catalog/{namespace}/{kind}/{name}"
ROOTS = ("rootEntityRefs[]", "rootEntityRefs[0]", "rootEntityRefs")


def _ref(request: Request) -> str:
    parts = request.path_params
    return ref_from(parts["namespace"], parts["kind"], parts["name"])


def _docs(request: Request) -> str:
    return f"{docs_href(_ref(request))}/{quote(request.path_params.get('path', ''))}"


def _apis(request: Request) -> str:
    pairs = [("kind", "api"), *request.query_params.multi_items()]
    return CatalogQuery.of(pairs).address()


def _graph(request: Request) -> str:
    query = request.query_params
    roots = [ref for name in ROOTS for ref in query.getlist(name)]
    depth = ("depth", query.get("maxDepth", "1"))
    return GraphQuery.of([("entity", ref) for ref in roots[:1]] + [depth]).address()


#: The portal's address for each of Backstage's.
ADDRESSES: Mapping[str, Callable[[Request], str]] = {
    f"{ENTITY}/docs": _docs,
    f"{ENTITY}/docs/{{path:path}}": _docs,
    f"{ENTITY}/definition": lambda request: f"{entity_href(_ref(request))}/api",
    "/api-docs": _apis,
    "/catalog-graph": _graph,
    "/catalog-import": lambda _: "/create/register",
    "/settings/auth-providers": lambda _: "/settings",
    "/settings/feature-flags": lambda _: "/settings",
}


def _redirects() -> APIRouter:
    router = APIRouter()
    for path, address in ADDRESSES.items():
        router.add_api_route(path, _redirect_to(address), methods=["GET"])
    return router


def _redirect_to(address: Callable[[Request], str]) -> Callable[..., Any]:
    async def redirect(request: Request) -> Response:
        return RedirectResponse(address(request))

    return redirect


router = _redirects()
