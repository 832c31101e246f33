"""The catalog as it is once plans are applied, without writing any of them.

A reading that is planned against this state changes nothing else: so a plan can be
shown before it is written.
"""

from collections.abc import Sequence

from services.catalog.model import StoredEntity
from services.catalog.planning.plan import IngestionPlan, NameRefusal
from services.catalog.planning.view import CatalogView


class PlannedState:
    """A `CatalogView` and a `PlanTarget` over another view, which stays as it is."""

    def __init__(self, view: CatalogView) -> None:
        self._view = view
        self._changed: dict[str, StoredEntity | None] = {}
        self._emitted: dict[str, dict[str, set[str]]] = {}
        #: All that was planned, in order.
        self.plans: list[IngestionPlan] = []

    async def apply(self, plan: IngestionPlan) -> Sequence[NameRefusal]:
        """Take over what a plan changes; nobody else writes here."""
        for write in plan.writes:
            self._put(write.ref, write.after)
        for step in plan.steps:
            before = self.get(step.ref)
            if before is not None:
                self._put(step.ref, step.after(before, self))
        self.plans.append(plan)
        return ()

    def _put(self, ref: str, after: StoredEntity | None) -> None:
        before = self._changed.get(ref)
        if before is not None:
            for parent in before.parents:
                self._emitted[parent][before.location].discard(ref)
        self._changed[ref] = after
        if after is not None:
            for parent in after.parents:
                locations = self._emitted.setdefault(parent, {})
                locations.setdefault(after.location, set()).add(ref)

    def get(self, ref: str) -> StoredEntity | None:
        if ref in self._changed:
            return self._changed[ref]
        return self._view.get(ref)

    def parents(self, ref: str) -> tuple[str, ...] | None:
        if ref not in self._changed:
            return self._view.parents(ref)
        entity = self._changed[ref]
        return entity.parents if entity is not None else None

    def provider(self, ref: str) -> str | None:
        if ref not in self._changed:
            return self._view.provider(ref)
        entity = self._changed[ref]
        return entity.location if entity is not None and entity.parents else None

    def emitted(self, parent: str, location: str) -> frozenset[str]:
        changed = self._emitted.get(parent, {}).get(location, set())
        before = self._view.emitted(parent, location)
        return before.difference(self._changed).union(changed)

    def emitted_by(self, parent: str) -> frozenset[str]:
        changed = self._emitted.get(parent, {}).values()
        before = self._view.emitted_by(parent)
        return before.difference(self._changed).union(*changed)

    def is_restricted(self, ref: str) -> bool:
        if ref not in self._changed:
            return self._view.is_restricted(ref)
        entity = self._changed[ref]
        return entity is not None and entity.entity.is_restricted

    def is_root(self, ref: str) -> bool:
        return self._view.is_root(ref)
