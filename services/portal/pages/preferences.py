"""Remembers how a reader wants the portal to look, in cookies of their browser."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse, Response

from services.portal.preferences import (
    COOKIE_SECONDS,
    DENSITIES,
    DENSITY_COOKIE,
    THEME_COOKIE,
    THEMES,
)
from shared.contracts.errors import Invalid
from shared.guards.addresses import local_address

router = APIRouter()


@router.post("/preferences")
async def prefer(
    theme: Annotated[str, Form()] = "",
    density: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002 - the field's name in the form
) -> Response:
    """Stores the choices in cookies and returns to the page they were made on."""
    response = RedirectResponse(local_address(next), 303)
    for cookie, value, choices in (
        (THEME_COOKIE, theme, THEMES),
        (DENSITY_COOKIE, density, DENSITIES),
    ):
        if value and value not in choices:
            raise Invalid(f"{cookie}: must be one of {', '.join(choices)}")
        if value:
            response.set_cookie(
                cookie, value, max_age=COOKIE_SECONDS, samesite="lax", path="/"
            )
    return response
