"""A read-only entity: its fields as every service reads them.

An entity is JSON that authors wrote (Backstage, "Descriptor Format of Catalog
Entities"). The catalog checks it; a field of another type than the format's counts as
absent here, so that reading an entity never fails.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.contracts.annotations import RESTRICTED, VISIBILITY
from shared.contracts.ref import DEFAULT_NAMESPACE, EntityRef, canonical_ref, ref_of


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation of an entity: its type, and the ref of the entity that it leads to."""

    type: str
    target_ref: str


@dataclass(frozen=True, slots=True)
class Link:
    """A link of an entity; `title`, `icon` and `type` are "" where it has none."""

    url: str
    title: str
    icon: str
    type: str


@dataclass(frozen=True, slots=True)
class StatusItem:
    """A problem in an entity's status; `error` has its name, message and place."""

    type: str
    level: str
    message: str
    error: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity; `raw` is its whole JSON."""

    raw: Mapping[str, Any]

    @property
    def ref(self) -> EntityRef:
        """Its ref, as written.

        Raises:
            Invalid: if kind or name is missing.
        """
        return ref_of(self.raw)

    @property
    def kind(self) -> str:
        """Its kind, as written."""
        return text_of(self.raw.get("kind"))

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What its envelope says of it."""
        return mapping_of(self.raw.get("metadata"))

    @property
    def spec(self) -> Mapping[str, Any]:
        """What its kind says of it."""
        return mapping_of(self.raw.get("spec"))

    @property
    def name(self) -> str:
        """Its name; "" if it has none."""
        return text_of(self.metadata.get("name"))

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return text_of(self.metadata.get("namespace")) or DEFAULT_NAMESPACE

    @property
    def etag(self) -> str:
        """What changes whenever it does; "" if the catalog gave it none yet."""
        return text_of(self.metadata.get("etag"))

    @property
    def uid(self) -> str:
        """The id that the catalog gave it; "" if none yet."""
        return text_of(self.metadata.get("uid"))

    @property
    def title(self) -> str:
        """Its title; "" if it has none."""
        return text_of(self.metadata.get("title"))

    @property
    def description(self) -> str:
        """Its description; "" if it has none."""
        return text_of(self.metadata.get("description"))

    @property
    def annotations(self) -> Mapping[str, Any]:
        """Its annotations by name."""
        return mapping_of(self.metadata.get("annotations"))

    @property
    def labels(self) -> Mapping[str, Any]:
        """Its labels by name."""
        return mapping_of(self.metadata.get("labels"))

    @property
    def tags(self) -> Sequence[str]:
        """Its tags, in order."""
        return [text_of(tag) for tag in list_of(self.metadata.get("tags"))]

    @property
    def links(self) -> Sequence[Link]:
        """Its links, in order."""
        return [
            Link(
                *(text_of(link.get(name)) for name in ("url", "title", "icon", "type"))
            )
            for link in list_of(self.metadata.get("links"))
            if isinstance(link, Mapping)
        ]

    @property
    def display_name(self) -> str:
        """What people call it: its profile's display name, its title or its name."""
        return text_of(self.profile.get("displayName")) or self.title or self.name

    @property
    def type(self) -> str:
        """`spec.type`; "" if it has none."""
        return text_of(self.spec.get("type"))

    @property
    def lifecycle(self) -> str:
        """`spec.lifecycle`; "" if it has none."""
        return text_of(self.spec.get("lifecycle"))

    @property
    def owner(self) -> str:
        """`spec.owner` as written, which need not be a full ref."""
        return text_of(self.spec.get("owner"))

    @property
    def owners(self) -> frozenset[str]:
        """Canonical refs of its owners: its `ownedBy` relations, else `spec.owner`."""
        refs = frozenset(ref.lower() for ref in self.targets("ownedBy"))
        if refs or not self.owner:
            return refs
        return frozenset({canonical_ref(self.owner, "group", self.namespace)})

    @property
    def profile(self) -> Mapping[str, Any]:
        """`spec.profile` of users and groups."""
        return mapping_of(self.spec.get("profile"))

    @property
    def relations(self) -> Sequence[Relation]:
        """Its relations, where the catalog has added them."""
        return [
            Relation(text_of(relation.get("type")), text_of(relation.get("targetRef")))
            for relation in list_of(self.raw.get("relations"))
            if isinstance(relation, Mapping)
        ]

    @property
    def status_items(self) -> Sequence[StatusItem]:
        """The problems in its status, where the catalog has added them."""
        return [
            StatusItem(
                text_of(item.get("type")),
                text_of(item.get("level")),
                text_of(item.get("message")),
                mapping_of(item.get("error")),
            )
            for item in list_of(mapping_of(self.raw.get("status")).get("items"))
            if isinstance(item, Mapping)
        ]

    @property
    def visibility(self) -> str:
        """What its annotation says of who may see it, in lower case; "" if nothing."""
        return text_of(self.annotations.get(VISIBILITY)).lower()

    @property
    def is_restricted(self) -> bool:
        """Whether its annotation hides it from all but its owners."""
        return self.visibility == RESTRICTED

    def with_metadata(self, **fields: Any) -> "Entity":
        """A copy with other fields in its metadata."""
        return Entity({**self.raw, "metadata": {**self.metadata, **fields}})

    def with_annotations(self, annotations: Mapping[str, str]) -> "Entity":
        """A copy with these annotations beside, or instead of, its own."""
        return self.with_metadata(annotations={**self.annotations, **annotations})

    def with_spec(self, **fields: Any) -> "Entity":
        """A copy with other fields in its spec."""
        return Entity({**self.raw, "spec": {**self.spec, **fields}})

    def targets(self, relation: str) -> Sequence[str]:
        """The refs that relations of one type lead to, in order."""
        return [item.target_ref for item in self.relations if item.type == relation]


def mapping_of(value: Any) -> Mapping[str, Any]:
    """The value, if it is an object; none of its fields otherwise."""
    return value if isinstance(value, Mapping) else {}


def list_of(value: Any) -> Sequence[Any]:
    """The value, if it is a list; empty otherwise."""
    return value if isinstance(value, list | tuple) else ()


def text_of(value: Any) -> str:
    """A text, or a number or boolean as text; "" of anything else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) else ""
