"""The relations that an entity declares, read from its spec by the kinds' tables.

The declaring entity stores a relation with both of its names; the read model shows it
at the target. Targets need not exist.
"""

from services.catalog.descriptor.kinds import Kind, RelationRule
from services.catalog.model import StoredRelation
from shared.contracts.entity import Entity
from shared.contracts.errors import Invalid
from shared.contracts.ref import parse_ref


def relations_of(entity: Entity, kind: Kind) -> tuple[StoredRelation, ...]:
    """What a valid entity of a kind declares, sorted by type and target.

    Raises:
        Invalid: naming the field, if a ref cannot be understood.
    """
    spec, namespace = entity.spec, entity.namespace
    relations: set[StoredRelation] = set()
    for name, rule in kind.relations.items():
        value = spec.get(name)
        if value is None:
            continue
        for text in value if isinstance(value, list) else [value]:
            relation = _relation(text, rule, namespace, f"spec.{name}")
            if relation is not None:
                relations.add(relation)
    return tuple(sorted(relations, key=lambda item: (item.type, item.target)))


def _relation(
    text: str, rule: RelationRule, namespace: str, path: str
) -> StoredRelation | None:
    """One relation; None for a text that parses but can be no ref (`a:b:c/d/e`)."""
    try:
        ref = parse_ref(text, default_kind=rule.kind, default_namespace=namespace)
    except Invalid as error:
        raise Invalid(f"{path}: {error.message}") from error
    if ":" in ref.namespace or "/" in ref.name or ":" in ref.name:
        return None
    return StoredRelation(rule.type, str(ref), rule.inverse)
