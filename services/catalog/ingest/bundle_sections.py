"""Sections of a definition that have a file of their own, put into its root.

`paths: {$ref: ./paths/_index.yaml}` is how definitions of many files begin: what other
files call `openapi.yaml#/components/schemas/Pet` is in one of these. Once the sections
are in the root, every such pointer can be resolved there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.catalog.ingest.references import (
    Place,
    is_data,
    is_reference,
    place_of,
)
from shared.guards.budgets import Budget
from shared.guards.json_pointers import escaped_step, value_at

#: References that one section is behind.
MOST_HOPS = 20
#: Kinds of components, and other parts of a root.
MOST_SECTIONS = 200


@dataclass(slots=True)
class Sections:
    """A root with its sections.

    `links` also has the spellings that references of the sections have in the root;
    `moved` maps pointers in another file to their pointers in the root.
    """

    root: str
    files: Mapping[str, Any]
    links: dict[tuple[str, str], str]
    budget: Budget
    document: dict[str, Any] = field(default_factory=dict)
    moved: dict[str, dict[str, str]] = field(default_factory=dict)
    _spellings: dict[str, str] = field(default_factory=dict)

    def take_in(self) -> None:
        """Put every section in its place."""
        for number, file in enumerate(self.files):
            self._spellings[file] = f":{number}"
            self.links[self.root, f":{number}"] = file
        self.document = dict(self.files[self.root])
        for holder, place in self._holders():
            for key in list(holder)[:MOST_SECTIONS]:
                holder[key] = self._whole(holder[key], (*place, key))

    def _holders(self) -> Iterator[tuple[dict[str, Any], Place]]:
        yield self.document, ()
        components = self.document.get("components")
        if isinstance(components, Mapping):
            self.document["components"] = dict(components)
            yield self.document["components"], ("components",)

    def _whole(self, value: Any, place: Place) -> Any:
        pointer = "".join(f"/{escaped_step(step)}" for step in place)
        for _ in range(MOST_HOPS):
            if not isinstance(value, Mapping) or value.keys() != {"$ref"}:
                break
            target = self._target(value["$ref"])
            if target is None or target[0] == self.root:
                break
            part = value_at(self.files[target[0]], target[1])
            if not isinstance(part, Mapping):
                break
            value = self._rewritten(part, target[0], place)
            self.moved.setdefault(target[0], {}).setdefault(target[1], pointer)
        return value

    def _target(self, pointer: Any) -> tuple[str, str] | None:
        is_text = isinstance(pointer, str)
        return place_of(pointer, self.root, self.links) if is_text else None

    def _rewritten(self, value: Any, file: str, place: Place) -> Any:
        """A part of another file, with its references as the root spells them."""
        self.budget.pay_nodes()
        if isinstance(value, list):
            return [self._rewritten(item, file, (*place, "[]")) for item in value]
        if not isinstance(value, Mapping):
            return value
        if isinstance(value.get("$ref"), str) and not is_data(place):
            value = {**value, "$ref": self._reference(value["$ref"], file)}
        if place[-2:] == ("discriminator", "mapping"):
            return {
                name: self._reference(item, file)
                if isinstance(item, str) and is_reference(item)
                else item
                for name, item in value.items()
            }
        return {
            key: self._rewritten(item, file, (*place, key))
            for key, item in value.items()
        }

    def _reference(self, pointer: str, file: str) -> str:
        target = place_of(pointer, file, self.links)
        if target is None:
            return pointer
        return f"{self._spellings[target[0]]}#{target[1]}"
