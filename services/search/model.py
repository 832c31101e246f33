"""Search's model: records of the index, changes to it, and hits.

Documents are Backstage's: `{title, text, location, ...}`. The index stores each
document in a record, with the data to search, sort and hide it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from shared.contracts.entity import Entity

SOFTWARE_CATALOG = "software-catalog"
TECHDOCS = "techdocs"

Document = Mapping[str, Any]
#: The values that a record stores besides its document: facts, a version or a site.
StoredValues = Mapping[str, Any]
Role = Literal["entity", "site", "section"]


@dataclass(frozen=True, slots=True)
class Version:
    """The version of an entity that a record shows.

    `at` is the time of its event (seconds since 1970). It orders versions with
    different uids, if an entity was deleted and created again with the same ref.
    """

    uid: str
    revision: int
    at: float = 0.0

    def is_newer_than(self, other: "Version | None") -> bool:
        """Whether this version is newer than the other."""
        if other is None:
            return True
        if self.uid == other.uid:
            return self.revision > other.revision
        return self.at > other.at


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of an entity that its documentation inherits, such as marks."""

    document: Document
    name: str
    annotations: Mapping[str, str]
    marks: tuple[str, ...]
    weight: float


@dataclass(frozen=True, slots=True)
class PageSection:
    """One section of a documentation page, from the site's MkDocs search index."""

    path: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class IndexRecord:
    """One entry of the index.

    `marks` are exact tokens for filters and conditions. `keywords` and `about` are
    searched but not returned. A record that is not `shown` stores a version only, or
    waits for its entity. `kept` are JSON values that `stored_values()` returns.
    """

    role: Role
    ref: str
    type: str
    is_visible: bool
    document: Document
    marks: tuple[str, ...] = ()
    keywords: str = ""
    about: str = ""
    weight: float = 1.0
    stored_values: StoredValues = field(default_factory=dict)


def group_of(role: Role, ref: str) -> str:
    """The key of records that are replaced together, such as all sections of a site."""
    return f"{role}|{ref}"


@dataclass(frozen=True, slots=True)
class EntityUpsert:
    """Index this version of an entity.

    With `replaces`, it replaces this indexed version even if it is older, because the
    catalog's snapshot has it. `operations` are the searched words of an API's
    operations.
    """

    ref: str
    version: Version
    entity: Entity
    replaces: Version | None = None
    operations: str = ""


@dataclass(frozen=True, slots=True)
class EntityRemoval:
    """Remove an entity from the index; `version` is the version of its deletion."""

    ref: str
    version: Version
    replaces: Version | None = None


@dataclass(frozen=True, slots=True)
class SiteUpsert:
    """Index the site of an entity's documentation; `site` is its content hash."""

    ref: str
    site: str
    sections: tuple[PageSection, ...]


@dataclass(frozen=True, slots=True)
class SiteRemoval:
    """Remove an entity's documentation from the index.

    With `replaces`, only this site is removed; another site stays.
    """

    ref: str
    replaces: str | None = None


Change = EntityUpsert | EntityRemoval | SiteUpsert | SiteRemoval


@dataclass(frozen=True, slots=True)
class Checksum:
    """The number of objects and the checksum of their versions."""

    count: int
    checksum: str


@dataclass(frozen=True, slots=True)
class IndexedVersions:
    """The versions in an index at one moment: entities, tombstones and sites."""

    entities: Mapping[str, Version]
    tombstones: Mapping[str, Version]
    sites: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Hit:
    """One matching document, and its fields with the matches marked."""

    type: str
    ref: str
    document: Document
    highlight: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class HitPage:
    """A page of hits, best first, and the total number of hits."""

    total: int
    hits: tuple[Hit, ...]
