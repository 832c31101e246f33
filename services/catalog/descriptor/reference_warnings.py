"""Refs that the catalog takes although they can lead to no entity of their relation.

Backstage takes them as well. `callboard validate` warns of them.
"""

from collections.abc import Iterator

from services.catalog.descriptor import fields
from services.catalog.descriptor.kinds import (
    Kind,
    RelationRule,
    built_in_kinds,
    limited,
    references,
)
from shared.contracts.entity import Entity
from shared.contracts.errors import Invalid
from shared.contracts.ref import EntityRef, quoted

#: The kinds of an owner, beside the one that a ref without a kind means.
_OWNERS = ("User",)


def reference_warnings(entity: Entity, kind: Kind) -> list[str]:
    """Why refs of an entity lead nowhere, each as `field: rule`.

    Those that cannot be understood are errors, which `kinds.problems` names. The entity
    has its lists in the order of its descriptor, so that the numbers fit.
    """
    return limited(list(_warnings(entity, kind)))


def _warnings(entity: Entity, kind: Kind) -> Iterator[str]:
    is_built_in = built_in_kinds().get(kind.name) is kind
    for path, rule, text in references(entity, kind):
        try:
            ref = rule.parse(text, entity.namespace) if isinstance(text, str) else None
        except Invalid:
            continue
        if ref is None:
            continue
        problem = _format_problem(ref, entity.namespace)
        if problem is not None:
            yield f"{path}: {quoted(text)} leads to no entity: {problem}"
        elif is_built_in and (problem := _kind_problem(ref, rule)):
            yield f"{path}: {quoted(text)} {problem}"


def _format_problem(ref: EntityRef, own_namespace: str) -> str | None:
    """Why no entity can have this ref. Refs have no case, so namespaces have none.

    The namespace of the entity itself is for its own check.
    """
    for part, rule, text in (
        ("kind", fields.KIND, ref.kind),
        ("namespace", fields.NAMESPACE, ref.namespace.lower()),
        ("name", fields.NAME, ref.name),
    ):
        is_own = part == "namespace" and ref.namespace == own_namespace
        problem = None if is_own else rule.problem(text)
        if problem is not None:
            return f"its {part} {problem}"
    return None


def _kind_problem(ref: EntityRef, rule: RelationRule) -> str | None:
    """That a relation never has a built-in kind; own kinds may be in any relation."""
    if rule.kind is None:
        return None
    right_kinds = [rule.kind, *(_OWNERS if rule.type == "ownedBy" else ())]
    named_kind = next(
        (name for name in built_in_kinds() if name.lower() == ref.kind.lower()), None
    )
    if named_kind is None or named_kind in right_kinds:
        return None
    return f"names the kind {named_kind}, where {' or '.join(right_kinds)} is expected"
