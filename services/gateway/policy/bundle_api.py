"""The route of the policy's bundle: `/api/policy/bundle`, only for OPA servers."""

import asyncio
import hmac
from typing import Annotated

from fastapi import APIRouter, Header
from pydantic import SecretStr
from starlette.responses import Response

from services.gateway.policy.bundle import PolicyFolder
from shared.contracts.errors import NotFound, Unauthenticated
from shared.kit.http.openapi import answers_of
from shared.kit.observability import logs

ARCHIVE = "application/gzip"


def make_router(folder: PolicyFolder, token: SecretStr | None) -> APIRouter:
    """The bundle's route; `token` is that of the OPA servers."""
    router = APIRouter(prefix="/api/policy", tags=["permission"])
    log = logs.get_logger("gateway")

    @router.get("/bundle", **answers_of(ARCHIVE))
    async def bundle(
        authorization: Annotated[str | None, Header()] = None,
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Response:
        """The policy's files as a bundle, for OPA servers with a token of their own.

        304 if `If-None-Match` names it.
        """
        _check(authorization, token)
        current_bundle = await asyncio.to_thread(folder.bundle)
        headers = {
            "etag": f'"{current_bundle.revision}"',
            "cache-control": "private, no-cache",
        }
        if _names(if_none_match, headers["etag"]):
            return Response(status_code=304, headers=headers)
        log.info("policy_bundle_sent", revision=current_bundle.revision)
        return Response(current_bundle.body, 200, headers, ARCHIVE)

    return router


def _check(authorization: str | None, token: SecretStr | None) -> None:
    if token is None:
        raise NotFound("No bundle is served: CALLBOARD_GATEWAY_BUNDLE_TOKEN")
    scheme, _, given_token = (authorization or "").partition(" ")
    expected = token.get_secret_value().encode()
    if scheme.lower() != "bearer" or not hmac.compare_digest(
        given_token.strip().encode(), expected
    ):
        raise Unauthenticated("The bundle is for policy servers with their token")


def _names(if_none_match: str | None, etag: str) -> bool:
    tags = (tag.strip() for tag in (if_none_match or "").split(","))
    return any(tag.removeprefix("W/") in (etag, "*") for tag in tags)
