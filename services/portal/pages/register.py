"""Registering what exists already: an address, what is in it, and the catalog has it.

The first look is a dry run, so that nobody registers what they have not seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.responses import Response

from services.portal.descriptor_addresses import location_at
from services.portal.entities import (
    Summary,
    canonical,
    entity_href,
    summarize,
)
from services.portal.error_texts import ERROR_NAME
from services.portal.model import ApiAnswer
from services.portal.pages.first_steps import REGISTER
from services.portal.pages.sign_in import sign_in_of_guest
from services.portal.permissions import allowed, why_not
from services.portal.unregistering import provider_names
from services.portal.visit import Visit, Visiting, json_of
from shared.contracts.errors import Invalid

LOCATIONS = "/api/catalog/locations"
LONGEST = 2000
REFUSED = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
)

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Described:
    """An entity at an address, and the source that the catalog has it from already.

    `source` is "" where the catalog does not have it; `is_other_file` says that the
    source is another file than the one at the address.
    """

    summary: Summary
    source: str = ""
    providers: str = ""
    is_other_file: bool = False


@dataclass(frozen=True, slots=True)
class AddressPreview:
    """What is at an address: its entities, or why nothing can be had from there."""

    found: tuple[Described, ...] = ()
    known: bool = False
    error: str = ""

    @property
    def provided(self) -> int:
        """How many of the entities come from another source already."""
        return sum(bool(each.source) for each in self.found)

    @property
    def refused(self) -> int:
        """How many of the entities another file provides: they stay with that file."""
        return sum(each.is_other_file for each in self.found)


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
        return _page(visit, target, _preview_of(answer))
    json_of(answer)
    shown = next(iter(look.found), None)
    if shown is None:
        return visit.go("/catalog?kind=location")
    return visit.go(entity_href(shown.summary.ref))


async def _preview(visit: Visit, target: str) -> AddressPreview:
    """What the catalog finds at an address; an address that is none is an error."""
    try:
        return _preview_of(await _ask(visit, target, dry=True))
    except Invalid as error:
        return AddressPreview(error=error.message)


async def _ask(visit: Visit, target: str, *, dry: bool) -> ApiAnswer:
    return await visit.ask(
        "POST",
        LOCATIONS,
        params={"dryRun": "true", "provided": "true"} if dry else None,
        json=location_at(target, files=visit.state.file_locations),
    )


def _preview_of(answer: ApiAnswer) -> AddressPreview:
    """Raises the matching error where it is not about the address."""
    if answer.status == HTTPStatus.CONFLICT:
        return AddressPreview(known=True)
    if answer.status in REFUSED:
        return AddressPreview(error=ERROR_NAME.sub("", answer.error))
    body: Mapping[str, Any] = json_of(answer)
    # The Location entity that stands for the address itself is bookkeeping.
    own = (body.get("location") or {}).get("entityRef")
    provided = {each["entityRef"]: each for each in body.get("provided") or ()}
    refs = [(canonical(each), each) for each in body.get("entities") or ()]
    found = [
        _described(summarize(ref, each), provided.get(ref))
        for ref, each in refs
        if ref != own
    ]
    found.sort(key=lambda each: each.summary.kind_key == "location")
    return AddressPreview(tuple(found), known=bool(body.get("exists")))


def _described(summary: Summary, provided: Mapping[str, Any] | None) -> Described:
    if provided is None:
        return Described(summary)
    is_other_file = bool(provided["isOtherFile"])
    return Described(
        summary,
        source=str(provided["location" if is_other_file else "origin"]),
        providers=provider_names(provided["providers"]),
        is_other_file=is_other_file,
    )


def _page(
    visit: Visit, target: str, look: AddressPreview | None, *, why_not: str = ""
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
        sign_in=sign_in_of_guest(visit) if why_not else "",
    )
