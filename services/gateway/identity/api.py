"""The HTTP face of sign-in: `/api/auth`, and keys and cookies below each plugin."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel
from starlette.responses import Response

from services.gateway.callers import asker, identity_of
from services.gateway.identity.handlers import (
    SignIn,
    openid_configuration,
    user_info,
)
from services.gateway.identity.keys import KeyRing
from services.gateway.identity.sessions import set_cookie
from services.gateway.model import DOCS_COOKIE, Identity
from shared.contracts.errors import Forbidden, NotFound, Unauthenticated, Unsupported
from shared.kit.http.apps import json_response
from shared.kit.http.bodies import BoundedRoute

COOKIE_SECONDS = 3600
BELOW = "/api/{plugin}/.backstage/auth/v1"


class SignInRequest(BaseModel):
    """Whom the development sign-in shall become."""

    userEntityRef: str  # noqa: N815 - Backstage's word


def make_routers(
    sign_in: SignIn, keys: KeyRing, *, base_url: str, secure: bool
) -> list[APIRouter]:
    """Every route of this floor; `base_url` is the portal's public address."""
    return [
        _providers(sign_in),
        _well_known(keys, f"{base_url}/api/auth"),
        _below_plugins(sign_in, keys, secure=secure),
    ]


def _providers(sign_in: SignIn) -> APIRouter:
    router = APIRouter(prefix="/api/auth", tags=["auth"], route_class=BoundedRoute)

    @router.get("/{provider}/refresh")
    @router.post("/{provider}/refresh")
    async def refresh(provider: str, wanted: SignInRequest | None = None) -> Response:
        """A user token: as a guest, or in development as any user."""
        ref = wanted.userEntityRef if wanted else None
        return json_response(await sign_in.refresh(provider, ref))

    @router.get("/{provider}/start")
    async def start(provider: str) -> Response:
        """Providers with a login page begin here; there is none yet."""
        sign_in.require_provider(provider)
        raise Unsupported("Not implemented")

    @router.post("/{provider}/logout")
    async def logout(provider: str) -> Response:
        """Tokens end by time; providers without a session have no log-out."""
        raise NotFound(f"Unknown auth provider '{provider}'")

    return router


def _well_known(keys: KeyRing, issuer: str) -> APIRouter:
    router = APIRouter(prefix="/api/auth", tags=["auth"], route_class=BoundedRoute)

    @router.get("/.well-known/jwks.json")
    async def jwks() -> Response:
        """The keys that user tokens are verified with."""
        return json_response(keys.jwks())

    @router.get("/.well-known/openid-configuration")
    async def configuration() -> Response:
        """The discovery document."""
        return json_response(openid_configuration(issuer))

    @router.get("/v1/userinfo")
    async def userinfo(request: Request) -> Response:
        """Who the token's owner is, and which refs count as theirs."""
        identity = await identity_of(request)
        if identity is None:
            raise Unauthenticated("No token provided")
        if identity.is_service:
            raise Unauthenticated("The token is not a user's")
        return json_response(user_info(identity))

    return router


def _below_plugins(sign_in: SignIn, keys: KeyRing, *, secure: bool) -> APIRouter:
    router = APIRouter(
        prefix=BELOW,
        tags=["auth"],
        dependencies=[Depends(any_plugin)],
        route_class=BoundedRoute,
    )

    @router.get("/jwks.json")
    async def plugin_jwks() -> Response:
        """The keys of a plugin: all of this installation are the gateway's."""
        return json_response(keys.jwks())

    @router.get("/cookie")
    async def cookie(identity: Annotated[Identity, Depends(asker)]) -> Response:
        """A cookie that documentation pages are served for."""
        if identity.by_cookie:
            raise Forbidden("A cookie does not beget another")
        token, expires = sign_in.docs_token(identity)
        header = set_cookie(DOCS_COOKIE, token, COOKIE_SECONDS, secure=secure)
        return _with_cookie(json_response({"expiresAt": expires}), header)

    @router.delete("/cookie", status_code=204)
    async def no_cookie() -> Response:
        """Removes that cookie."""
        header = set_cookie(DOCS_COOKIE, "", 0, secure=secure)
        return _with_cookie(Response(status_code=204), header)

    return router


async def any_plugin(plugin: str) -> None:
    """The plugin in an address, whichever it is: all are this gateway's."""


def _with_cookie(response: Response, header: str) -> Response:
    response.headers["set-cookie"] = header
    return response
