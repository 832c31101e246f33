"""The ports of techdocs: sources, generator, sites, records, catalog."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from services.techdocs.generator.job import Job
from services.techdocs.model import (
    CatalogRevision,
    DocsFolder,
    Documented,
    Exported,
    Generated,
    Outcome,
)
from shared.contracts.docs_sources import DocsSource
from shared.contracts.entity import Entity

Say = Callable[[str], None]


class DocsRights(Protocol):
    """What all readers of some docs may read, by locations (`url:https://…`)."""

    async def closed(self, locations: Sequence[str]) -> Collection[str]:
        """Those of some places that not all of them may read."""
        ...

    async def hidden(self, locations: Sequence[str]) -> Collection[str]:
        """Those of the files of the docs' own source that are hidden from some."""
        ...


@dataclass(frozen=True, slots=True)
class HiddenFiles:
    """Files that not all readers of an entity may read.

    `state` is a text that changes when others of their source may be hidden; "" if none
    of it are.
    """

    locations: frozenset[str]
    state: str


class DocsSources(Protocol):
    """Reads docs from repositories and folders of this machine."""

    def shown_to(self, rights: DocsRights) -> "DocsSources":
        """The same sources, for readers with these rights.

        Links of repositories to closed places lead nowhere, but for those within a
        folder that is read; and hidden files are as good as absent.
        """
        ...

    def locate(self, source: DocsSource) -> DocsFolder:
        """The folder of a source; Invalid if no integration knows its host."""
        ...

    async def settle(self, source: DocsSource) -> DocsFolder:
        """The folder of a source, with the branch from the host if it is not named."""
        ...

    def url(self, source: DocsSource) -> str:
        """The address of a source's folder on its host."""
        ...

    def location(self, place: DocsFolder) -> str:
        """The location of a folder: `url:https://…` or `file:/…`."""
        ...

    async def commit(self, place: DocsFolder) -> str | None:
        """The newest commit, fetched; None for a folder of this machine."""
        ...

    async def read(self, place: DocsFolder, commit: str | None, path: str) -> bytes:
        """One file below the place; NotFound if it is not there."""
        ...

    async def trail(
        self, place: DocsFolder, commit: str | None, paths: Sequence[str]
    ) -> Sequence[str]:
        """The paths in the repository of links to these files, and of their targets."""
        ...

    async def list(
        self, place: DocsFolder, commit: str | None, prefix: str
    ) -> Sequence[str]:
        """The files below `prefix`, relative to the place."""
        ...

    async def export(
        self, place: DocsFolder, commit: str | None, prefix: str, folder: Path
    ) -> Exported:
        """Copy the files below `prefix` into `folder`; NotFound if there is none.

        Links are followed: files stand in their place. Invalid names one that leaves
        the repository, or the place's folder where there is no repository.
        """
        ...

    def link(self, place: DocsFolder, kind: Literal["edit", "blob"]) -> str | None:
        """The address of a file of the place's repository, `{path}` for its path."""
        ...

    def repository_url(self, place: DocsFolder) -> str | None:
        """The page of the place's repository."""
        ...


class Generator(Protocol):
    """Generates a site from prepared sources, in a process of its own."""

    async def warm_up(self) -> None:
        """Start the process, so that the next job need not wait for it."""
        ...

    async def generate(self, job: Job, say: Say) -> Generated:
        """Run one job; Invalid with the reason if it may not or cannot be built."""
        ...


class SiteStore(Protocol):
    """Stores published sites by the hash of their content; they never change."""

    def workspace(self) -> Path:
        """A fresh private folder on the store's own disk."""
        ...

    def discard(self, workspace: Path) -> None:
        """Remove a workspace and everything in it."""
        ...

    def has(self, site: str) -> bool:
        """Whether the site is published; if so, it stays for an hour at least."""
        ...

    def publish(self, site: str, out: Path, record: Path) -> None:
        """Publish a generated site: whole or not at all, also after a crash."""
        ...

    def file(self, site: str, path: str) -> Path | None:
        """A public file of a site; None if there is none, or the path leaves it."""
        ...

    def record(self, site: str, name: str) -> bytes:
        """A file that the generator recorded; NotFound if there is none."""
        ...

    def collect(self, used: set[str], *, older_than: float) -> int:
        """Remove unused sites that are older than so many seconds; how many."""
        ...


