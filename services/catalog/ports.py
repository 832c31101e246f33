"""What the catalog needs from outside, one sentence per method."""

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from services.catalog.model import (
    EntityRevision,
    LinkedFile,
    LocationRef,
    RepositoryPath,
    RootLocation,
    StoredChange,
    StoredEntity,
)
from shared.contracts.catalog import Cause
from shared.contracts.errors import CallboardError, Invalid, NotFound
from shared.guards.workers import run_beside


class UnknownCommit(Invalid):
    """There is no such repository or branch, as far as the portal's token shows."""


class FolderInPlace(CallboardError):
    """A folder is where a file is to be read; `reason` says so without the advice."""

    def __init__(self, reason: str, advice: str = "") -> None:
        super().__init__(f"{reason}: {advice}" if advice else reason)
        self.reason = reason


class FolderAtPath(FolderInPlace, Invalid):
    """A folder of this machine."""


class FolderAtAddress(FolderInPlace, NotFound):
    """A folder of a repository."""


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """A file as it was read; `digest` is that of its bytes, `place` None outside Git.

    `links` are the places of the links that lead to the file, and its own place, which
    is that of `linked`.
    `is_unchanged`: the file still has the etag that the reader sent; no body then.
    """

    body: bytes
    digest: str
    etag: str | None = None
    place: RepositoryPath | None = None
    is_unchanged: bool = False
    links: tuple[RepositoryPath, ...] = ()
    linked: LinkedFile | None = None


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What a batch of changes came to: new states, deleted refs, and lost ones.

    Lost: another process changed that entity meanwhile.
    """

    stored: Sequence[StoredEntity]
    deleted: Sequence[str]
    lost: Sequence[str]


@dataclass(frozen=True, slots=True)
class RootChanges:
    """The versions of roots that were stored since a moment, and names of removed ones.

    One that was removed may have been made again.
    """

    versions: Mapping[str, int]
    removed: frozenset[str]


#: Given paths of a repository, returns those that the reader may not read.
HiddenPaths = Callable[[Sequence[str]], Awaitable[Collection[str]]]

#: Calls a function with arguments beside the loop.
Compute = Callable[..., Awaitable[Any]]


class SourceSnapshot(Protocol):
    """A view of the sources in which each repository stays at one commit."""

    async def read(
        self,
        location: LocationRef,
        etag: str | None = None,
        *,
        hidden_paths: HiddenPaths | None = None,
    ) -> FetchedFile:
        """The file at a location; NotFound, Forbidden, Invalid, TooLarge otherwise.

        With `hidden_paths`, a link to a hidden place in a repository leads to nothing.
        """

    async def matching(
        self, location: LocationRef, compute: Compute = run_beside
    ) -> Sequence[LocationRef]:
        """The files that a pattern means; any other location is itself.

        `compute` does what takes time beside the loop.
        """

    async def named(
        self, location: LocationRef, filename: str
    ) -> Sequence[LocationRef]:
        """The files of that name in a location's repository; none outside Git."""

    async def with_commit(self, location: LocationRef, cause: Cause) -> Cause:
        """The cause, with the commit that the location was read at, if there is one."""

    async def renamed(
        self, location: LocationRef, since: str, *, same: bool = False
    ) -> tuple[str, Sequence[LocationRef]]:
        """The commit of a location's repository, and where its file is since another.

        That is the location itself, unless it was renamed, and what was copied of it
        (`same`: with its content as it was); nothing more if `since` is "".
        """

    def place(self, location: LocationRef) -> RepositoryPath | None:
        """Where in Git a location lies; None outside Git."""

    def links(self, location: LocationRef) -> Mapping[str, str]:
        """The annotations that lead to the file's pages (view, edit, source)."""

    def resolve(
        self, base: LocationRef, target: str, kind: str | None = None
    ) -> LocationRef:
        """A target as a Location entity at `base` means it; Invalid if it must not."""

    def included(self, base: LocationRef, target: str) -> LocationRef:
        """The file that a placeholder at `base` means; in Git: of its repository."""


