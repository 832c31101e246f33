"""Read models for tests, and a slow one beside them that is plainly right."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from services.catalog.model import StoredEntity, StoredRelation
from services.catalog.query.criteria import Criterion
from services.catalog.query.facets import (
    Facet,
    FacetCounts,
    Facets,
    Narrowing,
    distinct_names,
    facets_of,
)
from services.catalog.query.scopes import ReaderScope
from services.catalog.readmodel import ReadModel
from shared.contracts.catalog import Cause
from shared.contracts.entity import Entity
from shared.contracts.ref import ref_of

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
INVERSES = {
    "ownedBy": "ownerOf",
    "partOf": "hasPart",
    "dependsOn": "dependencyOf",
    "memberOf": "hasMember",
    "hasMember": "memberOf",
    "consumesApi": "apiConsumedBy",
}


def uid_of(ref: str) -> str:
    return str(uuid5(NAMESPACE_URL, ref))


def stored(
    entity: Mapping[str, Any],
    *relations: tuple[str, str],
    revision: int = 1,
    errors: Iterable[Mapping[str, Any]] = (),
    parents: Iterable[str] = (),
) -> StoredEntity:
    """An entity as the store would hand it over, declaring (type, target) relations."""
    ref = str(ref_of(entity))
    document = {**entity, "metadata": {**entity["metadata"], "uid": uid_of(ref)}}
    return StoredEntity(
        ref=ref,
        uid=uid_of(ref),
        revision=revision,
        entity=Entity(document),
        relations=tuple(StoredRelation(t, to, INVERSES[t]) for t, to in relations),
        location="url:https://git.example/catalog-info.yaml",
        origin="url:https://git.example/catalog-info.yaml",
        location_key="url:https://git.example/catalog-info.yaml",
        created=NOW,
        updated=NOW,
        cause=Cause(kind="registration"),
        errors=tuple(errors),
        parents=tuple(parents),
    )


def model_of(*entities: StoredEntity) -> ReadModel:
    model = ReadModel(first_revision=0)
    model.put_many(entities)
    return model


def refs(model: ReadModel, ids: Iterable[int]) -> list[str]:
    return [record.ref for record in model.existing(ids)]


def narrow_facets(
    model: ReadModel,
    names: Sequence[str],
    criterion: Criterion,
    scope: ReaderScope,
    *,
    narrowing: Narrowing,
) -> Facets:
    """Of each facet the values that `narrowing` selects, as the route answers them."""
    names = distinct_names(names)
    counts = FacetCounts(model, criterion, scope)
    return facets_of(names, [counts.of(name, narrowing) for name in names])


def count_facets(
    model: ReadModel, names: Sequence[str], criterion: Criterion, scope: ReaderScope
) -> dict[str, Facet]:
    """All values of each facet, with their counts."""
    return narrow_facets(model, names, criterion, scope, narrowing=Narrowing()).values
