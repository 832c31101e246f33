"""The query of the graph page, as its address has it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import urlencode

from services.portal.graph.model import NEEDS, RELATIONS
from services.portal.graph.neighbourhood import BOTH, LEFT, RIGHT
from shared.contracts.errors import Invalid
from shared.contracts.ref import parse_ref
from shared.guards.numbers import whole_number

DEEPEST = 6
IMPACT_DEPTH = 4
DIRECTIONS = {
    BOTH: "Both ways",
    LEFT: "What depends on this",
    RIGHT: "What this depends on",
}
USUAL = tuple(name for name in RELATIONS if name != "hasMember")


def _whole_ref(text: str) -> str:
    """The canonical ref that a text means: a short one names a component."""
    try:
        return str(parse_ref(text, default_kind="component"))
    except Invalid:
        return text.lower()


@dataclass(frozen=True, slots=True)
class GraphQuery:
    """Around which entity ("" for the overview), how far, which way, by what."""

    entity: str = ""
    depth: int = 1
    direction: str = BOTH
    relations: tuple[str, ...] = USUAL

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Self:
        """The query in an address; `show=impact` is short for the impact."""
        values_by_name: dict[str, list[str]] = {}
        for name, value in pairs:
            values_by_name.setdefault(name, []).append(value)
        entity = _whole_ref(values_by_name.get("entity", [""])[-1].strip())
        if values_by_name.get("show") == ["impact"]:
            return cls(entity, IMPACT_DEPTH, LEFT, (*NEEDS, "providesApi"))
        depth = values_by_name.get("depth", ["1"])[-1]
        direction = values_by_name.get("direction", [BOTH])[-1]
        chosen = tuple(
            name for name in RELATIONS if name in values_by_name.get("relation", ())
        )
        return cls(
            entity,
            min(DEEPEST, max(1, whole_number(depth, limit=999) or 1)),
            direction if direction in DIRECTIONS else BOTH,
            chosen or USUAL,
        )

    def around(self, ref: str) -> str:
        """The address of the same query about another entity."""
        return replace(self, entity=ref).address()

    def address(self) -> str:
        """The address of this query."""
        pairs = [("entity", self.entity)] if self.entity else []
        if self.depth != 1:
            pairs.append(("depth", str(self.depth)))
        if self.direction != BOTH:
            pairs.append(("direction", self.direction))
        if self.relations != USUAL:
            pairs += [("relation", name) for name in self.relations]
        return f"/graph?{urlencode(pairs, safe=':/')}" if pairs else "/graph"
