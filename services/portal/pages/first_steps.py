"""What to do first where the catalog is empty, for the home page."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.portal.pages.sign_in import WAYS, is_from_here
from services.portal.permissions import allowed_permissions, why_not
from services.portal.visit import Visit, gather

REGISTER = "catalog.location.create"


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """Whether the reader may register something, why not, and how they could.

    `files` says whether it may be a file of the portal's machine.
    """

    may_register: bool
    why_not: str
    by_token: bool
    files: bool


async def first_steps(visit: Visit, kinds: Sequence[object]) -> FirstSteps | None:
    """The first steps; None where the reader sees any entity."""
    if kinds:
        return None
    ways, may = await gather(visit.get(WAYS), allowed_permissions(visit, [REGISTER]))
    return FirstSteps(
        may_register=REGISTER in may,
        why_not=why_not(visit),
        by_token=ways["token"] and is_from_here(visit.request),
        files=visit.state.file_locations,
    )
