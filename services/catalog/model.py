"""The types of the catalog: stored entities, relations, locations, revisions.

Not the wire format: that is `shared.contracts` and, for clients, Backstage's JSON.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from shared.contracts.catalog import Cause
from shared.contracts.entity import Entity
from shared.contracts.errors import Invalid
from shared.guards.foreign_paths import REF_PARTS

EntityJson = Mapping[str, Any]
"""An entity as JSON, where `Entity` does not fit: not checked yet, or cut to fields."""

StatusItemJson = Mapping[str, Any]
"""A problem as it stands in an entity's `status.items`."""

CauseJson = Mapping[str, Any]
"""A `Cause` as it stands in an event, without the fields that are null."""


class StoredRelation(NamedTuple):
    """One declared relation; it is stored once, with the entity that declares it.

    `type` points from the declaring entity to `target` (a canonical entity ref),
    `inverse` is what the target shows of it: ownedBy / ownerOf.
    """

    type: str
    target: str
    inverse: str


@dataclass(frozen=True, slots=True)
class StoredEntity:
    """An entity as the store keeps it and the read model serves it.

    `entity` is complete but for `relations` and `status`, which are derived when it
    is read: from the adjacency, and from `errors`. `revision` counts this entity's
    changes from 1. `location` is the ref of the location that provides it
    (`url:https://…`), `location_key` what may update it (first registrant wins).
    """

    ref: str
    uid: str
    revision: int
    entity: Entity
    relations: tuple[StoredRelation, ...]
    location: str
    origin: str
    location_key: str
    created: datetime
    updated: datetime
    cause: Cause
    errors: tuple[StatusItemJson, ...] = ()
    parents: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class LocationRef:
    """Where descriptors lie: `url:https://…` or `file:/…`."""

    type: str
    target: str

    def __str__(self) -> str:
        return f"{self.type}:{self.target}"

    @property
    def entity_name(self) -> str:
        """The name of the Location entity that stands for this location.

        The rule (`generated-` and the SHA-1 of the ref) is Backstage's; clients compute
        it too.
        """
        digest = hashlib.sha1(str(self).encode(), usedforsecurity=False).hexdigest()
        return f"generated-{digest}"

    @property
    def entity_ref(self) -> str:
        """The canonical ref of that Location entity."""
        return f"location:default/{self.entity_name}"


def parse_location(text: str) -> LocationRef:
    """The location that `text` means: its type ends at the first colon.

    Raises:
        Invalid: if it has no type or target, or is an address without its type.
    """
    kind, colon, target = text.partition(":")
    if not colon or not kind.strip() or not target.strip():
        raise Invalid(
            f"location: {text!r} is not <type>:<target>, e.g. url:https://host/path"
        )
    if kind in {"http", "https"}:
        raise Invalid(f"location: {text!r} needs a type: prefix it with url:")
    if target.strip().lower().startswith("javascript:"):
        raise Invalid("location: a javascript: target is not allowed")
    return LocationRef(kind.strip(), target.strip())


#: A branch of a repository, and a path on it.
BranchPath = tuple[str, str]


@dataclass(frozen=True, slots=True)
class RepositoryPath:
    """A path in a repository, as a push names it; `branch` "" is the default one.

    `folds_case`: its host has one repository under all spellings of its name.
    `is_open`: where the branch ends is not known, and `branch` is its first part.
    """

    host: str
    repository: str
    branch: str
    path: str
    folds_case: bool = False
    is_open: bool = field(default=False, compare=False)

    @property
    def key(self) -> str:
        """What pushes are matched by, and what names the source."""
        name = self.repository.lower() if self.folds_case else self.repository
        return f"{self.host.lower()}/{name}"

    @property
    def folder(self) -> str:
        """The folder that the path is in; "" at the top."""
        return self.path.rpartition("/")[0]

    @property
    def root(self) -> "RepositoryPath":
        """The whole repository, at this branch."""
        return replace(self, path="")

    def readings(self) -> Iterator["RepositoryPath"]:
        """Each place that may be meant, the longest branch first."""
        names = f"{self.branch}/{self.path}".split("/") if self.is_open else []
        for end in range(min(len(names), REF_PARTS), 1, -1):
            branch, path = "/".join(names[:end]), "/".join(names[end:])
            yield replace(self, branch=branch, path=path, is_open=False)
        yield self

    @property
    def on_branch(self) -> BranchPath:
        """What tells the files of one repository apart."""
        return self.branch, self.path

    @property
    def text(self) -> str:
        """The path as text; "" outside of a repository."""
        if not self.repository:
            return ""
        return f"{self.host}/{self.repository}#{self.branch}:{self.path}"


#: A target of a Location entity: the entity's ref, and the location that it names.
TargetKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class LinkedFile:
    """Where the content of a target lies that is a link, or below one."""

    location: str
    place: RepositoryPath


