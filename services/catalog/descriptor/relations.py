"""The relations that an entity declares, read from its spec by the kinds' tables.

The declaring entity stores a relation with both of its names; the read model shows it
at the target. Targets need not exist.
"""

from services.catalog.descriptor.kinds import Kind, RelationRule, references
from services.catalog.model import StoredRelation
from shared.contracts.entity import Entity


def relations_of(entity: Entity, kind: Kind) -> tuple[StoredRelation, ...]:
    """What a valid entity of a kind declares, sorted by type and target."""
    relations: set[StoredRelation] = set()
    for _, rule, text in references(entity, kind):
        relation = _relation(text, rule, entity.namespace)
        if relation is not None:
            relations.add(relation)
    return tuple(sorted(relations, key=lambda item: (item.type, item.target)))


def _relation(text: str, rule: RelationRule, namespace: str) -> StoredRelation | None:
    """One relation; None for a text that parses but can be no ref (`a:b:c/d/e`)."""
    ref = rule.parse(text, namespace)
    if ":" in ref.namespace or "/" in ref.name or ":" in ref.name:
        return None
    return StoredRelation(rule.type, str(ref), rule.inverse)
