"""Signing in and out: as a guest, or, while trying out, as anybody of the catalog."""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from services.gateway.model import SignedIn, UserCard
from services.gateway.ports import Users
from services.portal.preferences import DisplayPreferences
from services.portal.visit import Visit, state_of
from shared.contracts.errors import (
    Forbidden,
    NotFound,
    Unauthenticated,
    Unavailable,
)

PEOPLE_SHOWN = 60
LONGEST_NAME = 300
#: Who comes through a proxy may be anywhere, whatever the last address is.
PROXY_HEADERS = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")

router = APIRouter()


def local_address(wanted: str) -> str:
    """The address to go on to: one of this portal, else the home page."""
    foreign = not wanted.startswith("/") or wanted.startswith(("//", "/\\"))
    broken = any(not char.isprintable() for char in wanted)
    return "/" if foreign or broken or wanted.startswith("/sign-") else wanted


def sign_in_address(wanted: str) -> str:
    """The sign-in page, which leads on to an address of this portal."""
    return "/sign-in" if wanted == "/" else f"/sign-in?next={quote(wanted, safe='')}"


def sign_in_of_guest(visit: Visit) -> str:
    """Where a guest signs in as a person and comes back to this page, "" for others."""
    return sign_in_address(visit.address) if visit.identity.is_guest else ""


@router.get("/sign-in")
async def sign_in(
    request: Request,
    next: str = "/",  # noqa: A002 - the parameter's name in the address
    text: str = "",
    wrong: str = "",
) -> Response:
    """The ways to sign in, and the users that a guest may see."""
    state = state_of(request)
    ways = state.sessions.ways()
    text = text.strip()[:LONGEST_NAME]
    people = await _people(state.users, text) if ways.development else None
    part = request.headers.get("hx-target") == "people"
    by_token = ways.token and is_from_here(request)
    html = state.frame.render(
        "sign-in.html",
        {
            "title": "Sign in",
            "ways": ways,
            "people": people or (),
            "unlisted": people is None,
            "typed": "" if wrong == "user" or people else text,
            "by_token": by_token,
            "is_policy_asked": state.is_policy_asked,
            "files": state.file_locations,
            "empty": people == () and not text,
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


async def _people(users: Users, text: str) -> Sequence[UserCard] | None:
    """The users to choose from; None if they cannot be listed for a guest."""
    try:
        people = await users.users(text, limit=PEOPLE_SHOWN)
        if people or text:
            return people
        return None if await users.has_users() else ()
    except Unavailable:
        return None


@router.post("/sign-in/guest")
async def as_guest(
    request: Request,
    next: Annotated[str, Form()] = "/",  # noqa: A002
) -> Response:
    """A guest's session, and on to where the reader wanted to go."""
    return _begin(await state_of(request).sessions.sign_in_guest(), next)


@router.post("/sign-in/as")
async def as_user(
    request: Request,
    user: Annotated[str, Form(max_length=LONGEST_NAME)],
    next: Annotated[str, Form()] = "/",  # noqa: A002
) -> Response:
    """A session as the chosen user, where the configuration allows it."""
    try:
        signed_in = await state_of(request).sessions.sign_in_as(user)
    except NotFound:
        wanted = quote(local_address(next), safe="")
        return RedirectResponse(
            f"/sign-in?next={wanted}&text={quote(user)}&wrong=user", 303
        )
    return _begin(signed_in, next)


@router.post("/sign-in/token")
async def with_token(
    request: Request,
    token: Annotated[str, Form(max_length=1000)],
    next: Annotated[str, Form()] = "/",  # noqa: A002
) -> Response:
    """A session as a service of the installation, for who sets it up on its machine.

    Raises:
        Forbidden: if the browser runs elsewhere, or the configuration says no.
    """
    if not is_from_here(request):
        raise Forbidden("Sign-in by token works on the portal's own machine only")
    try:
        signed_in = await state_of(request).sessions.sign_in_token(token.strip())
    except Unauthenticated:
        wanted = quote(local_address(next), safe="")
        return RedirectResponse(f"/sign-in?next={wanted}&wrong=token", 303)
    return _begin(signed_in, next)


def is_from_here(request: Request) -> bool:
    """Whether the browser runs on the portal's machine, with no proxy in between."""
    if any(name in request.headers for name in PROXY_HEADERS):
        return False
    try:
        return ip_address(request.client.host if request.client else "").is_loopback
    except ValueError:
        return False


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    """Ends the session."""
    cookie = await state_of(request).sessions.sign_out(request.headers)
    return RedirectResponse("/sign-in", 303, {"set-cookie": cookie})


def _begin(signed_in: SignedIn, wanted: str) -> Response:
    headers = {"set-cookie": signed_in.set_cookie}
    return RedirectResponse(local_address(wanted), 303, headers)
