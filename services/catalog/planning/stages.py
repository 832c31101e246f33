"""A reading is planned in stages: each plan is applied before the next is made.

Entities come first as they are read, a slice at a time; then what the location lets go;
last its Location entities with their status, and its own state. A crash anywhere leaves
a location whose files look changed, so that the next reading makes the rest good.
"""

from collections.abc import Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Protocol

from services.catalog.model import TargetKey
from services.catalog.planning.closing import endangered_files
from services.catalog.planning.deletions import (
    lost_edges,
    plan_deletions,
    plan_takeovers,
)
from services.catalog.planning.entities import is_location, plan_entities
from services.catalog.planning.outcomes import (
    TargetOutcome,
    causes_of,
    location_outcome,
    outcome_of,
)
from services.catalog.planning.plan import IngestionPlan, NameRefusal
from services.catalog.planning.reading import LocationReading, TargetReading
from services.catalog.planning.statuses import needed_changes, plan_statuses
from services.catalog.planning.view import CatalogView, is_named_by_its_file
from shared.contracts.catalog import Cause


class PlanTarget(Protocol):
    """Where plans are applied: the store, or a copy of the state in memory."""

    async def apply(self, plan: IngestionPlan) -> Sequence[NameRefusal]:
        """Apply a plan; names that another writer took meanwhile."""


async def plan_in_stages(
    reading: LocationReading, view: CatalogView, target: PlanTarget
) -> frozenset[TargetKey]:
    """Plan a reading, and have `target` apply each stage; `view` shows what it did.

    The targets to read once more: in them is a Location entity that got its name only
    after the reading had passed over it.
    """
    outcomes: list[TargetOutcome] = []
    refusals: list[NameRefusal] = []
    async with aclosing(reading.slices()) as slices:
        async for part in slices:
            for group in _parents_first(part):
                stage = [
                    outcome_of(view, target_reading, reading.root, reading.cause)
                    for target_reading in group
                    if is_named_by_its_file(view, target_reading.target)
                ]
                plan = await plan_slice(view, stage, reading.cause)
                refusals += [*plan.refusals, *await target.apply(plan)]
                outcomes += [outcome.without_entities for outcome in stage]
    outcome = location_outcome(reading, outcomes, refusals)
    lost = lost_edges(view, outcome)
    endangered = await endangered_files(view, outcome, lost)
    if endangered:
        outcome = replace(outcome, endangered=endangered)
        root = replace(outcome.root, closed=outcome.earlier_closed)
        await target.apply(IngestionPlan(root=root))
    takeovers = await plan_takeovers(view, outcome, lost)
    remaining_refusals = [*takeovers.refusals, *await target.apply(takeovers)]
    deletions = await plan_deletions(view, outcome, lost - takeovers.gained_edges)
    if deletions.is_removing and outcome.causes.last.commit is None:
        cause = await reading.removal_cause(outcome.causes.last)
        deletions = deletions.caused_by(cause)
    await target.apply(deletions)
    refusal = deletions.deletion_refusal
    statuses = await plan_statuses(view, outcome, remaining_refusals, refusal)
    await target.apply(statuses)
    return frozenset(
        key
        for ref, key in outcome.named.passed_over.items()
        if view.providing_location(ref) == key[1]
    )


def _parents_first(part: Sequence[TargetReading]) -> Iterator[list[TargetReading]]:
    """Targets in groups, each after the Location entities that name its targets."""
    group: list[TargetReading] = []
    described_refs: set[str] = set()
    for reading in part:
        if reading.target.parent in described_refs:
            yield group
            group, described_refs = [], set()
        group.append(reading)
        described_refs.update(
            candidate.ref
            for candidate in reading.candidates
            if is_location(candidate.ref)
        )
    yield group


async def plan_slice(
    view: CatalogView, outcomes: Sequence[TargetOutcome], reading: Cause
) -> IngestionPlan:
    """The plan for some targets: their entities, and problems of earlier entities."""
    candidates = [candidate for outcome in outcomes for candidate in outcome.entities]
    causes = causes_of(outcomes, reading)
    plan = await plan_entities(view, candidates, causes.of)
    changes = (change for outcome in outcomes for change in outcome.problems)
    return replace(plan, problems=await needed_changes(view, changes))
