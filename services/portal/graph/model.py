"""Nodes and edges, and which way round each relation is drawn.

Left of an arrow stands what holds or needs, right what is held or needed: an owner is
left of what it owns, a component left of what it depends on. So "what breaks if I
touch this?" is everything to the left, and what uses the APIs that it provides.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from services.portal.entities import Summary
from shared.contracts.entity import Entity

# relation as drawn: (its inverse, words on the arrow)
RELATIONS = {
    "ownerOf": ("ownedBy", "owns"),
    "hasPart": ("partOf", "has part"),
    "dependsOn": ("dependencyOf", "depends on"),
    "consumesApi": ("apiConsumedBy", "uses"),
    "providesApi": ("apiProvidedBy", "provides"),
    "parentOf": ("childOf", "is parent of"),
    "hasMember": ("memberOf", "has member"),
}
DRAWN_AS = {inverse: drawn for drawn, (inverse, _) in RELATIONS.items()}
NEEDS = ("dependsOn", "consumesApi")


_BEFORE_CAPITAL = re.compile(r"(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Node:
    """An entity, or several of them (`members` > 0) drawn as one."""

    ref: str
    title: str
    kind: str
    kind_key: str
    href: str
    missing: bool = False
    members: int = 0


@dataclass(frozen=True, slots=True)
class Edge:
    """An arrow from one ref to another; `relation` is a key of RELATIONS."""

    source: str
    target: str
    relation: str

    @property
    def needy(self) -> str:
        """The end that breaks when the other does; an API breaks with its provider."""
        return self.target if self.relation == "providesApi" else self.source

    @property
    def words(self) -> str:
        return RELATIONS[self.relation][1] if self.relation in RELATIONS else ""


def node_of(summary: Summary) -> Node:
    """The node of one entity."""
    return Node(
        summary.ref,
        summary.title,
        summary.kind,
        summary.kind_key,
        "" if summary.missing else summary.href,
        missing=summary.missing,
    )


def own_relations(entity: Entity) -> dict[str, str]:
    """An entity's relation types that own kinds brought, each with its words."""
    types = dict.fromkeys(
        str(relation["type"]) for relation in entity.raw.get("relations") or ()
    )
    return {
        name: _BEFORE_CAPITAL.sub(" ", name).lower().strip().capitalize()
        for name in types
        if name not in RELATIONS and name not in DRAWN_AS
    }


def edges_of(
    ref: str, entity: Entity, relation_types: Iterable[str] = RELATIONS
) -> list[Edge]:
    """The arrows of one entity's relations, each turned the way it is drawn."""
    drawn_types = frozenset(relation_types)
    edges = []
    for relation in entity.raw.get("relations") or ():
        kind, target = str(relation["type"]), str(relation["targetRef"]).lower()
        drawn = DRAWN_AS.get(kind, kind)
        if drawn not in drawn_types or drawn not in RELATIONS:
            continue
        ends = (target, ref) if kind in DRAWN_AS else (ref, target)
        edges.append(Edge(*ends, drawn))
    return edges
