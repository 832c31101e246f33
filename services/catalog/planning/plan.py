"""A plan of changes: frozen, printable, and nothing of it is written yet.

Deletions, moves and problems are small: they name an entity, and compute its new state
once its state is at hand. So a plan for thousands of entities stays small too.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from services.catalog.ingest.candidates import Candidate
from services.catalog.ingest.differences import changed_paths
from services.catalog.model import RootLocation, StatusItemJson, StoredEntity
from services.catalog.planning.changes import move_entity, with_problems
from services.catalog.planning.view import CatalogView
from shared.contracts.catalog import Cause
from shared.contracts.errors import Conflict


@dataclass(frozen=True, slots=True)
class EntityWrite:
    """An entity is created, or becomes what a source describes."""

    candidate: Candidate
    before: StoredEntity | None
    after: StoredEntity

    @property
    def ref(self) -> str:
        """The entity."""
        return self.after.ref

    @property
    def takes_over(self) -> bool:
        """Whether the entity came from another location until now."""
        return (
            self.before is not None
            and self.before.location_key != self.after.location_key
        )

    def __str__(self) -> str:
        if self.before is None:
            return f"create {self.ref} from {self.after.location}"
        if self.takes_over:
            return (
                f"take over {self.ref} from {self.before.location_key} "
                f"to {self.after.location_key}"
            )
        paths = changed_paths(self.before.entity, self.after.entity)
        return f"update {self.ref}: {', '.join(paths) or 'its parents or status'}"


@dataclass(frozen=True, slots=True)
class Move:
    """An entity stays with the Location entities that still emit it."""

    ref: str
    parents: tuple[str, ...]
    cause: Cause

    def after(self, before: StoredEntity, view: CatalogView) -> StoredEntity:
        """The entity under those of the parents that it still has."""
        parents = tuple(parent for parent in before.parents if parent in self.parents)
        first = view.get(parents[0]) if parents else None
        return move_entity(
            before, parents, first.origin if first else before.origin, self.cause
        )

    def __str__(self) -> str:
        return f"move {self.ref} to {', '.join(self.parents)}"


@dataclass(frozen=True, slots=True)
class Deletion:
    """An entity goes: no Location entity emits it any more."""

    ref: str
    cause: Cause

    def after(self, _before: StoredEntity, _view: CatalogView) -> None:
        """Nothing is left of it."""

    def __str__(self) -> str:
        return f"delete {self.ref}"


@dataclass(frozen=True, slots=True)
class StatusChange:
    """The problems in an entity's status change.

    `location` and `origin`: only if it comes from that file, by that root. Rules may
    allow a root less than another.
    """

    ref: str
    items: tuple[StatusItemJson, ...]
    cause: Cause
    location: str | None = None
    origin: str | None = None

    def after(self, before: StoredEntity, _view: CatalogView) -> StoredEntity:
        """The entity with these problems; itself if it is not concerned."""
        if not self.is_needed(before):
            return before
        return with_problems(before, self.items, self.cause)

    def is_needed(self, before: StoredEntity) -> bool:
        """Whether the entity is concerned, and its status differs."""
        if self.location is not None and before.location_key != self.location:
            return False
        if self.origin is not None and before.origin != self.origin:
            return False
        return before.errors != self.items

    def __str__(self) -> str:
        if not self.items:
            return f"clear the problems of {self.ref}"
        messages = "; ".join(str(item["message"]) for item in self.items)
        return f"report on {self.ref}: {messages}"


@dataclass(frozen=True, slots=True)
class NameRefusal:
    """A location does not get an entity that belongs to another one."""

    candidate: Candidate
    error: Conflict

    @property
    def ref(self) -> str:
        """The entity."""
        return self.candidate.ref

    def __str__(self) -> str:
        return f"refuse {self.candidate.location}: {self.error.message}"


@dataclass(frozen=True, slots=True)
class DeletionRefusal:
    """So many entities would go that the source is more likely broken than emptied.

    `parents` are the Location entities that emit them: their targets count as unread.
    """

    error: Conflict
    parents: frozenset[str]

    def __str__(self) -> str:
        return f"refuse {self.error.message}"


Step = Move | Deletion | StatusChange


@dataclass(frozen=True, slots=True)
class IngestionPlan:
    """What one reading, or a part of one, changes. It is written in this order.

    `root` is the location's state after it; None: the state stays.
    """

    writes: tuple[EntityWrite, ...] = ()
    problems: tuple[StatusChange, ...] = ()
    moves: tuple[Move, ...] = ()
    deletions: tuple[Deletion, ...] = ()
    refusals: tuple[NameRefusal, ...] = ()
    deletion_refusal: DeletionRefusal | None = None
    root: RootLocation | None = field(default=None, repr=False)

    @property
    def steps(self) -> Sequence[Step]:
        """What becomes of entities that are there already, in order."""
        return (*self.problems, *self.moves, *self.deletions)

    @property
    def is_empty(self) -> bool:
        """Whether it changes no entity."""
        return not (self.writes or self.problems or self.moves or self.deletions)

    @property
    def gained_edges(self) -> frozenset[tuple[str, str]]:
        """The Location entities that emit what is written, each with the entity."""
        return frozenset(
            (parent, write.ref)
            for write in self.writes
            for parent in write.after.parents
        )

    @property
    def is_removing(self) -> bool:
        """Whether a Location entity lets entities go."""
        return bool(self.moves or self.deletions)

    def caused_by(self, cause: Cause) -> "IngestionPlan":
        """The same, with another cause of what Location entities let go."""
        return replace(
            self,
            moves=tuple(replace(step, cause=cause) for step in self.moves),
            deletions=tuple(replace(step, cause=cause) for step in self.deletions),
        )

    def lines(self) -> Iterator[str]:
        """The plan in words, one line for each change and refusal."""
        parts: Sequence[Sequence[object]] = (
            self.writes,
            self.problems,
            self.moves,
            self.deletions,
            self.refusals,
        )
        for part in parts:
            yield from map(str, part)
        if self.deletion_refusal is not None:
            yield str(self.deletion_refusal)

    def __str__(self) -> str:
        return "\n".join(self.lines()) or "no changes"
