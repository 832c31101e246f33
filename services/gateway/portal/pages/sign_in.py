"""Signing in and out: as a guest, or, while trying out, as anybody of the catalog."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from services.gateway.model import SignedIn
from services.gateway.portal.preferences import Preferences
from services.gateway.portal.visit import state_of
from shared.contracts.errors import NotFound

PEOPLE_SHOWN = 60

router = APIRouter()


def local_address(wanted: str) -> str:
    """The address to go on to: one of this portal, else the home page."""
    foreign = not wanted.startswith("/") or wanted.startswith(("//", "/\\"))
    broken = any(not char.isprintable() for char in wanted)
    return "/" if foreign or broken or wanted.startswith("/sign-") else wanted


@router.get("/sign-in")
async def sign_in(
    request: Request,
    next: str = "/",  # noqa: A002 - the parameter's name in the address
    text: str = "",
) -> Response:
    """Who do you want to be?"""
    state = state_of(request)
    ways = state.sessions.ways()
    people = (
        await state.users.users(text, limit=PEOPLE_SHOWN) if ways.development else ()
    )
    part = request.headers.get("hx-target") == "people"
    html = state.frame.render(
        "sign-in.html",
        {
            "title": "Sign in",
            "ways": ways,
            "people": people,
            "next": local_address(next),
            "text": text,
        },
        path="/sign-in",
        person=None,
        preferences=Preferences.of(request.cookies),
        block="people" if part else None,
    )
    return state.frame.response(html)


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
    user: Annotated[str, Form(max_length=300)],
    next: Annotated[str, Form()] = "/",  # noqa: A002
) -> Response:
    """A session as the chosen user, where the configuration allows it."""
    try:
        signed_in = await state_of(request).sessions.sign_in_as(user)
    except NotFound:
        wanted = quote(local_address(next), safe="")
        return RedirectResponse(f"/sign-in?next={wanted}&text={quote(user)}", 303)
    return _begin(signed_in, next)


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    """Ends the session."""
    cookie = await state_of(request).sessions.sign_out(request.headers)
    return RedirectResponse("/sign-in", 303, {"set-cookie": cookie})


def _begin(signed_in: SignedIn, wanted: str) -> Response:
    headers = {"set-cookie": signed_in.set_cookie}
    return RedirectResponse(local_address(wanted), 303, headers)
