"""Registering what exists already: an address, what is in it, and the catalog has it.

The first look is a dry run, so that nobody registers what they have not seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.responses import Response

from services.gateway.model import ApiAnswer
from services.gateway.portal.entities import (
    Summary,
    canonical,
    entity_href,
    summarize,
)
from services.gateway.portal.visit import Visit, Visiting, told

LOCATIONS = "/api/catalog/locations"
LONGEST = 2000
REFUSED = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
)

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Look:
    """What is at an address: its entities, or why nothing can be had from there."""

    found: tuple[Summary, ...] = ()
    known: bool = False
    error: str = ""


@router.get("/create/register")
async def register(visit: Visiting, target: str = "") -> Response:
    """The question for an address; with one, what would be registered."""
    target = target.strip()[:LONGEST]
    look = _look(await _ask(visit, target, dry=True)) if target else None
    return _page(visit, target, look)


@router.post("/create/register")
async def registered(
    visit: Visiting, target: Annotated[str, Form(max_length=LONGEST)]
) -> Response:
    """Registers it, and shows the first thing that came of it."""
    target = target.strip()
    look = _look(await _ask(visit, target, dry=True))
    if look.error or look.known:
        return _page(visit, target, look)
    answer = await _ask(visit, target, dry=False)
    if answer.status in {*REFUSED, HTTPStatus.CONFLICT}:
        return _page(visit, target, _look(answer))
    told(answer)
    shown = next(iter(look.found), None)
    return visit.go(entity_href(shown.ref) if shown else "/catalog?kind=location")


async def _ask(visit: Visit, target: str, *, dry: bool) -> ApiAnswer:
    return await visit.ask(
        "POST",
        LOCATIONS,
        params={"dryRun": "true"} if dry else None,
        json={"type": "url", "target": target},
    )


def _look(answer: ApiAnswer) -> Look:
    """Raises the matching error where it is not about the address."""
    if answer.status == HTTPStatus.CONFLICT:
        return Look(known=True)
    if answer.status in REFUSED:
        return Look(error=answer.error)
    body: Mapping[str, Any] = told(answer)
    entities = body.get("entities") or ()
    found = [summarize(canonical(each), each) for each in entities]
    # The location itself is bookkeeping; what people look for comes first.
    found.sort(key=lambda summary: summary.kind_key == "location")
    return Look(tuple(found), known=bool(body.get("exists")))


def _page(visit: Visit, target: str, look: Look | None) -> Response:
    wrong = look is not None and bool(look.error)
    return visit.page(
        "create/register.html",
        title="Register what exists",
        nav="create",
        crumbs=[("Templates", "/create")],
        status=HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK,
        target=target,
        look=look,
    )
