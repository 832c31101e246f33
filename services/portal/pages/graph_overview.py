"""The graph without a focus: systems as boxes with what is in them counted.

However large the catalog is, the page makes four bounded requests to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.portal.api_paths import BY_QUERY, ENTITY_FACETS, by_name_params
from services.portal.entities import (
    Summary,
    entities_of,
    spec_ref,
    split_ref,
    summarize,
)
from services.portal.visit import SUMMARY_FIELDS, Visit, gather

#: Boxes of the page; further ones are counted.
MOST_BOXES = 30
FIELDS = [*SUMMARY_FIELDS, "spec.domain"]
PARTS = "kind=component,kind=api,kind=resource"


@dataclass(frozen=True, slots=True)
class Grouping:
    """What boxes stand for: a kind, the relation to it, and what a box is drawn in."""

    kind: str
    relation: str
    whole: str


SYSTEMS = Grouping("system", "relations.partOf", "domain")
TEAMS = Grouping("group", "relations.ownedBy", "")


@dataclass(frozen=True, slots=True)
class OverviewBox:
    """A system or team with the number of entities in it, and the domain it is in."""

    summary: Summary
    members: int
    domain: Summary | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """The boxes, largest first; `left_out` more are counted and not shown."""

    boxes: Sequence[OverviewBox]
    kind: str
    left_out: int

    @property
    def domains(self) -> list[tuple[Summary | None, list[OverviewBox]]]:
        """The boxes by domain, the domain with the largest box first, None last."""
        groups: dict[str, list[OverviewBox]] = {}
        for box in self.boxes:
            groups.setdefault(box.domain.ref if box.domain else "", []).append(box)
        alone = groups.pop("", [])
        domains = [(boxes[0].domain, boxes) for boxes in groups.values()]
        return [*domains, (None, alone)] if alone else domains


async def overview(visit: Visit) -> Overview:
    """Systems; where a catalog has none, the teams that own most."""
    systems = await _boxes(visit, SYSTEMS)
    return systems if systems.boxes else await _boxes(visit, TEAMS)


async def _boxes(visit: Visit, grouping: Grouping) -> Overview:
    listed, counted = await gather(
        visit.get(
            BY_QUERY,
            by_name_params(
                f"kind={grouping.kind}", fields=",".join(FIELDS), limit=MOST_BOXES
            ),
        ),
        visit.get(ENTITY_FACETS, _count_params(grouping)),
    )
    members = {
        str(item["value"]): int(item["count"])
        for item in counted["facets"][grouping.relation]
        if split_ref(str(item["value"]))[0] == grouping.kind
    }
    total = int(listed["totalItems"])
    entities = {str(one.ref): one for one in entities_of(listed["items"])}
    if total > len(entities):
        # The largest ones may stand anywhere in the list by name.
        entities = await visit.entities(members, FIELDS)
    ranked = sorted(entities, key=lambda ref: (-members.get(ref, 0), ref))
    largest = {ref: entities[ref] for ref in ranked[:MOST_BOXES]}
    wholes = {
        ref: spec_ref(one, grouping.whole, "domain") for ref, one in largest.items()
    }
    summaries = await visit.summaries(ref for ref in wholes.values() if ref)
    boxes = [
        OverviewBox(
            summarize(ref, one), members.get(ref, 0), summaries.get(wholes[ref])
        )
        for ref, one in largest.items()
    ]
    return Overview(boxes, grouping.kind, max(0, total - len(boxes)))


def _count_params(grouping: Grouping) -> list[tuple[str, str]]:
    return [
        ("filter", PARTS),
        ("facet", grouping.relation),
        ("valueText", f"{grouping.kind}:"),
        ("valueLimit", str(MOST_BOXES)),
    ]
