"""What the catalog says: an entity was created, updated or deleted.

Topic `entity-changed`, key = canonical entity ref, so one entity's history stays in
order. Relations of a kind that others see in reverse are told once, by the entity that
declares them: listen to `relations_added` and `relations_removed` of the sources.
"""

from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.envelope import Payload
from shared.contracts.topics import ENTITY_CHANGED

#: So much of what names and describes an API's operations is searched.
SEARCHED_CHARACTERS = 100_000

CauseKind = Literal[
    "registration", "push", "refresh", "scan", "delete", "template-run", "config"
]


class Cause(BaseModel):
    """Why an entity changed: what happened, where, and by which commit of whom."""

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
    """One declared relation: its type and the canonical ref it points to."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: str
    targetRef: str  # noqa: N815 - Backstage's name in entities


class EntityChange(Payload):
    """What is common to the three facts.

    `entity` is the document after the change, with uid and etag and with the relations
    it declares itself; None once deleted, when `previous` is the last one. `changed`
    are dotted paths. `actor` is an entity ref or the name that a Git host gave.
    `spec.definition` of an API is the object `{"$definition": hash, "bytes": n}` where
    the text is longer than 16,384 bytes; the catalog's API answers with the text.
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
    """An entity is in the catalog that was not there before."""

    TYPE: ClassVar[str] = "callboard.entity.created.v1"


class EntityUpdated(EntityChange):
    """An entity's document, relations or errors changed."""

    TYPE: ClassVar[str] = "callboard.entity.updated.v1"


class EntityDeleted(EntityChange):
    """An entity is no longer in the catalog."""

    TYPE: ClassVar[str] = "callboard.entity.deleted.v1"