class DescriptorSources(Protocol):
    """Where descriptors come from."""

    def reading(self, origin: LocationRef | None = None) -> SourceSnapshot:
        """A new view; files may lie below the folder of `origin`."""

    def source(self, location: LocationRef) -> RepositoryPath:
        """Where a location lies, whatever it is: its `key` names the source.

        Different spellings of one place are equal. Outside Git the host is the source.
        """

    def folds_case(self, host: str) -> bool:
        """Whether a host has one repository under all spellings of its name."""

    async def missing(self, location: LocationRef) -> CallboardError:
        """The error of a missing source, after about the same time as a reading."""

    async def repositories(self, host: str) -> Mapping[str, str] | None:
        """The default branch of each repository of a Git host, by name.

        None if the host cannot list them.
        """

    async def default_branch(self, host: str, repository: str) -> str:
        """The default branch of a repository.

        Raises:
            NotFound: if there is no such repository, or it has no commit there.
            Unavailable: if the host does not answer.
        """

    def descriptor(
        self, host: str, repository: str, branch: str, path: str
    ) -> LocationRef:
        """The location of a file in a repository of a configured host."""


class EntityStore(Protocol):
    """Entities with their revisions; a write carries its event (the outbox)."""

    def every(self) -> AsyncIterator[Sequence[StoredEntity]]:
        """All entities that are not deleted, in batches."""

    async def load(self, refs: Sequence[str]) -> Mapping[str, StoredEntity]:
        """The entities with these refs, without those that are not there."""

    async def versions(self, moments: Sequence[datetime] = ()) -> Mapping[str, int]:
        """Every entity's revision by ref, without deleted ones.

        The query is divided at these moments, which ascend: one for everything would
        keep others waiting.
        """

    async def changed_since(self, moment: datetime) -> Mapping[str, int]:
        """The revisions written since a moment, by ref; 0 for a deleted entity."""

    async def write(self, changes: Sequence[StoredChange]) -> WriteResult:
        """Apply each change whose `before` is still what is stored."""

    async def history(
        self, ref: str, *, limit: int, before: int | None = None
    ) -> tuple[Sequence[EntityRevision], int]:
        """Revisions, newest first, below `before`; and how many there are in all."""


class DefinitionStore(Protocol):
    """Long API definitions by the hash of their text, each stored once."""

    async def put(self, name: str, text: str) -> None:
        """Store a text under its hash before an entity refers to it."""

    async def texts(self, names: Sequence[str]) -> Mapping[str, str]:
        """The texts with these hashes, without those that are not there."""

    async def operations(self, name: str, kind: str) -> str | None:
        """The words of a text's operations, if they were extracted before."""

    async def remember_operations(self, name: str, kind: str, words: str) -> None:
        """Keep the words of a text's operations beside it."""


class RevisionLog(Protocol):
    """The events of past changes."""

    async def events(
        self, revisions: Sequence[tuple[str, int]]
    ) -> Mapping[tuple[str, int], str]:
        """The event (its JSON) of each (ref, revision) that is stored."""


class RootLocationStore(Protocol):
    """The roots: registered, configured and discovered locations."""

    async def every(self) -> Sequence[RootLocation]:
        """All of them."""

    async def load(self, names: Sequence[str]) -> Sequence[RootLocation]:
        """Those with these names."""

    async def of_source(self, source: str) -> RootLocation | None:
        """The root that was made for a source (`RootLocation.source`)."""

    async def changed_since(self, moment: datetime) -> RootChanges:
        """What was stored or removed since a moment, by its stamp."""

    async def put(self, root: RootLocation) -> RootLocation | None:
        """Store the next version of a root; None if another process was faster.

        It was also faster if it made a root for the same source.
        """

    async def remove(self, root: RootLocation) -> bool:
        """Forget a root; False if another process changed or removed it since."""


class Entities(Protocol):
    """The read model, as the write side needs it."""

    def get(self, ref: str) -> StoredEntity | None:
        """The entity with this canonical ref."""

    def put_many(self, entities: Iterable[StoredEntity]) -> object:
        """Show these states from now on."""

    def drop(self, ref: str) -> object:
        """Show it no longer."""

    def has_value(self, ref: str, path: str, value: str) -> bool:
        """Whether an entity has a value at a path, both in lower case."""
