"""Backstage's `filter=` grammar: `kind=component,metadata.tags.java`."""

from collections.abc import Sequence

from services.catalog.query.criteria import (
    EVERYTHING,
    MOST_PARTS,
    AllOf,
    AnyOf,
    Criterion,
    Exists,
    OneOf,
)
from services.catalog.query.effort import check_length
from shared.contracts.errors import Invalid


def parse_filters(texts: Sequence[str]) -> Criterion:
    """What repeated `filter` parameters demand: one of them; none demand nothing.

    Raises:
        Invalid: if a statement has no key or a long one or a long value, or there are
            too many.
    """
    if sum(text.count(",") + 1 for text in texts) > MOST_PARTS:
        raise Invalid(f"Invalid filter, more than {MOST_PARTS} statements")
    sets = [criterion for text in texts if (criterion := _parse_set(text)) is not None]
    if not sets:
        return EVERYTHING
    return sets[0] if len(sets) == 1 else AnyOf(tuple(sets))


def _parse_set(text: str) -> Criterion | None:
    """Statements between commas all hold; a key given twice takes either value."""
    values_by_path: dict[str, list[str]] = {}
    for piece in text.split(","):
        statement = piece.strip()
        if not statement:
            continue
        key, equals, value = statement.partition("=")
        path = key.strip().lower()
        if not path:
            raise Invalid(
                f"Invalid filter, '{statement}' is not a valid statement "
                "(expected a string on the form a=b or a= or a)"
            )
        values = values_by_path.setdefault(path, [])
        check_length(path, "filter: a field")
        check_length(value, f"filter: {path}")
        if equals:
            values.append(value.strip().lower())
    parts = tuple(
        OneOf(path, tuple(values)) if values else Exists(path)
        for path, values in values_by_path.items()
    )
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else AllOf(parts)
