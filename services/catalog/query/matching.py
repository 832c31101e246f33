"""Criteria over flat objects, for the few registrations that are listed by one.

Entities, of which there are many, are selected through the read model's indexes.
"""

from collections.abc import Callable, Mapping

from services.catalog.query.criteria import (
    AllOf,
    AnyOf,
    Criterion,
    Exists,
    Mentions,
    Negation,
    OneOf,
    StartsWith,
)

FlatItem = Mapping[str, str]
"""Values by path, both in lower case."""


def matcher(criterion: Criterion) -> Callable[[FlatItem], bool]:
    """A function that says whether an item meets a criterion."""
    match criterion:
        case AllOf(parts):
            checks = [matcher(part) for part in parts]
            return lambda item: all(check(item) for check in checks)
        case AnyOf(parts):
            checks = [matcher(part) for part in parts]
            return lambda item: any(check(item) for check in checks)
        case Negation(part):
            is_met = matcher(part)
            return lambda item: not is_met(item)
        case leaf:
            return _leaf_matcher(leaf)


def _leaf_matcher(
    leaf: Exists | OneOf | StartsWith | Mentions,
) -> Callable[[FlatItem], bool]:
    match leaf:
        case OneOf(path, values):
            choices = frozenset(values)
            return lambda item: item.get(path) in choices
        case Exists(path):
            return lambda item: path in item
        case StartsWith(path, text):
            return lambda item: path in item and item[path].startswith(text)
        case Mentions(paths, text):
            return lambda item: any(text in item.get(path, "") for path in paths)
