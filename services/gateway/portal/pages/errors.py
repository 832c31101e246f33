"""What a reader sees when a page cannot be shown: what happened and what to do."""

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote, unquote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.gateway.portal.frame import Crumb
from services.gateway.portal.pages.search import LONGEST, suggestions
from services.gateway.portal.preferences import Preferences
from services.gateway.portal.visit import Visit, state_of, visiting
from shared.contracts.errors import CallboardError, Unauthenticated
from shared.kit import logs


@dataclass(frozen=True, slots=True)
class Advice:
    """An error in words, and the steps that help."""

    title: str
    text: str
    steps: tuple[str, ...]


ADVICE = {
    400: Advice(
        "This request cannot be answered",
        "Something in it breaks a rule; nothing was changed.",
        ("Check what follows the question mark in the address, or what was typed.",),
    ),
    403: Advice(
        "You may not see or do this",
        "The portal's policy says no to you here. Nothing was changed.",
        (
            "If you expected to be allowed, ask the owner or the platform team.",
            "You may be signed in as somebody else than you think: see the corner.",
        ),
    ),
    404: Advice(
        "There is nothing here",
        "No such page, or one that you may not see.",
        (
            "It may have been renamed or removed: search for its name.",
            "A new entity appears within a second after its push or registration.",
        ),
    ),
    409: Advice(
        "Somebody was faster",
        "What you changed has changed meanwhile; nothing was lost.",
        ("Open the page again and look at what is there now.",),
    ),
    500: Advice(
        "This page broke",
        "That is a mistake in the portal and not in what you did.",
        (
            "Try once more; if it stays, tell the platform team the number below.",
            "The log of the gateway has the same number.",
        ),
    ),
    503: Advice(
        "A part of the portal is away",
        "It is being restarted or cannot be reached. Nothing was lost.",
        ("Try again in a few seconds.", "The status page says which part it is."),
    ),
}
MOST_FOUND = 5
log = logs.get_logger("portal")


async def failed(request: Request, error: Exception) -> Response:
    """The error's page; nobody signed in is sent to the sign-in, and back after."""
    if isinstance(error, Unauthenticated):
        return _to_sign_in(request)
    status, message = 500, ""
    if isinstance(error, CallboardError):
        status, message = error.status, error.message
    elif isinstance(error, HTTPException):
        status = error.status_code
        message = str(error.detail) if status == HTTPStatus.BAD_REQUEST else ""
    else:
        log.error("page_failed", path=request.url.path, exc_info=error)
    visit: Visit | None = getattr(request.state, "visit", None)
    found: Sequence[dict[str, str]] = ()
    if status == HTTPStatus.NOT_FOUND:
        with contextlib.suppress(CallboardError):
            visit = visit or await visiting(request)
            found = await suggestions(visit, _last_word(request), limit=MOST_FOUND)
    return _page(request, status, message, visit, found)


def _last_word(request: Request) -> str:
    """What the address seems to look for: its last part, as words."""
    name = request.url.path.rstrip("/").rpartition("/")[2]
    return " ".join(re.split(r"[-_.+\s]+", unquote(name)))[:LONGEST].strip()


def _to_sign_in(request: Request) -> Response:
    url = request.url
    wanted = f"{url.path}?{url.query}" if url.query else url.path
    target = "/sign-in" if wanted == "/" else f"/sign-in?next={quote(wanted, safe='')}"
    if request.headers.get("hx-request"):
        return Response(status_code=204, headers={"hx-redirect": target})
    return RedirectResponse(target, 303)


def _page(
    request: Request,
    status: int,
    message: str,
    visit: Visit | None,
    found: Sequence[dict[str, str]],
) -> Response:
    advice = ADVICE.get(status) or ADVICE[400 if status < 500 else 500]
    frame = state_of(request).frame
    html = frame.render(
        "error.html",
        {
            "title": advice.title,
            "crumbs": (Crumb("Home", "/"), Crumb(advice.title)),
            "advice": advice,
            "status": status,
            "message": message,
            "searched": _last_word(request) if status == HTTPStatus.NOT_FOUND else "",
            "found": found,
            "number": logs.correlation.get(),
        },
        path=request.url.path,
        person=visit.person if visit else None,
        preferences=Preferences.of(request.headers.get("cookie")),
    )
    response = frame.response(html, status)
    if status == 503:
        response.headers["retry-after"] = "2"
    return response
