"""The catalog's events: an entity was created, updated or deleted.

Topic `entity-changed`, key = canonical entity ref, so one entity's history stays in
order. Only the entity that declares a relation publishes its change, in
`relations_added` and `relations_removed`; the target publishes nothing.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.envelope import Payload
from shared.contracts.topics import ENTITY_CHANGED

#: So many characters of the names and descriptions of an API's operations are indexed.
SEARCHED_CHARACTERS = 100_000

#: Parts of a changed path that are looked up one by one, so that a long one costs
#: little.
LOOKED_UP_PARTS = 64

CauseKind = Literal[
    "registration", "push", "refresh", "scan", "delete", "template-run", "config"
]


class Cause(BaseModel):
    """Why an entity changed: the kind of cause, its location, and the commit."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: CauseKind
    location: str | None = None
    repository: str | None = None
    commit: str | None = None
    subject: str | None = Field(
        default=None, description="first line of the commit's message"
    )
    author: str | None = None
    changed_at: datetime | None = None


class RelationTarget(BaseModel):
    """One declared relation: its type and the canonical ref of its target."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: str
    targetRef: str  # noqa: N815 - Backstage's name in entities


class EntityChange(Payload):
    """The fields that the three events share.

    `entity` is the document after the change, with uid, etag and the relations that it
    declares; it is None after a deletion, and `previous` is then the last document.
    `changed` lists dotted paths. `actor` is an entity ref, or a name from a Git host.
    `spec.definition` of an API is the object `{"$definition": hash, "bytes": n}` if the
    text is longer than 16,384 bytes; the catalog's API answers with the text.
    """

    TOPIC: ClassVar[str] = ENTITY_CHANGED

    entity_ref: str
    revision: int = Field(ge=1)
    entity: dict[str, Any] | None = None
    previous: dict[str, Any] | None = None
    changed: list[str] = Field(default_factory=list)
    relations_added: list[RelationTarget] = Field(default_factory=list)
    relations_removed: list[RelationTarget] = Field(default_factory=list)
    actor: str
    cause: Cause


class EntityCreated(EntityChange):
    """A new entity is in the catalog."""

    TYPE: ClassVar[str] = "callboard.entity.created.v1"


class EntityUpdated(EntityChange):
    """An entity's document, relations or errors changed."""

    TYPE: ClassVar[str] = "callboard.entity.updated.v1"


class EntityDeleted(EntityChange):
    """An entity is no longer in the catalog."""

    TYPE: ClassVar[str] = "callboard.entity.deleted.v1"


def remaining_paths(paths: Iterable[str], entity: Mapping[str, Any]) -> list[str]:
    """The changed paths as far as they exist in a state of the entity, each once.

    Of a removed field only the field around it is left. A reader of this state need not
    be one of the state before, whose fields may have been restricted.
    """
    existing = (_existing_part(path, entity) for path in paths)
    return list(dict.fromkeys(path for path in existing if path))


def _existing_part(path: str, entity: Mapping[str, Any]) -> str:
    names, start = path.split(".", LOOKED_UP_PARTS), 0
    fields: Any = entity
    for end in range(1, len(names) + 1):
        # A name may hold dots itself.
        name = ".".join(names[start:end])
        if isinstance(fields, Mapping) and name in fields:
            fields, start = fields[name], end
    return ".".join(names[:start])