@dataclass(frozen=True, slots=True)
class FileState:
    """What a root knows of one target that it read: enough to skip it unchanged.

    `parent` is the Location entity that names the target, `digest` covers the file and
    everything included by placeholders; None: it could not be read or had errors, so
    that it is never skipped. `errors` are the items for the parent's status.
    `linked` is where the links lead that `place` is, or is below. `was_admitted`: the
    location may read the target, or might once; a target that was only ever refused to
    it has a state as well.
    """

    parent: str
    location: str
    digest: str | None
    etag: str | None = None
    place: RepositoryPath | None = None
    includes: tuple[RepositoryPath, ...] = ()
    errors: tuple[StatusItemJson, ...] = ()
    linked: LinkedFile | None = None
    was_admitted: bool = True

    @property
    def places(self) -> tuple[RepositoryPath, ...]:
        """Everything in Git that this target was made of."""
        return (self.place, *self.includes) if self.place else self.includes

    @property
    def source(self) -> str:
        """The repository that a target is in; of another, its location."""
        return self.place.key if self.place else self.location

    @property
    def content_locations(self) -> tuple[str, ...]:
        """Where the target's file is, and its content, if links lead there."""
        if self.linked is None:
            return (self.location,)
        return self.location, self.linked.location

    @property
    def included_paths(self) -> tuple[str, ...]:
        """The paths that it includes from its own repository."""
        paths = {
            place.path: None for place in self.includes if place.key == self.source
        }
        return tuple(paths)


@dataclass(frozen=True, slots=True)
class ClosedFile:
    """A file that an entity came from, or should have, which not everybody may see.

    It stays closed if the entity goes: an author who moves, empties or breaks a file
    does not mean to publish what lies around it. `entity` is what tells who may see it;
    None: only who may see everything. `commit` is one at which the file was there.
    `includes` are the paths in its repository that it was made of, too. `is_copy`: it
    is an old version, which stays closed while its entity is restricted, although that
    comes from another file of its source.
    """

    location: str
    place: RepositoryPath | None = None
    entity: EntityJson | None = None
    commit: str = ""
    includes: tuple[str, ...] = ()
    is_copy: bool = False

    @property
    def entity_ref(self) -> str | None:
        """The entity that the file is closed for, by whatever name that is noted."""
        return str(Entity(self.entity).ref) if self.entity else None

    @property
    def is_whole_source(self) -> bool:
        """Whether it stands for all files of its repository."""
        return self.place is not None and not self.place.path

    @property
    def source(self) -> str:
        """The repository that the file is in; of another, its location."""
        return self.place.key if self.place else self.location


#: What names a root: a person's registration, or the configuration.
REGISTERED, CONFIG = "registered", "config"


@dataclass(frozen=True, slots=True)
class RootLocation:
    """A location that was registered, configured or discovered.

    `providers` are what names it: `registered`, `config`, `git:<provider>`; a root
    without any is deleted. `id` is the registration's uuid, `registrant` who registered
    it. `settled` is false until the first whole reading is stored: after a crash before
    that, the next start finishes it. `version` counts writes, by which concurrent
    writers notice each other. `source` is the file of a repository that it was made
    for: a file has one root, however its address is written. `closed` are its closed
    files, by the refs of their entities; of a document that became none, by the
    location.
    """

    location: LocationRef
    providers: frozenset[str]
    created: datetime
    id: str | None = None
    files: Mapping[TargetKey, FileState] = field(default_factory=dict)
    settled: bool = False
    rules: str = ""
    version: int = 0
    registrant: str = ""
    source: str = ""
    closed: Mapping[str, ClosedFile] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The key it is stored under: the name of its Location entity."""
        return self.location.entity_name

    @property
    def is_by_operator(self) -> bool:
        """Whether it is configured or discovered, not only somebody's registration."""
        return bool(self.providers - {REGISTERED})

    @property
    def keys(self) -> set[str]:
        """The repositories that it was read from, and those of its closed files."""
        return {place.key for place in self.places}

    @property
    def places(self) -> Iterator[RepositoryPath]:
        """All places in Git that it was read from, and those of its closed files."""
        for file in self.closed.values():
            if file.place is not None:
                yield file.place
        for state in self.files.values():
            yield from state.places


@dataclass(frozen=True, slots=True)
class StoredChange:
    """One entity's step from what it was to what it is; None: absent.

    The store gives the new state its revision.
    """

    ref: str
    before: StoredEntity | None
    after: StoredEntity | None
    actor: str
    cause: Cause


@dataclass(frozen=True, slots=True)
class EntityRevision:
    """One entry of an entity's history; `entity` is None where it was deleted."""

    revision: int
    at: datetime
    actor: str
    cause: Cause
    changed: tuple[str, ...]
    entity: Entity | None
