"""Routes of sign-in: `/api/auth`, and keys and cookies below each plugin."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel
from starlette.responses import Response

from services.gateway.callers import identity_of, require_identity
from services.gateway.identity.api_models import (
    CookieExpiry,
    KeySet,
    OpenIdConfiguration,
    SignInResponse,
    UserInfo,
)
from services.gateway.identity.handlers import (
    SignIn,
    openid_configuration,
    user_info,
)
from services.gateway.identity.keys import KeyRing
from services.gateway.model import DOCS_COOKIE, Identity
from shared.contracts.errors import Forbidden, NotFound, Unauthenticated, Unsupported
from shared.kit.http.bodies import BoundedRoute

COOKIE_SECONDS = 3600
BELOW = "/api/{plugin}/.backstage/auth/v1"


class SignInRequest(BaseModel):
    """The user of a development sign-in."""

    userEntityRef: str  # noqa: N815 - Backstage's word


def make_routers(
    sign_in: SignIn, keys: KeyRing, *, base_url: str, secure: bool
) -> list[APIRouter]:
    """All routes of this room; `base_url` is the portal's public address."""
    return [
        _providers(sign_in),
        _well_known(keys, f"{base_url}/api/auth"),
        _below_plugins(sign_in, keys, secure=secure),
    ]


def _providers(sign_in: SignIn) -> APIRouter:
    router = APIRouter(prefix="/api/auth", tags=["auth"], route_class=BoundedRoute)

    @router.get("/{provider}/refresh")
    @router.post("/{provider}/refresh")
    async def refresh(
        provider: str, body: SignInRequest | None = None
    ) -> SignInResponse:
        """A user token: as a guest, or in development as any user."""
        ref = body.userEntityRef if body else None
        return await sign_in.refresh(provider, ref)

    @router.get("/{provider}/start", response_class=Response)
    async def start(provider: str) -> Response:
        """The login page of a provider; no provider has one yet."""
        sign_in.require_provider(provider)
        raise Unsupported("Not implemented")

    @router.post("/{provider}/logout", response_class=Response)
    async def logout(provider: str) -> Response:
        """Not found: tokens expire, and no provider has sessions."""
        raise NotFound(f"Unknown auth provider '{provider}'")

    return router


def _well_known(keys: KeyRing, issuer: str) -> APIRouter:
    router = APIRouter(prefix="/api/auth", tags=["auth"], route_class=BoundedRoute)

    @router.get("/.well-known/jwks.json")
    async def jwks() -> KeySet:
        """The public keys that verify user tokens."""
        return KeySet(keys=keys.jwks())

    @router.get("/.well-known/openid-configuration")
    async def configuration() -> OpenIdConfiguration:
        """The discovery document."""
        return openid_configuration(issuer)

    @router.get("/v1/userinfo")
    async def userinfo(request: Request) -> UserInfo:
        """The subject of the token and their claims."""
        identity = await identity_of(request)
        if identity is None:
            raise Unauthenticated("No token provided")
        if identity.is_service:
            raise Unauthenticated("The token is not a user's")
        return user_info(identity)

    return router


def _below_plugins(sign_in: SignIn, keys: KeyRing, *, secure: bool) -> APIRouter:
    router = APIRouter(
        prefix=BELOW,
        tags=["auth"],
        dependencies=[Depends(any_plugin)],
        route_class=BoundedRoute,
    )

    @router.get("/jwks.json")
    async def plugin_jwks() -> KeySet:
        """The public keys of a plugin, which are the gateway's."""
        return KeySet(keys=keys.jwks())

    @router.get("/cookie")
    async def cookie(
        response: Response, identity: Annotated[Identity, Depends(require_identity)]
    ) -> CookieExpiry:
        """Set the cookie that opens documentation pages."""
        if identity.by_cookie:
            raise Forbidden("A cookie does not beget another")
        token, expires = sign_in.docs_token(identity)
        response.set_cookie(
            DOCS_COOKIE, token, COOKIE_SECONDS, secure=secure, httponly=True
        )
        return CookieExpiry(expires_at=expires)

    @router.delete("/cookie", status_code=204)
    async def no_cookie() -> Response:
        """Remove the cookie for documentation pages."""
        response = Response(status_code=204)
        response.delete_cookie(DOCS_COOKIE, secure=secure, httponly=True)
        return response

    return router


async def any_plugin(plugin: str) -> None:
    """Declare the path parameter; every name is accepted."""
