"""Twins of techdocs' ports: a catalog in memory, a Git host in a folder."""

import os
import subprocess
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from services.techdocs.model import CatalogRevision
from services.techdocs.ports import HiddenFiles
from shared.contracts.catalog import Cause, EntityChange, EntityDeleted, EntityUpdated
from shared.contracts.entity import Entity
from shared.contracts.errors import Unavailable
from shared.contracts.gateway import RepositoryPushed
from shared.contracts.ref import ref_of
from shared.kit.http.conditions import permits
from shared.kit.http.service_tokens import Principal

HOST = "git.playhouse.example"
CAUSE = Cause(kind="push")
NOBODY = "0" * 40


class MemoryCatalog:
    """The Catalog port: entities and their revisions."""

    def __init__(self) -> None:
        self.entities: dict[str, tuple[int, dict[str, Any]]] = {}
        self.away = False
        self.lists_nothing = False
        #: The beginnings of addresses that not all readers may read.
        self.closed: set[str] = set()
        #: The same of files in the entities' own sources.
        self.hidden: set[str] = set()
        self.snapshots = 0

    def put(self, entity: Mapping[str, Any], **annotations: str) -> EntityChange:
        """Keep an entity; the event that the catalog would tell."""
        annotated_entity = {**entity, "metadata": {**entity["metadata"]}}
        by_name = annotated_entity["metadata"].get("annotations", {})
        annotated_entity["metadata"]["annotations"] = {**by_name, **annotations}
        ref = str(ref_of(annotated_entity))
        revision = self.entities.get(ref, (0, {}))[0] + 1
        self.entities[ref] = (revision, annotated_entity)
        return EntityUpdated(
            entity_ref=ref,
            revision=revision,
            entity=annotated_entity,
            actor="ann",
            cause=CAUSE,
        )

    def delete(self, ref: str) -> EntityChange:
        revision, entity = self.entities.pop(ref)
        return EntityDeleted(
            entity_ref=ref,
            revision=revision + 1,
            previous=entity,
            actor="ann",
            cause=CAUSE,
        )

    async def entity(self, ref: str) -> Entity | None:
        self._answers()
        stored = self.entities.get(ref)
        return Entity(stored[1]) if stored else None

    async def visible_entity(self, ref: str, reader: Principal) -> Entity | None:
        entity = await self.entity(ref)
        if entity is None or not permits(reader, entity):
            return None
        relations = [
            relation
            for relation in entity.raw.get("relations", ())
            if (target := await self.entity(relation["targetRef"])) is None
            or permits(reader, target)
        ]
        return Entity({**entity.raw, "relations": relations})

    async def closed_locations(
        self, locations: Sequence[str], ref: str
    ) -> Collection[str]:
        self._answers()
        assert ref in self.entities
        return [
            location
            for location in locations
            if any(location.startswith(f"url:{prefix}") for prefix in self.closed)
        ]

    async def hidden_files(self, locations: Sequence[str], ref: str) -> HiddenFiles:
        self._answers()
        assert ref in self.entities
        hidden = (
            location
            for location in locations
            if any(location.startswith(prefix) for prefix in self.hidden)
        )
        sources = {_source_of(location) for location in locations}
        state = sorted(place for place in self.hidden if _source_of(place) in sources)
        return HiddenFiles(frozenset(hidden), " ".join(state))

    async def checksum(self) -> str:
        self._lists()
        return repr(sorted((ref, rev) for ref, (rev, _) in self.entities.items()))

    async def snapshot(self) -> AsyncIterator[CatalogRevision]:
        self._lists()
        self.snapshots += 1
        for ref, (revision, entity) in list(self.entities.items()):
            yield CatalogRevision(ref, revision, Entity(entity))

    def _lists(self) -> None:
        self._answers()
        if self.lists_nothing:
            raise Unavailable("The catalog has no snapshot yet")

    def _answers(self) -> None:
        if self.away:
            raise Unavailable("The catalog does not answer")


def _source_of(location: str) -> str:
    """The repository of a location, or this machine."""
    if location.startswith("file:"):
        return "file:"
    return "/".join(location.split("/")[:4])


class GitHost:
    """Bare repositories in a folder, as an integration of type `local` has them."""

    def __init__(self, root: Path) -> None:
        self.directory = root / "git"
        self.directory.mkdir(parents=True, exist_ok=True)
        self._work = root / "work"

    def commit(
        self, repository: str, files: Mapping[str, str | bytes | None]
    ) -> RepositoryPushed:
        """Commit and push files (None removes one); the event of the push."""
        work = self._clone(repository)
        before = self._git(work, "rev-parse", "--verify", "-q", "HEAD", check=False)
        for name, content in files.items():
            path = work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink()
            elif isinstance(content, bytes):
                path.write_bytes(content)
            else:
                path.write_text(content)
        return self._push(repository, work, before, list(files))

    def link(self, repository: str, name: str, target: str) -> None:
        """Commit and push a symbolic link."""
        work = self._clone(repository)
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).symlink_to(target)
        self._push(repository, work, "", [name])

    def _push(
        self, repository: str, work: Path, before: str, paths: list[str]
    ) -> RepositoryPushed:
        self._git(work, "add", "--all")
        self._git(work, "commit", "-q", "-m", f"Change {', '.join(paths)[:60]}")
        self._git(work, "push", "-q", "origin", "HEAD:main")
        return RepositoryPushed(
            provider="gitea",
            host=HOST,
            repository=repository,
            url=f"https://{HOST}/{repository}",
            ref="refs/heads/main",
            before=before or NOBODY,
            after=self._git(work, "rev-parse", "HEAD"),
            changed_paths=paths,
            pusher="ann",
            delivery=os.urandom(4).hex(),
        )

    def _clone(self, repository: str) -> Path:
        bare, work = self.directory / f"{repository}.git", self._work / repository
        if not bare.exists():
            self._git(None, "init", "-q", "--bare", "-b", "main", str(bare))
            self._git(None, "clone", "-q", str(bare), str(work))
            self._git(work, "checkout", "-q", "-b", "main")
        return work

    @staticmethod
    def _git(work: Path | None, *arguments: str, check: bool = True) -> str:
        identity = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
        done = subprocess.run(
            ["git", *identity, *arguments],
            cwd=work,
            capture_output=True,
            text=True,
            check=check,
            env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"},
        )
        return done.stdout.strip()
