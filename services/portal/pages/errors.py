"""What a reader sees when a page cannot be shown: what happened and what to do."""

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import unquote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.portal.entities import entity_href
from services.portal.frame import Crumb
from services.portal.pages.search import LONGEST, suggestions
from services.portal.pages.sign_in import sign_in_address
from services.portal.preferences import DisplayPreferences
from services.portal.template_warnings import FaultyTemplate
from services.portal.visit import Visit, address_of, redirect, state_of, visit_of
from shared.contracts.errors import (
    CallboardError,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from shared.kit.observability import logs


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
        "This was changed meanwhile",
        "Somebody else changed it before you did; nothing was lost.",
        ("Open the page again to see what it is now.",),
    ),
    429: Advice(
        "Too much at once",
        "Others use the portal as well. Nothing was changed.",
        ("Wait for the pages that are still loading, then try again.",),
    ),
    500: Advice(
        "This page broke",
        "That is a mistake in the portal and not in what you did.",
        (
            "Try once more; if it stays, tell the platform team the number below.",
            "The log of the portal has the same number.",
        ),
    ),
    503: Advice(
        "A part of the portal is unavailable",
        "It is being restarted or cannot be reached. Nothing was lost.",
        ("Try again in a few seconds.", "The status page says which part it is."),
    ),
}
NOT_FOR_GUESTS = Advice(
    "Guests may not see or do this",
    "The portal's policy allows it to people who are signed in. Nothing was changed.",
    ("Sign in as a person and try again.",),
)
NOT_FOUND_FOR_GUESTS = Advice(
    ADVICE[404].title,
    ADVICE[404].text,
    (*ADVICE[404].steps, "It may be there for people only: sign in as a person."),
)
NO_RUN = Advice(
    "There is no such run",
    "No run has this number, or it is one that you may not see.",
    (
        "By the usual policy whoever started a run sees it, and the platform team.",
        "The runs that you may see are on the page of all runs.",
    ),
)
FAULTY_TEMPLATE = Advice(
    "This template cannot be run",
    "Its file breaks a rule. Nothing is wrong with what you did, and nothing was run.",
    ("Its owners can correct it: its page names them and leads to the file.",),
)
RUNS = "/create/tasks/"
MOST_MATCHES = 5
log = logs.get_logger("portal")


async def error_page(request: Request, error: Exception) -> Response:
    """The error's page; a reader without a token goes to the sign-in page, and back."""
    if isinstance(error, Unauthenticated):
        return redirect(request, sign_in_address(address_of(request)))
    status, message = 500, ""
    if isinstance(error, CallboardError):
        status, message = error.status, error.message
    elif isinstance(error, HTTPException):
        status = error.status_code
        message = str(error.detail) if status == HTTPStatus.BAD_REQUEST else ""
    else:
        log.error("page_failed", path=request.url.path, exc_info=error)
    visit: Visit | None = getattr(request.state, "visit", None)
    matches: Sequence[dict[str, str]] = ()
    if status == HTTPStatus.NOT_FOUND and not request.url.path.startswith(RUNS):
        with contextlib.suppress(CallboardError):
            visit = visit or await visit_of(request)
            matches = await suggestions(visit, _last_word(request), limit=MOST_MATCHES)
    template = error.ref if isinstance(error, FaultyTemplate) else ""
    response = _page(request, status, message, visit, matches, template=template)
    if isinstance(error, TooMany | Unavailable):
        response.headers["retry-after"] = str(error.retry_after)
    return response


def _last_word(request: Request) -> str:
    """The name in an address, as words: the entity's, or else the last part."""
    path = request.query_params.get("entity") or request.url.path
    name = path.rstrip("/").rpartition("/")[2]
    return " ".join(re.split(r"[-_.+\s]+", unquote(name)))[:LONGEST].strip()


def _advice(request: Request, status: int, visit: Visit | None) -> Advice:
    if status == HTTPStatus.NOT_FOUND and request.url.path.startswith(RUNS):
        return NO_RUN
    if status == HTTPStatus.FORBIDDEN and _is_guest(visit):
        return NOT_FOR_GUESTS
    if status == HTTPStatus.NOT_FOUND and _is_guest(visit):
        return NOT_FOUND_FOR_GUESTS
    return ADVICE.get(status) or ADVICE[400 if status < 500 else 500]


def _is_guest(visit: Visit | None) -> bool:
    return visit is not None and visit.visitor.is_guest


def _sign_in(request: Request, status: int, visit: Visit | None) -> str:
    """Where a guest who was refused signs in as a person, and comes back from.

    What a guest may not see is not found.
    """
    is_refusal = status in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
    if not is_refusal or not _is_guest(visit):
        return ""
    # What was posted is not asked for again: it may be no page.
    return sign_in_address(address_of(request) if request.method == "GET" else "/")


def _page(
    request: Request,
    status: int,
    message: str,
    visit: Visit | None,
    matches: Sequence[dict[str, str]],
    *,
    template: str,
) -> Response:
    advice = FAULTY_TEMPLATE if template else _advice(request, status, visit)
    if advice is NO_RUN:
        # The API's word for a run is task.
        message = ""
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
            "is_searchable": advice is not NO_RUN,
            "sign_in": _sign_in(request, status, visit),
            "matches": matches,
            "template": entity_href(template) if template else "",
            "number": logs.correlation_id(),
        },
        path=request.url.path,
        person=visit.person if visit else None,
        preferences=DisplayPreferences.of(request.headers.get("cookie")),
    )
    return frame.response(html, status)
