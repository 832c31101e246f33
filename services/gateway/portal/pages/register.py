"""Registering what exists already: an address, what is in it, and the catalog has it.

The first look is a dry run, so that nobody registers what they have not seen.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.responses import Response

from services.gateway.model import ApiAnswer
from services.gateway.portal.descriptor_addresses import location_at
from services.gateway.portal.entities import (
    Summary,
    canonical,
    entity_href,
    summarize,
)
from services.gateway.portal.pages.first_steps import REGISTER
from services.gateway.portal.permissions import allowed, why_not
from services.gateway.portal.visit import Visit, Visiting, told
from shared.contracts.errors import Invalid

LOCATIONS = "/api/catalog/locations"
LONGEST = 2000
REFUSED = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
)
#: Before an error's words, for programs: people read the words.
ERROR_NAME = re.compile(r"^[A-Z]\w*Error: ")

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
    if REGISTER not in await allowed(visit, [REGISTER]):
        return _page(visit, target, None, why_not=why_not(visit))
    return _page(visit, target, await _preview(visit, target) if target else None)


@router.post("/create/register")
async def registered(
    visit: Visiting, target: Annotated[str, Form(max_length=LONGEST)]
) -> Response:
    """Registers it, and shows the first thing that came of it."""
    target = target.strip()
    look = await _preview(visit, target)
    if look.error or look.known:
        return _page(visit, target, look)
    answer = await _ask(visit, target, dry=False)
    if answer.status in {*REFUSED, HTTPStatus.CONFLICT}:
        return _page(visit, target, _look(answer))
    told(answer)
    shown = next(iter(look.found), None)
    return visit.go(entity_href(shown.ref) if shown else "/catalog?kind=location")


async def _preview(visit: Visit, target: str) -> Look:
    """What the catalog finds at an address; an address that is none is an error."""
    try:
        return _look(await _ask(visit, target, dry=True))
    except Invalid as error:
        return Look(error=error.message)


async def _ask(visit: Visit, target: str, *, dry: bool) -> ApiAnswer:
    return await visit.ask(
        "POST",
        LOCATIONS,
        params={"dryRun": "true"} if dry else None,
        json=location_at(target, files=visit.state.file_locations),
    )


def _look(answer: ApiAnswer) -> Look:
    """Raises the matching error where it is not about the address."""
    if answer.status == HTTPStatus.CONFLICT:
        return Look(known=True)
    if answer.status in REFUSED:
        return Look(error=ERROR_NAME.sub("", answer.error))
    body: Mapping[str, Any] = told(answer)
    entities = body.get("entities") or ()
    found = [summarize(canonical(each), each) for each in entities]
    # The location itself is bookkeeping; what people look for comes first.
    found.sort(key=lambda summary: summary.kind_key == "location")
    return Look(tuple(found), known=bool(body.get("exists")))


def _page(
    visit: Visit, target: str, look: Look | None, *, why_not: str = ""
) -> Response:
    wrong = look is not None and bool(look.error)
    return visit.page(
        "create/register.html",
        title="Register what exists",
        nav="create",
        crumbs=[("Templates", "/create")],
        status=HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK,
        target=target,
        look=look,
        files=visit.state.file_locations,
        why_not=why_not,
    )
