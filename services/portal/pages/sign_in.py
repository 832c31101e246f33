"""The sign-in page; its forms post to the gateway, which sets the cookie."""

from collections.abc import Mapping
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.portal.preferences import DisplayPreferences
from services.portal.visit import PortalState, Visit, json_of, state_of
from shared.guards.addresses import local_address

WAYS = "/api/auth/ways"
USERS = "/api/auth/development/users"
LONGEST_NAME = 300
#: A request through another proxy than the gateway may come from anywhere.
PROXY_HEADERS = ("forwarded", "via", "x-forwarded-host", "x-real-ip")

router = APIRouter()


def sign_in_address(address: str) -> str:
    """The sign-in page, which leads on to an address of this portal."""
    return "/sign-in" if address == "/" else f"/sign-in?next={quote(address, safe='')}"


def sign_in_of_guest(visit: Visit) -> str:
    """Where a guest signs in as a person and comes back to this page, "" for others."""
    return sign_in_address(visit.address) if visit.visitor.is_guest else ""


@router.get("/sign-in")
async def sign_in(
    request: Request,
    next: str = "/",  # noqa: A002 - the parameter's name in the address
    text: str = "",
    wrong: str = "",
) -> Response:
    """The ways to sign in, and the users that a guest may see."""
    state = state_of(request)
    ways = json_of(await state.api.call(None, "GET", WAYS))
    text = text.strip()[:LONGEST_NAME]
    listed = await _users(state, text) if ways["development"] else None
    people = listed["items"] if listed else ()
    part = request.headers.get("hx-target") == "people"
    html = state.frame.render(
        "sign-in.html",
        {
            "title": "Sign in",
            "ways": ways,
            "people": people,
            "unlisted": listed is None or not (people or text or listed["is_empty"]),
            "typed": "" if wrong == "user" or people else text,
            "by_token": ways["token"] and is_from_here(request),
            "is_policy_enabled": state.is_policy_enabled,
            "files": state.file_locations,
            "empty": listed is not None and listed["is_empty"] and not text,
            "wrong": wrong,
            "next": local_address(next),
            "text": text,
        },
        path="/sign-in",
        person=None,
        preferences=DisplayPreferences.of(request.headers.get("cookie")),
        block="people" if part else None,
    )
    return state.frame.response(html)


async def _users(state: PortalState, text: str) -> Mapping[str, Any] | None:
    """The users to choose from; None if they cannot be listed for a guest."""
    answer = await state.api.call(None, "GET", USERS, params={"text": text})
    if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
        return None
    users: Mapping[str, Any] = json_of(answer)
    return users


def is_from_here(request: Request) -> bool:
    """Whether the browser runs on the gateway's machine, with no other proxy between.

    The gateway says where the request came from, and checks the sent form again.
    """
    if any(name in request.headers for name in PROXY_HEADERS):
        return False
    try:
        return ip_address(request.headers.get("x-forwarded-for", "")).is_loopback
    except ValueError:
        return False
