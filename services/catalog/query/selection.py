"""From a criterion to the set of entities that meet it: bitmap algebra."""

from pyroaring import BitMap

from services.catalog.query.criteria import (
    RELATIONS,
    AllOf,
    AnyOf,
    Criterion,
    Exists,
    Mentions,
    Negation,
    OneOf,
    StartsWith,
)
from services.catalog.query.relating import has_relation, related_to
from services.catalog.query.scopes import ReaderScope
from services.catalog.readmodel import ReadModel
from services.catalog.readmodel.postings import EMPTY, union


def select(model: ReadModel, criterion: Criterion, scope: ReaderScope) -> BitMap:
    """The entities in `scope` that meet a criterion; shared, so never change it."""
    entities = _select(model, criterion, scope)
    return entities if scope.visible is None else entities & scope.visible


def _select(model: ReadModel, criterion: Criterion, scope: ReaderScope) -> BitMap:
    match criterion:
        case AllOf(parts):
            return _all_of(model, parts, scope)
        case AnyOf(parts):
            return union(_select(model, part, scope) for part in parts)
        case Negation(part):
            return model.live - _select(model, part, scope)
        case leaf:
            return _matching(model, leaf, scope)


def _matching(
    model: ReadModel, leaf: Exists | OneOf | StartsWith | Mentions, scope: ReaderScope
) -> BitMap:
    match leaf:
        case OneOf(path, values):
            return _one_of(model, path, values, scope)
        case Exists(path):
            if path.startswith(RELATIONS):
                return has_relation(model, path[len(RELATIONS) :], scope)
            return model.index.present(path)
        case StartsWith(path, text):
            return model.starting(path, text)
        case Mentions(paths, text):
            return union(model.containing(path, text) for path in paths)


def _one_of(
    model: ReadModel, path: str, values: tuple[str, ...], scope: ReaderScope
) -> BitMap:
    if path.startswith(RELATIONS):
        name = path[len(RELATIONS) :]
        return union(related_to(model, name, value, scope) for value in values)
    if len(values) == 1:
        return model.index.equal(path, values[0])
    return union(model.index.equal(path, value) for value in values)


def _all_of(
    model: ReadModel, parts: tuple[Criterion, ...], scope: ReaderScope
) -> BitMap:
    if not parts:
        return model.live
    entities: BitMap | None = None
    excluded_entities: list[BitMap] = []
    for part in parts:
        if isinstance(part, Negation):
            excluded_entities.append(_select(model, part.part, scope))
            continue
        part_entities = _select(model, part, scope)
        entities = part_entities if entities is None else entities & part_entities
        if not entities:
            return EMPTY
    entities = model.live if entities is None else entities
    return entities.difference(*excluded_entities) if excluded_entities else entities
