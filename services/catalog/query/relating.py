"""Filters and facets over relations, in whichever direction they were declared."""

from collections import defaultdict
from collections.abc import Iterator

from pyroaring import BitMap

from services.catalog.query.scopes import ReaderScope
from services.catalog.readmodel import ReadModel
from services.catalog.readmodel.inverted import Bucket
from services.catalog.readmodel.postings import (
    EMPTY,
    Posting,
    cardinality,
    members,
    union,
)


def related_to(model: ReadModel, name: str, target: str, scope: ReaderScope) -> BitMap:
    """The entities with a relation of a lower-cased name to a lower-cased ref."""
    if scope.hides(target):
        return EMPTY
    found = model.adjacency.declaring(name, target)
    record = model.record(target)
    if record is not None:
        for relation in record.stored.relations:
            entity = model.ids.get(relation.target)
            if entity is not None and relation.inverse.lower() == name:
                found.add(entity)
    return found


def has_relation(model: ReadModel, name: str, scope: ReaderScope) -> BitMap:
    """The entities with any relation of a lower-cased name to what may be seen."""
    found = model.adjacency.sources(name).copy()
    for entity, posting in _shown_by_targets(model, name):
        if cardinality(posting, scope.visible):
            found.add(entity)
    return found


def relation_buckets(
    model: ReadModel, name: str, within: BitMap | None, scope: ReaderScope
) -> list[Bucket]:
    """How many entities of `within` have a relation to each target ref."""
    found: dict[str, Posting] = {}
    for target, posting in model.adjacency.targets(name):
        known = found.get(target)
        found[target] = posting if known is None else union((known, posting))
    shown: defaultdict[str, list[int]] = defaultdict(list)
    for entity, posting in _shown_by_targets(model, name):
        for record in model.existing(members(posting)):
            shown[record.ref].append(entity)
    for ref, entities in shown.items():
        found[ref] = union((found.get(ref), *entities))
    counted = ((ref, cardinality(ids, within)) for ref, ids in found.items())
    return sorted((ref, n) for ref, n in counted if n and not scope.hides(ref))


def _shown_by_targets(model: ReadModel, name: str) -> Iterator[tuple[int, Posting]]:
    """Entities that show others' declarations under a name, with who declared them."""
    for target, posting in model.adjacency.inverse_targets(name):
        entity = model.ids.get(target)
        if entity is not None:
            yield entity, posting
