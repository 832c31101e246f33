"""The portal as one ASGI app, mounted at `/` behind `/api` by the gateway.

Adding a page, in four steps:

1. A file in `pages/` with `router = APIRouter()` and, per page, a coroutine that takes
   `visit: Visiting`. It fetches with `await visit.get("/api/…", params)` and
   `visit.post` (several at once: `await together(visit.get(…), visit.get(…))`), which
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
from collections.abc import Callable

from fastapi import APIRouter, FastAPI, Request
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway.ports import Api, Sessions, Users
from services.portal.assets import FOREVER, Assets
from services.portal.definitions import DefinitionReader
from services.portal.frame import Frame
from services.portal.pages import (
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
from services.portal.visit import PortalState
from shared.contracts.errors import CallboardError, Invalid
from shared.contracts.headers import NOSNIFF
from shared.contracts.permissions import SAFE_METHODS
from shared.guards.addresses import split_address

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
    template_form.router,
    runs.router,
    register.router,
    search.router,
    settings.router,
    status.router,
)


def make_portal(
    api: Api,
    sessions: Sessions,
    users: Users,
    *,
    organization: str = "Callboard",
    frame: Frame | None = None,
    position: Callable[[], str] = lambda: "",
    file_locations: bool = False,
    is_policy_asked: bool = True,
) -> FastAPI:
    """The portal for these ports; without a `frame`, templates are read here, once.

    `position` tells where the event stream stands, so that an open page misses nothing.
    `file_locations` says whether the catalog takes files of its machine as locations,
    `is_policy_asked` whether permissions are on.
    """
    development = sessions.ways().development
    frame = frame or Frame(organization, development=development)
    app = FastAPI(title="Callboard portal", openapi_url=None)
    app.state.portal = PortalState(
        api,
        sessions,
        users,
        frame,
        People(api),
        position,
        DefinitionReader(),
        file_locations,
        is_policy_asked,
    )
    app.add_exception_handler(CallboardError, errors.failed)
    app.add_exception_handler(HTTPException, errors.failed)
    app.add_exception_handler(Exception, errors.failed)
    app.add_middleware(GZipMiddleware, minimum_size=2048, compresslevel=4)
    app.add_middleware(OwnFormsOnly)
    app.include_router(_assets(frame.assets))
    for router in PAGES:
        app.include_router(router, include_in_schema=False)
    return app


class OwnFormsOnly:
    """Changes only from the portal's own pages: the session cookie alone is no proof.

    Browsers send `Sec-Fetch-Site`, and `Origin` with every form; another site can
    forge neither.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        changes = scope["type"] == "http" and scope["method"] not in SAFE_METHODS
        if changes and not _same_origin(Headers(scope=scope)):
            refusal = PlainTextResponse("This form was not sent from the portal.", 403)
            await refusal(scope, receive, send)
            return
        await self.app(scope, receive, send)


def _same_origin(headers: Headers) -> bool:
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin")
    if origin is None:
        return True
    try:
        return split_address(origin).netloc == headers.get("host")
    except Invalid:
        return False


def _assets(assets: Assets) -> APIRouter:
    router = APIRouter()

    @router.get("/assets/{digest}/{name:path}", include_in_schema=False)
    async def asset(digest: str, name: str, request: Request) -> Response:
        found = assets.get(name)
        if found is None:
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
        read = functools.partial(getattr, found, "packed" if packs else "body")
        body = await asyncio.to_thread(read)
        return Response(body, 200, headers, found.media_type)

    return router
