"""Where an entity comes from: the locations that led to it, up to the first."""

from collections import deque

from services.catalog.query.scopes import ReaderScope
from services.catalog.readmodel import ReadModel
from services.catalog.readmodel.records import EntityRecord


def ancestry(
    model: ReadModel, record: EntityRecord, scope: ReaderScope
) -> list[tuple[EntityRecord, list[str]]]:
    """An entity and its ancestors with their parents' refs, nearest first.

    What the reader may not see is left out, and with it what only it leads to.
    """
    ancestors: list[tuple[EntityRecord, list[str]]] = []
    visited_refs = {record.ref}
    queue = deque((record,))
    while queue:
        current_record = queue.popleft()
        parents = [ref for ref in current_record.stored.parents if not scope.hides(ref)]
        ancestors.append((current_record, parents))
        for ref in parents:
            parent = model.record(ref)
            if parent is not None and ref not in visited_refs:
                visited_refs.add(ref)
                queue.append(parent)
    return ancestors
