"""Plans what a location lets go: entities are taken over, move to others, or go."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from services.catalog.model import RootLocation
from services.catalog.planning.entities import plan_entities
from services.catalog.planning.orphans import (
    OrphanDeletion,
    orphan_deletion,
    orphans_of,
)
from services.catalog.planning.outcomes import Edge, LocationOutcome
from services.catalog.planning.plan import (
    Deletion,
    DeletionRefusal,
    IngestionPlan,
    Move,
)
from services.catalog.planning.view import CatalogView
from shared.contracts.catalog import Cause
from shared.contracts.errors import Conflict

#: One reading deletes at most this share of a root's entities, if they are many:
#: a source that suddenly names nothing is more likely broken than empty.
GUARD_SHARE = 0.5
GUARD_ABOVE = 25


def lost_edges(view: CatalogView, outcome: LocationOutcome) -> frozenset[Edge]:
    """What Location entities do not have from their targets any more.

    Also what was emitted from targets that they name no longer.
    """
    unnamed = {
        (key[0], ref)
        for key in outcome.root.files
        if not outcome.named.includes(key)
        for ref in view.emitted(*key)
    }
    return outcome.lost | unnamed


async def plan_takeovers(
    view: CatalogView, outcome: LocationOutcome, lost: Collection[Edge]
) -> IngestionPlan:
    """Names that are free once these edges are lost go to who was refused them first.

    The refusals of the plan are those that remain.
    """
    if not outcome.refusals:
        return IngestionPlan()
    orphans = await orphan_deletion(view, lost, _is_root(view, outcome.root))
    refused_candidates = [refusal.candidate for refusal in outcome.refusals]
    plan = await plan_entities(
        view, refused_candidates, outcome.causes.of, leaving=frozenset(orphans.deleted)
    )
    remaining_names = {
        (refusal.ref, refusal.candidate.location) for refusal in plan.refusals
    }
    # In the order of the files: the same problems again are no change.
    refusals = tuple(
        refusal
        for refusal in outcome.refusals
        if (refusal.ref, refusal.candidate.location) in remaining_names
    )
    return replace(plan, refusals=refusals)


async def plan_deletions(
    view: CatalogView, outcome: LocationOutcome, lost: Collection[Edge]
) -> IngestionPlan:
    """What becomes of the entities that the location's targets no longer name.

    `view` shows takeovers already.
    """
    root, cause = outcome.root, outcome.causes.last
    orphans = await orphan_deletion(view, lost, _is_root(view, root))
    if _are_too_many(view, root, orphans.deleted):
        refusal = _deletion_refusal(view, root, orphans.deleted)
        return IngestionPlan(deletion_refusal=refusal)
    return _plan_of(orphans, cause)


def _is_root(view: CatalogView, root: RootLocation) -> Callable[[str], bool]:
    own_ref = root.location.entity_ref
    return lambda ref: ref == own_ref or view.is_root(ref)


def _plan_of(orphans: OrphanDeletion, cause: Cause) -> IngestionPlan:
    return IngestionPlan(
        moves=tuple(
            Move(ref, parents, cause) for ref, parents in orphans.remaining.items()
        ),
        deletions=tuple(Deletion(ref, cause) for ref in orphans.deleted),
    )


async def plan_dismissal(
    view: CatalogView, root: RootLocation, cause: Cause
) -> IngestionPlan:
    """The plan that deletes a root: its entities are deleted or move to other roots."""
    ref = root.location.entity_ref
    orphans = await orphans_of(view, root)
    if view.parents(ref) == () and ref not in orphans.deleted:
        orphans = replace(orphans, deleted=[*orphans.deleted, ref])
    return _plan_of(orphans, cause)


def _are_too_many(
    view: CatalogView, root: RootLocation, deleted: Sequence[str]
) -> bool:
    if len(deleted) <= GUARD_ABOVE:
        return False
    emitted = {ref for key in root.files for ref in view.emitted(*key)}
    return len(deleted) > GUARD_SHARE * len(emitted)


def _deletion_refusal(
    view: CatalogView, root: RootLocation, deleted: Sequence[str]
) -> DeletionRefusal:
    error = Conflict(
        f"{root.location}: no longer names {len(deleted)} entities, more than "
        "half of it; nothing was deleted. Unregister it if that is meant"
    )
    parents = (parent for ref in deleted for parent in view.parents(ref) or ())
    return DeletionRefusal(error, frozenset(parents))
