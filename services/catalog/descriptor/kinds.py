"""Kinds of entities as data: a JSON Schema of the spec and a table of relations each.

A kind is one file. The nine built-in ones (`builtin_kinds/`) follow Backstage's
(catalog-model kinds, scaffolder-common's Template).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.catalog.descriptor.spec_schema import SpecSchema
from shared.contracts.entity import Entity
from shared.contracts.errors import Invalid
from shared.guards.yaml_text import load_yaml

BUILT_IN = Path(__file__).with_name("builtin_kinds")


class RelationRule(BaseModel):
    """What a field's refs mean; `kind` None: each ref must name its kind itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str
    inverse: str
    kind: str | None = None


class KindDescription(BaseModel):
    """The content of a kind's file: its apiVersions, and the fields of its spec."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    versions: frozenset[str]
    spec: Mapping[str, Any] = Field(alias="schema")
    relations: Mapping[str, RelationRule]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind that entities may be of."""

    name: str
    versions: frozenset[str]
    spec: SpecSchema
    relations: Mapping[str, RelationRule]


def read_kind(text: bytes | str, label: str) -> Kind:
    """The kind that a file describes.

    Raises:
        Invalid: naming the field, and the rule it breaks.
    """
    content = load_yaml(text, label=label)
    try:
        described = KindDescription.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "document"
        raise Invalid(f"{label}: {field}: {first['msg']}") from error
    spec = SpecSchema(described.spec, f"{label}: schema")
    return Kind(described.kind, described.versions, spec, described.relations)


@cache
def built_in_kinds() -> Mapping[str, Kind]:
    """The nine kinds by name, read once."""
    files = sorted(BUILT_IN.glob("*.yaml"))
    kinds = (read_kind(file.read_bytes(), file.name) for file in files)
    return {kind.name: kind for kind in kinds}


def problems(entity: Entity) -> list[str]:
    """What breaks the rules of the entity's kind, each as `field: rule`."""
    kind, version = built_in_kinds().get(entity.kind), entity.raw["apiVersion"]
    if kind is None or version not in kind.versions:
        named = f"{entity.kind!r} with the apiVersion {version!r}"
        return [f"kind: nothing here knows {named}"]
    if entity.raw.get("spec") is None:
        return ["spec: is required"]
    return kind.spec.problems(entity.spec)


def in_order(entity: Entity) -> Entity:
    """A valid entity with its lists of refs sorted: their order has no meaning."""
    lists = {
        name: sorted(refs)
        for name in built_in_kinds()[entity.kind].relations
        if isinstance(refs := entity.spec.get(name), list)
    }
    return entity.with_spec(**lists)
