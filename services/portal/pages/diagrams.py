"""The frame in which diagrams of documentation are drawn: scripts, and nothing else.

It is sandboxed without an origin by its own header, wherever it is opened: no cookie,
no storage, no form, no network but the modules that draw. What it draws comes back to
the page as a picture (ADR 23).
"""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from services.portal.frame import Frame
from services.portal.visit import state_of
from shared.contracts.headers import NOSNIFF

ADDRESS = "/diagrams/frame"
SCRIPT = "js/diagram-frame.js"
MODULES = "vendor/mermaid/index.js"
HEADERS = {
    "content-security-policy": (
        "sandbox allow-scripts; default-src 'none'; script-src 'self';"
        " style-src 'unsafe-inline'; img-src data:; base-uri 'none';"
        " form-action 'none'; frame-ancestors 'self'"
    ),
    **NOSNIFF,
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}

router = APIRouter()


def frame_address(frame: Frame) -> str:
    """Where diagrams are drawn, "" where set-up brought no modules for it."""
    return ADDRESS if MODULES in frame.assets else ""


@router.get(ADDRESS)
async def frame(request: Request) -> Response:
    """The empty page whose one script draws."""
    script = state_of(request).frame.assets.url(SCRIPT)
    html = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Diagrams</title>'
        f'<script type="module" src="{script}"></script></html>'
    )
    return HTMLResponse(html, headers=HEADERS)
