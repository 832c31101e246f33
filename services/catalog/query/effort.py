"""Limits the work of a query; a query above them is refused before any work."""

from collections.abc import Sequence

from services.catalog.query.criteria import (
    AllOf,
    AnyOf,
    Criterion,
    Mentions,
    Negation,
    StartsWith,
)
from shared.contracts.errors import Invalid

#: Texts for which all values of a field are looked through.
MOST_TEXTS = 50
#: Names between the dots of one path, and of all paths that entities are cut down to.
DEEPEST_PATH, MOST_NAMES = 64, 500
MOST_FACETS = 100
#: Characters of one value, word or path: five times what any that is searched by has.
LONGEST_TEXT = 1_000


def check_texts(criterion: Criterion, label: str) -> None:
    """Refuse a criterion that looks through the values of too many fields.

    Raises:
        Invalid: naming the bound.
    """
    texts = 0
    queue = [criterion]
    while queue:
        match queue.pop():
            case AllOf(parts) | AnyOf(parts):
                queue += parts
            case Negation(part):
                queue.append(part)
            case StartsWith():
                texts += 1
            case Mentions(paths, _):
                texts += len(paths)
    if texts > MOST_TEXTS:
        raise Invalid(f"{label}: at most {MOST_TEXTS} fields to look for a text in")


def check_length(text: str, label: str) -> None:
    """Refuse a text that is longer than any value that it could be equal to.

    Raises:
        Invalid: naming the bound.
    """
    if len(text) > LONGEST_TEXT:
        raise Invalid(f"{label}: at most {LONGEST_TEXT} characters")


def check_paths(paths: Sequence[str], label: str) -> None:
    """Refuse paths with too many names.

    Raises:
        Invalid: naming the bound.
    """
    for path in paths:
        check_length(path, f"{label}: a path")
    names = [path.count(".") + 1 for path in paths]
    if names and max(names) > DEEPEST_PATH:
        raise Invalid(f"{label}: a path may have at most {DEEPEST_PATH} names")
    if sum(names) > MOST_NAMES:
        raise Invalid(f"{label}: all paths together may have {MOST_NAMES} names")


def check_facets(names: Sequence[str]) -> None:
    """Refuse too many facets: each is counted over all entities.

    Raises:
        Invalid: naming the bound.
    """
    if len(names) > MOST_FACETS:
        raise Invalid(f"facets: at most {MOST_FACETS}")
    for name in names:
        check_length(name, "facets: a field")
