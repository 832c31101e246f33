"""Who sent a request, for the routes that the gateway answers itself."""

from starlette.requests import Request
from starlette.responses import Response

from services.gateway.model import SESSION_COOKIE, Identity
from services.gateway.ports import Authenticator
from shared.contracts.errors import Forbidden, Unauthenticated
from shared.contracts.headers import ON_BEHALF_OF
from shared.guards.cookies import cookie_in
from shared.kit.http.apps import error_response


async def identity_of(request: Request) -> Identity | None:
    """Who is asking, or None: no credentials at all.

    Raises:
        Unauthenticated: if the credentials are expired, forged or foreign.
    """
    authenticator: Authenticator = request.app.state.authenticator
    return await authenticator.authenticate(
        request.headers.get("authorization"),
        cookie_in(request.headers.get("cookie"), SESSION_COOKIE),
        on_behalf_of=request.headers.get(ON_BEHALF_OF),
    )


async def asker(request: Request) -> Identity:
    """Who is asking.

    Raises:
        Unauthenticated: if nobody is.
    """
    found = await identity_of(request)
    if found is None:
        raise Unauthenticated("Missing credentials")
    return found


async def person(request: Request) -> Identity:
    """The person or guest who is asking.

    Raises:
        Forbidden: if a service asks.
    """
    found = await asker(request)
    if found.is_service:
        raise Forbidden("This is for people; a service has no settings or sessions")
    return found


async def failed_below_plugin(request: Request, error: Exception) -> Response:
    """The answer to a failed request, its address below the plugin as Backstage's."""
    parts = request.scope["path"].split("/", 3)
    if len(parts) > 3 and parts[1] == "api":
        scope = {**request.scope, "path": f"/{parts[3]}", "root_path": ""}
        request = Request(scope)
    return error_response(request, error)
