"""Facets: how often each value of a field occurs among what a reader may see."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from services.catalog.query.criteria import EVERYTHING, RELATIONS, Criterion
from services.catalog.query.effort import check_facets
from services.catalog.query.relating import relation_buckets
from services.catalog.query.scopes import ReaderScope
from services.catalog.query.selection import select
from services.catalog.readmodel import ReadModel
from services.catalog.readmodel.inverted import Bucket

TITLES = ("metadata.title", "spec.profile.displayname")

Facet = list[dict[str, str | int]]


@dataclass(frozen=True, slots=True)
class Narrowing:
    """The requested values of a facet: the `limit` most frequent with `text`.

    A value of a relation is also found by the title of the entity that it names.
    """

    text: str = ""
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Facets:
    """Values with their counts by field, and how many values each field has in all."""

    values: dict[str, Facet]
    totals: dict[str, int]


def distinct_names(names: Sequence[str]) -> Sequence[str]:
    """The names of the requested facets, each once.

    Raises:
        Invalid: if they are too many.
    """
    names = tuple(dict.fromkeys(names))
    check_facets(names)
    return names


@dataclass(frozen=True, slots=True)
class FacetValues:
    """The requested values of one facet, and how many values it has in all."""

    buckets: Sequence[Bucket]
    total: int


def facets_of(names: Sequence[str], parts: Sequence[FacetValues]) -> Facets:
    """The answer that the facets with these names make."""
    pairs = list(zip(names, parts, strict=True))
    return Facets(
        {
            name: [{"value": value, "count": count} for value, count in part.buckets]
            for name, part in pairs
        },
        {name: part.total for name, part in pairs},
    )


class FacetCounts:
    """Facets of what a reader may see and a criterion leaves, one at a time."""

    def __init__(
        self, model: ReadModel, criterion: Criterion, scope: ReaderScope
    ) -> None:
        self._model = model
        self._scope = scope
        is_everything = criterion == EVERYTHING and scope.visible is None
        self._within = None if is_everything else select(model, criterion, scope)

    def of(self, name: str, narrowing: Narrowing) -> FacetValues:
        """The facet of one field."""
        path, text = name.lower(), narrowing.text
        titled_refs: frozenset[str] = frozenset()
        if path.startswith(RELATIONS):
            kind = path[len(RELATIONS) :]
            buckets = relation_buckets(self._model, kind, self._within, self._scope)
            titled_refs = _titled(self._model, self._scope, text)
        else:
            buckets = self._model.index.buckets(path, self._within)
        if text:
            buckets = _mentioning(buckets, text.lower(), titled_refs)
        return FacetValues(_most_frequent(buckets, narrowing.limit), len(buckets))


def _titled(model: ReadModel, scope: ReaderScope, text: str) -> frozenset[str]:
    """The refs of the visible entities whose title contains a text."""
    if not text:
        return frozenset()
    entities = model.containing(TITLES[0], text.lower()).union(
        *(model.containing(path, text.lower()) for path in TITLES[1:])
    )
    if scope.visible is not None:
        entities = entities & scope.visible
    return frozenset(record.ref for record in model.existing(entities))


def _mentioning(
    buckets: Sequence[Bucket], text: str, titled_refs: frozenset[str]
) -> list[Bucket]:
    return [
        bucket
        for bucket in buckets
        if text in bucket[0].lower() or bucket[0] in titled_refs
    ]


def _most_frequent(buckets: Sequence[Bucket], limit: int | None) -> Sequence[Bucket]:
    """Of too many values those that occur most often, by value again."""
    if limit is None or len(buckets) <= limit:
        return buckets
    return sorted(heapq.nlargest(limit, buckets, key=lambda bucket: bucket[1]))
