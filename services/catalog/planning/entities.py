"""Plans what sources describe: entities are created, change, or are refused."""

from collections.abc import Callable, Collection, Iterable

from services.catalog.ingest.candidates import Candidate
from services.catalog.model import StoredEntity
from services.catalog.planning.changes import apply_candidate, foreign_error, is_foreign
from services.catalog.planning.plan import EntityWrite, IngestionPlan, NameRefusal
from services.catalog.planning.view import CatalogView
from shared.contracts.catalog import Cause
from shared.guards.turns import in_turns

#: So many documents are unpacked and compared before others get their turn.
CauseOf = Callable[[Candidate], Cause]


def is_location(ref: str) -> bool:
    """Whether a ref is of a Location entity."""
    return ref.startswith("location:")


async def plan_entities(
    view: CatalogView,
    candidates: Iterable[Candidate],
    cause_of: CauseOf,
    *,
    leaving: Collection[str] = (),
) -> IngestionPlan:
    """The writes that candidates come to, and those that are refused their names.

    `leaving` are entities that their locations no longer name: the first candidate gets
    the name.
    Problems of Location entities stay until all their targets are read.
    """
    writes: list[EntityWrite] = []
    unique, refusals = merge(candidates)
    async for candidate in in_turns(unique.values()):
        before = view.get(candidate.ref)
        if is_foreign(before, candidate) and candidate.ref not in leaving:
            refusals.append(NameRefusal(candidate, foreign_error(candidate, before)))
            continue
        current = _with_stored_origin(view, before, candidate)
        if before is not None and is_location(candidate.ref):
            current = current.with_items(before.errors)
        after = apply_candidate(before, current, cause_of(candidate))
        if after is not None:
            writes.append(EntityWrite(current, before, after))
    return IngestionPlan(tuple(writes), refusals=tuple(refusals))


def _with_stored_origin(
    view: CatalogView, before: StoredEntity | None, candidate: Candidate
) -> Candidate:
    """The candidate with the origin of the Location that brought it first.

    Several roots may lead to one Location entity; the first of them is its origin.
    """
    if before is None or candidate.origin == before.origin:
        return candidate
    first = view.get(before.parents[0]) if before.parents else None
    if first is None or first.origin != before.origin:
        return candidate
    return candidate.with_origin(before.origin)


def merge(
    candidates: Iterable[Candidate],
) -> tuple[dict[str, Candidate], list[NameRefusal]]:
    """Candidates by ref; refused if a file before it has the same name.

    The same file's candidate again only has one parent more.
    """
    unique: dict[str, Candidate] = {}
    refusals: list[NameRefusal] = []
    for candidate in candidates:
        first = unique.get(candidate.ref)
        if first is None:
            unique[candidate.ref] = candidate
        elif first.location == candidate.location:
            unique[candidate.ref] = first.merge_parents(candidate)
        else:
            refusals.append(NameRefusal(candidate, foreign_error(candidate, first)))
    return unique, refusals
