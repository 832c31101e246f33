"""Registers the location of existing entities, after a preview of what is in it.

The preview is a dry run, so that nobody registers what they have not seen.
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
    entities_of,
    entity_href,
    summary_of,
)
from services.portal.error_texts import ERROR_NAME
from services.portal.model import ApiAnswer
from services.portal.pages.first_steps import REGISTER
from services.portal.pages.sign_in import sign_in_of_guest
from services.portal.permissions import allowed_permissions, why_not
from services.portal.unregister_preview import provider_names
from services.portal.visit import Visit, Visiting, json_of
from shared.contracts.errors import Invalid

LOCATIONS = "/api/catalog/locations"
LONGEST = 2000
REFUSED = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
)

router = APIRouter()


@dataclass(frozen=True, slots=True)
class DescribedEntity:
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
    """What is at an address: its entities, or why it cannot be registered."""

    entities: tuple[DescribedEntity, ...] = ()
    is_registered: bool = False
    error: str = ""

    @property
    def provided_count(self) -> int:
        """How many of the entities come from another source already."""
        return sum(bool(entity.source) for entity in self.entities)

    @property
    def refused_count(self) -> int:
        """How many of the entities another file provides: they stay with that file."""
        return sum(entity.is_other_file for entity in self.entities)


@router.get("/create/register")
async def register(visit: Visiting, target: str = "") -> Response:
    """The form for an address; with an address, what would be registered."""
    target = target.strip()[:LONGEST]
    if REGISTER not in await allowed_permissions(visit, [REGISTER]):
        return _page(visit, target, None, why_not=why_not(visit))
    return _page(visit, target, await _preview(visit, target) if target else None)


@router.post("/create/register")
async def register_location(
    visit: Visiting, target: Annotated[str, Form(max_length=LONGEST)]
) -> Response:
    """Registers the location, and shows the first of its entities."""
    target = target.strip()
    preview = await _preview(visit, target)
    if preview.error or preview.is_registered:
        return _page(visit, target, preview)
    answer = await _ask(visit, target, dry=False)
    if answer.status in {*REFUSED, HTTPStatus.CONFLICT}:
        return _page(visit, target, _preview_of(answer))
    json_of(answer)
    first_entity = next(iter(preview.entities), None)
    if first_entity is None:
        return visit.go("/catalog?kind=location")
    return visit.go(entity_href(first_entity.summary.ref))


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
        return AddressPreview(is_registered=True)
    if answer.status in REFUSED:
        return AddressPreview(error=ERROR_NAME.sub("", answer.error))
    body: Mapping[str, Any] = json_of(answer)
    # The Location entity that stands for the address itself is bookkeeping.
    own = (body.get("location") or {}).get("entityRef")
    provided = {item["entityRef"]: item for item in body.get("provided") or ()}
    summaries = map(summary_of, entities_of(body.get("entities") or ()))
    entities = [
        _described_entity(summary, provided.get(summary.ref))
        for summary in summaries
        if summary.ref != own
    ]
    entities.sort(key=lambda described: described.summary.kind_key == "location")
    return AddressPreview(tuple(entities), is_registered=bool(body.get("exists")))


def _described_entity(
    summary: Summary, provided: Mapping[str, Any] | None
) -> DescribedEntity:
    if provided is None:
        return DescribedEntity(summary)
    is_other_file = bool(provided["isOtherFile"])
    return DescribedEntity(
        summary,
        source=str(provided["location" if is_other_file else "origin"]),
        providers=provider_names(provided["providers"]),
        is_other_file=is_other_file,
    )


def _page(
    visit: Visit, target: str, preview: AddressPreview | None, *, why_not: str = ""
) -> Response:
    has_error = preview is not None and bool(preview.error)
    return visit.page(
        "create/register.html",
        title="Register existing entities",
        nav="create",
        crumbs=[("Create", "/create")],
        status=HTTPStatus.UNPROCESSABLE_ENTITY if has_error else HTTPStatus.OK,
        target=target,
        preview=preview,
        files=visit.state.file_locations,
        why_not=why_not,
        sign_in=sign_in_of_guest(visit) if why_not else "",
    )
