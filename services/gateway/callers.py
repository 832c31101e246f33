"""Who sent a request, for the routes that the gateway answers itself."""

from starlette.requests import Request
from starlette.responses import Response

from services.gateway.model import SESSION_COOKIE, Identity
from services.gateway.ports import Authenticator
from shared.contracts.errors import Forbidden, Unauthenticated
from shared.contracts.headers import ON_BEHALF_OF
from shared.guards.cookies import cookie_in
from shared.kit.http.error_responses import error_response


async def identity_of(request: Request) -> Identity | None:
    """The caller's identity; None without any credentials.

    Raises:
        Unauthenticated: if the credentials are expired, forged or foreign.
    """
    authenticator: Authenticator = request.app.state.authenticator
    return await authenticator.authenticate(
        request.headers.get("authorization"),
        cookie_in(request.headers.get("cookie"), SESSION_COOKIE),
        on_behalf_of=request.headers.get(ON_BEHALF_OF),
    )


async def require_identity(request: Request) -> Identity:
    """The caller's identity.

    Raises:
        Unauthenticated: if the request has no credentials.
    """
    identity = await identity_of(request)
    if identity is None:
        raise Unauthenticated("Missing credentials")
    return identity


async def require_person(request: Request) -> Identity:
    """The identity of a person or guest.

    Raises:
        Forbidden: if the caller is a service.
    """
    identity = await require_identity(request)
    if identity.is_service:
        raise Forbidden("This is for people; a service has no settings or sessions")
    return identity


async def plugin_error_response(request: Request, error: Exception) -> Response:
    """The response to a failed request; its path is that below the plugin."""
    parts = request.scope["path"].split("/", 3)
    if len(parts) > 3 and parts[1] == "api":
        scope = {**request.scope, "path": f"/{parts[3]}", "root_path": ""}
        request = Request(scope)
    return error_response(request, error)
