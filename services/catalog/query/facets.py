"""Facets: how often each value of a field occurs among what a reader may see."""

from collections.abc import Sequence

from services.catalog.query.criteria import EVERYTHING, RELATIONS, Criterion
from services.catalog.query.effort import check_facets
from services.catalog.query.relating import relation_buckets
from services.catalog.query.scopes import Scope
from services.catalog.query.selection import select
from services.catalog.readmodel import ReadModel

Facet = list[dict[str, str | int]]


def count_facets(
    model: ReadModel, names: Sequence[str], criterion: Criterion, scope: Scope
) -> dict[str, Facet]:
    """For each name its values, as they were written, with their counts."""
    names = tuple(dict.fromkeys(names))
    check_facets(names)
    whole = criterion == EVERYTHING and scope.visible is None
    within = None if whole else select(model, criterion, scope)
    found: dict[str, Facet] = {}
    for name in names:
        path = name.lower()
        if path.startswith(RELATIONS):
            kind = path[len(RELATIONS) :]
            buckets = relation_buckets(model, kind, within, scope)
        else:
            buckets = model.index.buckets(path, within)
        found[name] = [{"value": value, "count": count} for value, count in buckets]
    return found
