"""All pages as one ASGI app; the gateway passes it what is outside `/api`.

Adding a page, in four steps:

1. A file in `pages/` with `router = APIRouter()` and, per page, a coroutine that takes
   `visit: Visiting`. It fetches with `await visit.get("/api/…", params)` and
   `visit.post` (several at once: `await gather(visit.get(…), visit.get(…))`), which
   raise `shared.contracts.errors` for bad answers: the frame makes the 403, 404 and 503
   pages of them. `visit.ask` gives the plain `ApiAnswer` where an error is expected.
   `visit.summaries(refs)` names entities. It returns `visit.page("name.html",
   title=…, nav="docs", crumbs=[("Docs", "/docs")], **values)`; `nav` is a key of
   `frame.PLACES`. After a POST: `return visit.go("/where")`.
2. The router goes into `PAGES` below.
3. A template that extends `frame.html` and fills `{% block content %}`; macros in
   `templates/components/` (table, field, badge, card and section, empty and notice,
   diff, time, pagination, facets, icons, entity, suggestions) each say at their top how
   they are used; `/styleguide` shows them. Import them inside the block's file head:
   `{% from "components/card.html" import section %}`. Undefined names are errors.
   Filters: `services/portal/formats.py`.
4. Style and script of its own, if any: `assets/css/pages-NAME.css` (inside
   `@layer pages { … }`, tokens from `portal.css`), linked in `{% block styles %}` with
   `asset(…)` and `integrity(…)`; `assets/js/NAME.js`, an ES module, in
   `{% block scripts %}` as `<script type="module" src="{{ asset(…) }}">`. No inline
   script, style or `style=`: the content security policy refuses them.

Parts for htmx: an element with an id; the macros `table` and `pages` take it as `part`;
and `visit.page(…, block="NAME" if visit.partial == "ID" else None)`.
Live parts: `<main>`-level element with `data-live-entity="REF"` (or
`data-live-topics="docs-built"`), and `data-live` with an id on each part that may be
swapped when an event comes (`assets/js/live.js`).
The search box asks `GET /search/suggest?term=…` for the HTML that the macro
`suggestions` makes; the search page takes `?query=`.
An entity page's tab is a `Tab` in `tabs.py`.
"""

import asyncio
import functools
from collections.abc import Mapping
from types import MappingProxyType

from fastapi import APIRouter, FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response

from services.portal.assets import FOREVER, Assets
from services.portal.definitions import DefinitionReader
from services.portal.frame import Frame
from services.portal.pages import (
    actions,
    backstage_addresses,
    catalog,
    catalog_export,
    catalog_facets,
    choices,
    create,
    diagrams,
    docs,
    entity,
    entity_actions,
    entity_tabs,
    errors,
    graph,
    home,
    insights,
    preferences,
    register,
    runs,
    search,
    settings,
    sign_in,
    status,
    styleguide,
    template_form,
)
from services.portal.people import People
from services.portal.ports import Api
from services.portal.visit import PortalState
from shared.contracts.errors import CallboardError
from shared.contracts.headers import NOSNIFF

PAGES: tuple[APIRouter, ...] = (
    home.router,
    sign_in.router,
    preferences.router,
    catalog.router,
    catalog_export.router,
    catalog_facets.router,
    choices.router,
    entity.router,
    entity_tabs.router,
    entity_actions.router,
    graph.router,
    styleguide.router,
    docs.router,
    diagrams.router,
    create.router,
    actions.router,
    template_form.router,
    runs.router,
    register.router,
    search.router,
    settings.router,
    insights.router,
    status.router,
    backstage_addresses.router,
)


def make_portal(
    api: Api,
    *,
    organization: str = "Callboard",
    frame: Frame | None = None,
    development: bool = False,
    file_locations: bool = False,
    is_policy_enabled: bool = True,
    host_types: Mapping[str, str] = MappingProxyType({}),
) -> FastAPI:
    """The pages over this API; without a `frame`, templates are read here, once.

    `development` says whether anybody may sign in as anybody, `file_locations` whether
    the catalog takes files of its machine as locations, `is_policy_enabled` whether
    permissions are on, `host_types` the types of the configured Git hosts.
    """
    frame = frame or Frame(organization, development=development)
    app = FastAPI(title="Callboard portal", openapi_url=None)
    app.state.portal = PortalState(
        api,
        frame,
        People(api),
        DefinitionReader(),
        file_locations,
        is_policy_enabled,
        host_types,
    )
    app.add_exception_handler(CallboardError, errors.error_page)
    app.add_exception_handler(HTTPException, errors.error_page)
    app.add_exception_handler(Exception, errors.error_page)
    app.add_middleware(GZipMiddleware, minimum_size=2048, compresslevel=4)
    app.include_router(_assets(frame.assets))
    for router in PAGES:
        app.include_router(router, include_in_schema=False)
    return app


def _assets(assets: Assets) -> APIRouter:
    router = APIRouter()

    @router.get("/assets/{digest}/{name:path}", include_in_schema=False)
    async def asset(digest: str, name: str, request: Request) -> Response:
        file = assets.get(name)
        if file is None:
            raise HTTPException(404, f"No asset {name}")
        headers = {
            "cache-control": FOREVER if digest == assets.digest else "no-cache",
            "vary": "Accept-Encoding",
            **NOSNIFF,
            # The frame that draws diagrams has no origin, so its modules are foreign.
            "access-control-allow-origin": "*",
        }
        packs = "gzip" in request.headers.get("accept-encoding", "")
        if packs:
            headers["content-encoding"] = "gzip"
        # The first time it is read and compressed, which may take a while.
        read = functools.partial(getattr, file, "gzipped" if packs else "body")
        body = await asyncio.to_thread(read)
        return Response(body, 200, headers, file.media_type)

    return router
