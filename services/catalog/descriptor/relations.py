"""The relations that an entity declares, read from its spec by the kinds' tables.

Kept once, on the declaring entity, with both names; what others see in reverse comes
from the read model. Targets need not exist.
"""

from services.catalog.descriptor.kinds import KINDS, Relates
from services.catalog.model import StoredRelation
from shared.contracts.entity import Entity
from shared.contracts.errors import Invalid
from shared.contracts.ref import parse_ref


def relations_of(entity: Entity) -> tuple[StoredRelation, ...]:
    """What a valid entity declares, sorted by type and target.

    Raises:
        Invalid: naming the field, if a ref cannot be understood.
    """
    spec, namespace = entity.spec, entity.namespace
    found: set[StoredRelation] = set()
    for name, rule in KINDS[entity.kind].fields_of(spec).items():
        value = spec.get(name)
        if rule.relates is None or value is None:
            continue
        for text in value if isinstance(value, list) else [value]:
            relation = _relation(text, rule.relates, namespace, f"spec.{name}")
            if relation is not None:
                found.add(relation)
    return tuple(sorted(found, key=lambda item: (item.type, item.target)))


def _relation(
    text: str, relates: Relates, namespace: str, where: str
) -> StoredRelation | None:
    """One relation; None for what parses but can be nobody's ref (`a:b:c/d/e`)."""
    try:
        ref = parse_ref(text, default_kind=relates.kind, default_namespace=namespace)
    except Invalid as error:
        raise Invalid(f"{where}: {error.message}") from error
    if ":" in ref.namespace or "/" in ref.name or ":" in ref.name:
        return None
    return StoredRelation(relates.type, str(ref), relates.inverse)
