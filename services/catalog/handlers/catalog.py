"""What all handlers share: the ports, what this process knows, who asks for what."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from services.catalog.handlers.catalog_state import CatalogState
from services.catalog.handlers.effort import Effort, RestingRoots
from services.catalog.handlers.plan_writer import PlanWriter
from services.catalog.handlers.root_follower import RootFollower
from services.catalog.handlers.source_rights import SourceReader, SourceRights
from services.catalog.ingest.rules import Rules
from services.catalog.model import RepositoryPath, RootLocation
from services.catalog.ports import (
    DefinitionStore,
    DescriptorSources,
    EntityStore,
    RootLocationStore,
)
from shared.contracts.catalog import Cause, CauseKind

ITSELF = "service:catalog"


@dataclass(frozen=True, slots=True)
class CommandContext:
    """Who wants something, and why; a reading completes the cause with the commit.

    `reader`: on whose behalf sources are read for it; None: on nobody's.
    """

    actor: str
    cause: Cause
    reader: SourceReader | None = None


def context_for(
    kind: CauseKind, actor: str = ITSELF, reader: SourceReader | None = None
) -> CommandContext:
    """The context of a command of which nothing is known but who and why."""
    return CommandContext(actor, Cause(kind=kind), reader)


@dataclass(frozen=True, slots=True)
class CatalogContext:
    """The ports that the handlers share, and what this process knows."""

    store: EntityStore
    roots: RootLocationStore
    definitions: DefinitionStore
    sources: DescriptorSources
    state: CatalogState
    rules: Rules
    locks: dict[str, asyncio.Lock] = field(default_factory=dict)
    #: The names of roots that were made here and not read yet, by their source.
    unread_roots: dict[RepositoryPath, str] = field(default_factory=dict)
    #: Expensive readings take turns; those that were too expensive rest.
    turns: asyncio.Lock = field(default_factory=asyncio.Lock)
    resting_roots: RestingRoots = field(default_factory=RestingRoots)
    #: Called after every write: the outbox has something to say.
    on_write: Callable[[], None] = lambda: None
    #: Entered around every reading of a root: it is a span of a trace.
    traced: Callable[[RootLocation], AbstractContextManager[object]] = nullcontext
    rights: SourceRights = field(init=False)
    root_follower: RootFollower = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rights", SourceRights(self.state, self.sources))
        follower = RootFollower(self.roots, self.state)
        object.__setattr__(self, "root_follower", follower)

    def effort(self, label: str) -> Effort:
        """What one reading may cost; `label` names its source in errors."""
        return Effort(label, self.turns)

    def writer(self, actor: str) -> PlanWriter:
        """Where plans are applied that are made from now on."""
        return PlanWriter(self.store, self.roots, self.state, self.root_follower, actor)

    def lock(self, root: RootLocation) -> asyncio.Lock:
        """One reading of a root at a time in this process."""
        return self.locks.setdefault(root.name, asyncio.Lock())

    def source_lock(self, source: RepositoryPath) -> asyncio.Lock:
        """One root at a time is made for the files of a repository."""
        return self.locks.setdefault(f"source {source.key}", asyncio.Lock())
