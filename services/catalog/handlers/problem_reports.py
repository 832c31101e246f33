"""Puts the problems of files into the status of what these files brought.

The last good version of an entity stays. A file that holds restricted entities as well
is told of to others in general words alone.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from services.catalog.handlers.applying import Applier
from services.catalog.handlers.catalog_state import CatalogState
from services.catalog.handlers.source_rights import VISIBILITY_PATH
from services.catalog.handlers.walk import Key, TargetReading
from services.catalog.ingest.candidates import RESTRICTED
from services.catalog.ingest.problems import (
    ENTITY_ITEMS,
    LOCATION_ITEMS,
    Item,
    in_general,
    is_lasting,
    items_of_entity,
    limited,
    refusal_item,
)
from services.catalog.model import FileState
from shared.contracts.catalog import Cause

States = Mapping[Key, FileState]


class ProblemReports:
    """The problems that one reading of a root meets."""

    def __init__(self, state: CatalogState, applier: Applier) -> None:
        self._state = state
        self._applier = applier
        #: Location entities from files with problems: theirs are stored with those of
        #: their targets.
        self.locations: set[str] = set()

    def missing(self, found: TargetReading) -> frozenset[str]:
        """What a file brought and says no longer, as far as that is certain.

        A document without its name, or with another one, may be any of them.
        """
        brought = self._state.emitted(*found.target.key)
        refused = {refusal.ref for refusal in found.refusals}
        if refused - brought:
            return frozenset()
        return brought - {c.ref for c in found.candidates} - refused

    async def report_refusals(self, found: TargetReading, cause: Cause) -> None:
        """Show on each entity why its document is invalid."""
        brought = self._state.emitted(*found.target.key)
        items: dict[str | None, list[Item]] = {ref: [] for ref in (*brought, None)}
        for refusal in found.refusals:
            ref = refusal.ref if refusal.ref in brought else None
            items[ref].append(refusal_item(refusal))
        invalid = brought - {candidate.ref for candidate in found.candidates}
        shown = {
            ref: items[ref] or items[None][:ENTITY_ITEMS] for ref in sorted(invalid)
        }
        if found.refusals:
            await self._report(shown, found.target.key, cause)

    async def report_failure(self, found: TargetReading, cause: Cause) -> None:
        """Show on everything that a file brought that it cannot be read any more."""
        key = found.target.key
        items = [item for item in found.state.errors if "since" in item["error"]]
        if all(is_lasting(item, datetime.now(UTC)) for item in items):
            refs = sorted(self._state.emitted(*key))
            await self._report(dict.fromkeys(refs, items), key, cause)

    async def _report(
        self, items: Mapping[str, Sequence[Item]], key: Key, cause: Cause
    ) -> None:
        hidden = self._hidden(key)
        places = {ref for ref in items if ref.startswith("location:")}
        self.locations |= places
        shown = {
            ref: [
                item
                if _is_own(item, ref, hidden)
                else _without_private_words(item, key[1], others)
                for item in told
            ]
            for ref, told in items.items()
            for others in [hidden - {ref}]
            if ref not in places
        }
        await self._applier.report(shown, key[1], cause)

    def of_locations(self, states: States) -> dict[str, tuple[Item, ...]]:
        """The problems of each Location entity: those of its targets, and of its file.

        `states` are the root's, as they are after this reading.
        """
        problems: dict[str, tuple[Item, ...]] = {}
        for key, state in states.items():
            items = self._visible_items(key[0], key, state.errors)
            problems[key[0]] = (*problems.get(key[0], ()), *items)
        for ref in problems.keys() | self.locations:
            for key in self._files_of(ref):
                if key in states:
                    own = self._visible_items(
                        ref, key, items_of_entity(ref, states[key])
                    )
                    problems[ref] = (*own, *problems.get(ref, ()))
        return {ref: limited(items, LOCATION_ITEMS) for ref, items in problems.items()}

    def _files_of(self, ref: str) -> list[Key]:
        location = self._state.provider(ref) or ""
        return [(parent, location) for parent in self._state.parents(ref) or ()]

    def _visible_items(
        self, ref: str, key: Key, items: Sequence[Item]
    ) -> tuple[Item, ...]:
        """A file's items as the readers of a Location entity may see them."""
        if not items or self._is_restricted(ref):
            return tuple(items)
        hidden = self._hidden(key)
        return tuple(_without_private_words(item, key[1], hidden) for item in items)

    def _hidden(self, key: Key) -> frozenset[str]:
        """The entities of a file that not everybody may see."""
        return frozenset(filter(self._is_restricted, self._state.emitted(*key)))

    def _is_restricted(self, ref: str) -> bool:
        return self._state.entities.has_value(ref, VISIBILITY_PATH, RESTRICTED)


def _is_own(item: Item, ref: str, hidden: frozenset[str]) -> bool:
    """Whether an item is about a hidden entity, and stands on that entity."""
    return ref in hidden and item["error"].get("entityRef") == ref


def _without_private_words(item: Item, location: str, hidden: frozenset[str]) -> Item:
    """An item without its words, if it is about a hidden entity, or may be."""
    error = item["error"]
    if "since" not in error and "line" not in error:
        # A conflict, which names no more than everybody may know.
        return item
    concerned = error.get("entityRef")
    is_private = concerned in hidden if concerned is not None else bool(hidden)
    is_private = is_private or bool(error.get("restricted"))
    return in_general(item, location) if is_private else item
