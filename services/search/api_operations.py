"""Adds the words of their operations to APIs, from the definitions in the catalog."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from services.search.model import Change, EntityUpsert
from services.search.ports import Owners

#: Definitions of one question to the catalog.
AT_ONCE = 20


async def with_operations(owners: Owners, changes: Sequence[Change]) -> list[Change]:
    """The changes, with the operations of APIs added.

    Raises:
        Unavailable: if the catalog does not answer.
    """
    enriched = list(changes)
    specs = {
        number: spec
        for number, change in enumerate(enriched)
        if isinstance(change, EntityUpsert) and (spec := _defined(change)) is not None
    }
    numbers = list(specs)
    for start in range(0, len(numbers), AT_ONCE):
        part = numbers[start : start + AT_ONCE]
        words = await owners.operations([specs[number] for number in part])
        for number, text in zip(part, words, strict=True):
            change = enriched[number]
            if isinstance(change, EntityUpsert):
                enriched[number] = replace(change, operations=text)
    return enriched


def _defined(change: EntityUpsert) -> Mapping[str, object] | None:
    """The type and definition of an API; None for what has none."""
    spec = change.entity.spec
    if change.entity.kind.lower() != "api" or not spec.get("definition"):
        return None
    return {"type": spec.get("type"), "definition": spec["definition"]}
