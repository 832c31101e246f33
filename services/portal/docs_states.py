"""States of documentation sites, for pages that list them: whose build failed, and why.

Each page asks techdocs once, and is shown without the states if it does not answer.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from services.portal.entities import annotation, docs_href
from services.portal.visit import Visit
from shared.contracts.annotations import TECHDOCS_ENTITY, TECHDOCS_REF
from shared.contracts.entity import Entity

BY_REFS = "/api/techdocs/sites/by-refs"
FAILED = "/api/techdocs/sites/failed"
BUILDS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class FailedBuild:
    """A site whose latest build failed; `is_readable` if an earlier one is shown."""

    ref: str
    title: str
    error: str
    failed_at: str
    is_readable: bool

    @property
    def href(self) -> str:
        return docs_href(self.ref) + "/"


@dataclass(frozen=True, slots=True)
class FailedBuilds:
    """The latest failed builds, and how many there are; more if `is_cut`."""

    items: tuple[FailedBuild, ...] = ()
    total: int = 0
    is_cut: bool = False


def has_docs(entity: Entity) -> bool:
    """Whether documentation is built from the entity's own source."""
    return bool(
        annotation(entity, TECHDOCS_REF) and not annotation(entity, TECHDOCS_ENTITY)
    )


async def failed_builds_of(
    visit: Visit, refs: Iterable[str]
) -> dict[str, FailedBuild] | None:
    """Of these entities those whose latest build failed, by their refs.

    None while techdocs does not answer.
    """
    unique_refs = list(dict.fromkeys(refs))
    if not unique_refs:
        return {}
    answer = await visit.ask(
        "POST", BY_REFS, json={"entityRefs": unique_refs}, is_secondary=True
    )
    if not answer.ok:
        return None
    items = (answer.json() or {}).get("items")
    failed = [item for item in items or () if item and item.get("status") == "failed"]
    return {build.ref: build for build in map(_failed_build, failed)}


async def latest_failed_builds(visit: Visit) -> FailedBuilds:
    """The failed builds that the reader may see, the last first."""
    params = [("limit", str(BUILDS_SHOWN))]
    answer = await visit.ask("GET", FAILED, params=params, is_secondary=True)
    body = (answer.json() or {}) if answer.ok else {}
    # The status page is shown whatever a service answers.
    items = tuple(map(_failed_build, body.get("items") or ()))
    return FailedBuilds(items, int(body.get("total") or 0), bool(body.get("is_cut")))


def _failed_build(item: Mapping[str, Any]) -> FailedBuild:
    return FailedBuild(
        ref=str(item["entity_ref"]),
        title=str(item.get("title") or item["entity_ref"]),
        error=str(item.get("error") or "It could not be built."),
        failed_at=str(item.get("failed_at") or ""),
        is_readable=bool(item.get("built_at")),
    )
