"""Search's words: what is kept in the index, what is asked of it, what it answers.

Documents are Backstage's: `{title, text, location, ...}`. An index keeps each in a
record with what it needs to find, order and hide it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from shared.contracts.entity import Entity

SOFTWARE_CATALOG = "software-catalog"
TECHDOCS = "techdocs"

Document = Mapping[str, Any]
Role = Literal["entity", "site", "section"]


@dataclass(frozen=True, slots=True)
class Version:
    """Which state of an entity a record shows.

    `at` is when that state was told (seconds since 1970): it decides between two lives
    of one ref, an entity that was deleted and one that was created anew.
    """

    uid: str
    revision: int
    at: float = 0.0

    def is_newer_than(self, other: "Version | None") -> bool:
        """Whether this state came after the other."""
        if other is None:
            return True
        if self.uid == other.uid:
            return self.revision > other.revision
        return self.at > other.at


@dataclass(frozen=True, slots=True)
class Facts:
    """What a documentation page inherits from its entity, its policy above all."""

    document: Document
    name: str
    annotations: Mapping[str, str]
    marks: tuple[str, ...]
    weight: float


@dataclass(frozen=True, slots=True)
class PageSection:
    """One section of a documentation page, as the site's own search lists it."""

    path: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class IndexRecord:
    """One entry of the index.

    `marks` are exact tokens that filters and conditions ask for. `keywords` and `about`
    are searched, and shown to nobody. A record that is not `shown` is bookkeeping, or
    waits for its entity. `kept` are JSON values that come back from `kept()`.
    """

    role: Role
    ref: str
    type: str
    shown: bool
    document: Document
    marks: tuple[str, ...] = ()
    keywords: str = ""
    about: str = ""
    weight: float = 1.0
    kept: Mapping[str, Any] = field(default_factory=dict)


def group_of(role: Role, ref: str) -> str:
    """What is replaced as one: an entity's record, a site's, all sections of a site."""
    return f"{role}|{ref}"


@dataclass(frozen=True, slots=True)
class EntityPut:
    """The entity is in this state.

    `replaces`: its owner says so of the state we had, even if this is an older one.
    `operations` are the words of an API's operations, by which it is found too.
    """

    ref: str
    version: Version
    entity: Entity
    replaces: Version | None = None
    operations: str = ""


@dataclass(frozen=True, slots=True)
class EntityGone:
    """The entity was deleted, this being the version of that."""

    ref: str
    version: Version
    replaces: Version | None = None


@dataclass(frozen=True, slots=True)
class SitePut:
    """The site of an entity's documentation, named by its content hash."""

    ref: str
    site: str
    sections: tuple[PageSection, ...]


@dataclass(frozen=True, slots=True)
class SiteGone:
    """There is no documentation of this entity.

    `replaces`: its owner says so of this site alone; another one is left as it is.
    """

    ref: str
    replaces: str | None = None


Change = EntityPut | EntityGone | SitePut | SiteGone


@dataclass(frozen=True, slots=True)
class Sum:
    """How many things somebody holds and the checksum over their versions."""

    count: int
    checksum: str


@dataclass(frozen=True, slots=True)
class Holdings:
    """The versions an index holds at one moment: the living, the dead, the sites."""

    entities: Mapping[str, Version]
    gone: Mapping[str, Version]
    sites: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Hit:
    """One found document, and its fields with the matched words marked."""

    type: str
    ref: str
    document: Document
    highlight: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class HitPage:
    """A page of hits, best first, and how many there are in all."""

    total: int
    hits: tuple[Hit, ...]
