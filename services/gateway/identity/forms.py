"""The forms by which a browser signs in and out: they set its cookie and redirect.

The front end shows the page with the forms; it gets their content from `/api/auth`.
"""

from ipaddress import ip_address
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import RedirectResponse, Response

from services.gateway.model import SESSION_COOKIE, SignedIn
from services.gateway.ports import Sessions, Users
from shared.contracts.errors import Forbidden, NotFound, Unauthenticated
from shared.guards.addresses import local_address

SIGN_IN = "/sign-in"
LONGEST_NAME = 300
MOST_USERS = 60
#: A request with one of these came through a proxy; its client may be anywhere.
PROXY_HEADERS = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")

Next = Annotated[str, Form()]


class SignInWaysAnswer(BaseModel):
    """The allowed sign-in methods.

    `token`: with a token of the installation, from a browser on its own machine.
    """

    model_config = ConfigDict(from_attributes=True)

    guest: bool
    development: bool
    token: bool


class ListedUser(BaseModel):
    """A user as the development sign-in lists them."""

    model_config = ConfigDict(from_attributes=True)

    ref: str
    name: str
    title: str
    picture: str
    groups: list[str]


class ListedUsers(BaseModel):
    """Users to choose from; `is_empty`: the catalog has no user."""

    items: list[ListedUser]
    is_empty: bool


def is_local_request(request: Request) -> bool:
    """Whether the browser runs on the gateway's machine, with no proxy in between."""
    if any(name in request.headers for name in PROXY_HEADERS):
        return False
    try:
        return ip_address(request.client.host if request.client else "").is_loopback
    except ValueError:
        return False


def make_form_routers(
    sessions: Sessions, users: Users, *, secure: bool
) -> list[APIRouter]:
    """The routes of the forms, and those that a sign-in page reads.

    `secure` marks the session cookie for HTTPS only.
    """
    return [_sign_in_forms(sessions, secure), _sign_in_data(sessions, users)]


def _sign_in_forms(sessions: Sessions, secure: bool) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.post(f"{SIGN_IN}/guest")
    async def as_guest(next: Next = "/") -> Response:  # noqa: A002
        return _begin(await sessions.sign_in_guest(), next, secure=secure)

    @router.post(f"{SIGN_IN}/as")
    async def as_user(
        user: Annotated[str, Form(max_length=LONGEST_NAME)],
        next: Next = "/",  # noqa: A002
    ) -> Response:
        try:
            signed_in = await sessions.sign_in_as(user)
        except NotFound:
            return _back(next, f"text={quote(user)}&wrong=user")
        return _begin(signed_in, next, secure=secure)

    @router.post(f"{SIGN_IN}/token")
    async def with_token(
        request: Request,
        token: Annotated[str, Form(max_length=1000)],
        next: Next = "/",  # noqa: A002
    ) -> Response:
        if not is_local_request(request):
            raise Forbidden("Sign-in by token works on the portal's own machine only")
        try:
            signed_in = await sessions.sign_in_token(token.strip())
        except Unauthenticated:
            return _back(next, "wrong=token")
        return _begin(signed_in, next, secure=secure)

    @router.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        await sessions.sign_out(request.headers)
        response = RedirectResponse(SIGN_IN, 303)
        response.delete_cookie(SESSION_COOKIE, secure=secure, httponly=True)
        return response

    return router


def _sign_in_data(sessions: Sessions, users: Users) -> APIRouter:
    router = APIRouter(prefix="/api/auth", tags=["auth"])

    @router.get("/ways")
    async def ways() -> SignInWaysAnswer:
        """The allowed sign-in methods."""
        return SignInWaysAnswer.model_validate(sessions.ways())

    @router.get("/development/users")
    async def development_users(text: str = "") -> ListedUsers:
        """The users that the development sign-in offers: those a guest may see."""
        if not sessions.ways().development:
            raise NotFound("Unknown auth provider 'development'")
        cards = await users.users(text.strip()[:LONGEST_NAME], limit=MOST_USERS)
        items = [ListedUser.model_validate(card) for card in cards]
        is_empty = not items and not await users.has_users()
        return ListedUsers(items=items, is_empty=is_empty)

    return router


def _begin(signed_in: SignedIn, address: str, *, secure: bool) -> Response:
    response = RedirectResponse(local_address(address), 303)
    token, seconds = signed_in.token, signed_in.seconds
    response.set_cookie(SESSION_COOKIE, token, seconds, secure=secure, httponly=True)
    return response


def _back(address: str, query: str) -> Response:
    path = quote(local_address(address), safe="")
    return RedirectResponse(f"{SIGN_IN}?next={path}&{query}", 303)
