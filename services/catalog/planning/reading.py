"""What planning takes: the targets of a location as they were read."""

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from services.catalog.ingest.candidates import Candidate
from services.catalog.ingest.refusals import Refusal
from services.catalog.model import (
    ClosedFile,
    FileState,
    LocationRef,
    RootLocation,
    TargetKey,
)
from shared.contracts.catalog import Cause
from shared.contracts.errors import CallboardError


@dataclass(frozen=True, slots=True)
class Target:
    """One target of a Location entity, still to be read."""

    parent: str
    location: LocationRef
    optional: bool = False
    error: CallboardError | None = None
    #: The file that names it; None: it is the root's own target.
    origin: LocationRef | None = None

    @property
    def key(self) -> TargetKey:
        """What its state is stored under."""
        return self.parent, str(self.location)


@dataclass(frozen=True, slots=True)
class TargetReading:
    """The result of reading a target.

    `is_unchanged`: the file is as at the last reading. `is_missing`: there certainly is
    no such file (any more). With any other `error`, what was read before stays. `cause`
    is why its entities change, with the commit that it was read at; None: nothing
    changes.
    """

    target: Target
    state: FileState
    candidates: Sequence[Candidate] = ()
    refusals: Sequence[Refusal] = ()
    error: CallboardError | None = None
    is_unchanged: bool = False
    is_missing: bool = False
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class NamedTargets:
    """The targets that each Location entity names which was read whole.

    `uncertain` are Location entities of which not all targets are known now: what they
    named before stays. `passed_over` are those whose names other files had, each with
    the target that it is in.
    """

    keys: Mapping[str, Collection[TargetKey]] = field(default_factory=dict)
    uncertain: Collection[str] = ()
    passed_over: Mapping[str, TargetKey] = field(default_factory=dict)

    def includes(self, key: TargetKey) -> bool:
        """Whether a target still counts: it is named, or not all targets are known."""
        names = self.keys.get(key[0])
        return names is None or key in names or key[0] in self.uncertain


class LocationReading(Protocol):
    """One reading of a location, or of some of its targets."""

    @property
    def root(self) -> RootLocation:
        """The location with its state after the reading before."""

    @property
    def own_entity(self) -> Candidate:
        """The Location entity that stands for the location itself."""

    @property
    def is_whole(self) -> bool:
        """Whether all of it is read, not only some targets."""

    @property
    def cause(self) -> Cause:
        """Why it is read."""

    @property
    def rules(self) -> str:
        """The fingerprint of the rules that it is read under."""

    def slices(self) -> AsyncGenerator[Sequence[TargetReading], None]:
        """Its targets, some at a time: all of them may not fit into memory."""

    def named(self) -> NamedTargets:
        """What Location entities name now; complete once all slices are read."""

    async def copies(
        self, file: ClosedFile, *, same: bool = False
    ) -> Sequence[ClosedFile]:
        """Where a closed file is now, and what was made of it, as far as is known.

        `same`: only what has its content as it was.
        """

    async def removal_cause(self, cause: Cause) -> Cause:
        """The cause of what the location no longer names, with its commit."""