class Records(Protocol):
    """The table of documented entities: their fields, sites and due builds."""

    async def get(self, ref: str) -> Documented | None: ...

    async def documented_among(self, refs: Sequence[str]) -> dict[str, Documented]:
        """Those of these entities that are documented."""
        ...

    async def remember(self, record: Documented) -> bool:
        """Store an entity's revision if it is newer; whether it was."""
        ...

    async def forget(self, ref: str, revision: int | None) -> None:
        """Remove the record of an entity that has no docs any more, or is deleted."""
        ...

    async def of_repository(self, key: str) -> list[tuple[Documented, str, str]]:
        """Entities whose docs are in `host/repository`, with ref and folder.

        Case does not count.
        """
        ...

    async def built_from(self, key: str) -> list[str]:
        """The entities with a site that was made from `host/repository`.

        Their docs may be elsewhere now. Case does not count.
        """
        ...

    async def on_this_machine(self) -> list[str]:
        """The entities whose docs are in folders of this machine.

        It looks at all entities with docs.
        """
        ...

    async def ask(
        self, refs: Sequence[str], due: int, *, rights_changed: bool = False
    ) -> None:
        """Make a check of these entities' sources due.

        `rights_changed`: not because of the sources, but of who may read them. They
        are due once more some seconds later, as not all processes of the catalog know
        of it at once.
        """
        ...

    async def claim(self) -> Documented | None:
        """Claim what is due first; no other process gets it while the lease lasts."""
        ...

    async def renew(self, ref: str) -> bool:
        """Renew the lease of a claim; whether it is still this process' claim."""
        ...

    async def finish(self, record: Documented, outcome: Outcome) -> bool:
        """Store an outcome and its event in one write; whether the claim held."""
        ...

    async def with_changed_rights(self) -> list[Documented]:
        """The entities with a site whose source others may read than before."""
        ...

    async def take_down(self, record: Documented) -> None:
        """Withdraw an entity's site, with an event, unless it has another one now.

        What is due stays so, and a build that is under way goes on.
        """
        ...

    async def postpone(self, record: Documented, seconds: float) -> None:
        """Release a claim, due again in so many seconds."""
        ...

    async def located(self, ref: str, place: DocsFolder | None) -> None:
        """Store where the docs of an entity are."""
        ...

    def each(self) -> AsyncIterator[Documented]:
        """Every documented entity."""
        ...

    def listed(self) -> AsyncIterator[Documented]:
        """The entities with docs of their own: the latest built first, then others."""
        ...

    async def failed(self, limit: int) -> list[Documented]:
        """Those whose latest build failed, the last first."""
        ...

    async def published(self) -> list[tuple[str, str]]:
        """Every entity with a site, and the site's hash."""
        ...

    async def used_sites(self) -> set[str]:
        """The hashes of all current and retained sites."""
        ...

    async def purge(self) -> None:
        """Drop removed records whose events are published."""
        ...

    async def stale(self, before: datetime) -> list[str]:
        """The entities whose source was last checked before this moment."""
        ...


class DocsCatalog(Protocol):
    """The catalog, which owns entities."""

    async def entity(self, ref: str) -> Entity | None:
        """The entity as it is now, relations both ways; None if there is none."""
        ...

    async def closed_locations(
        self, locations: Sequence[str], ref: str
    ) -> Collection[str]:
        """The locations where not everybody who may see an entity may read."""
        ...

    async def hidden_files(self, locations: Sequence[str], ref: str) -> HiddenFiles:
        """The files of an entity's own source that are hidden from some of its readers.

        A file that belongs to nothing in the catalog is the entity's own here; for
        `closed_locations` it is closed.
        """
        ...

    async def checksum(self) -> str:
        """A text that changes with every change of an entity."""
        ...

    def snapshot(self) -> AsyncIterator[CatalogRevision]:
        """Every entity as it is now."""
        ...
