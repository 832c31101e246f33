"""What the scaffolder needs from outside. Adapters are in `store`."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path
from typing import Any, Protocol

from services.scaffolder.model import Initiator, Task, TaskEvent, TaskQuery
from shared.contracts.entity import Entity
from shared.contracts.envelope import Payload
from shared.contracts.errors import CallboardError


class TemplateCatalog(Protocol):
    """The catalog, read with the rights of a run's initiator."""

    async def entity(self, ref: str, initiator: Initiator) -> Entity | None:
        """The entity; None if there is none that the initiator may see."""
        ...

    async def entities(
        self, refs: Sequence[str], initiator: Initiator
    ) -> Sequence[Entity | None]:
        """The entities of several refs, in their order."""
        ...

    async def register(
        self, url: str, initiator: Initiator, *, dry_run: bool = False
    ) -> Sequence[Entity]:
        """Register `url` as a location; its entities. Conflict if it is one already."""
        ...

    async def unreadable(
        self, locations: Sequence[str], initiator: Initiator
    ) -> Collection[str]:
        """The locations where the initiator may not read files."""
        ...


#: Given locations, returns those that the reader may not read.
HiddenLocations = Callable[[Sequence[str]], Awaitable[Collection[str]]]


class TemplateSources(Protocol):
    """Files to copy into a workspace, by URL; relative ones as seen from `base`.

    Links in a repository to `hidden` locations lead to nothing.
    """

    def location(self, url: str, base: str | None) -> str:
        """The location of a source: `url:https://…` or `file:/…`."""
        ...

    async def missing(self, url: str, base: str | None) -> CallboardError:
        """The error of a missing source, made in about the time that a read takes."""
        ...

    async def tree(
        self,
        url: str,
        base: str | None,
        folder: Path,
        *,
        hidden: HiddenLocations | None = None,
    ) -> Sequence[str]:
        """Write the files below `url` into the empty `folder`; notes for the log."""
        ...

    async def file(
        self, url: str, base: str | None, *, hidden: HiddenLocations | None = None
    ) -> bytes:
        """The content of one file."""
        ...


class Repositories(Protocol):
    """Git hosts where a repository can be made."""

    async def create(self, host: str, repository: str, branch: str) -> None:
        """Make an empty repository; Conflict if there is one."""
        ...

    async def head(self, host: str, repository: str, branch: str) -> str | None:
        """The branch's commit, None if there is no such branch yet."""
        ...

    async def push(
        self,
        host: str,
        repository: str,
        branch: str,
        folder: Path,
        *,
        message: str,
        author: tuple[str, str],
    ) -> str:
        """Push the folder as the branch's first commit; the commit's id."""
        ...

    def pages(self, host: str, repository: str, branch: str) -> tuple[str, str]:
        """The pages of the repository, and of the branch's files."""
        ...


class TaskStore(Protocol):
    """Stores runs and their logs; a change and its event are one write."""

    async def create(self, task: Task, change: Payload) -> None:
        """Store a new run."""
        ...

    async def get(self, task_id: str) -> Task | None:
        """The run."""
        ...

    async def find(self, query: TaskQuery) -> tuple[Sequence[Task], int]:
        """A page of runs, and the number of all that match.

        A run with a long spec comes without answers and inputs of steps.
        """
        ...

    async def count_waiting(self, creator: str) -> tuple[int, int]:
        """The number of unclaimed runs: the creator's, and all."""
        ...

    async def claim(
        self,
        task_id: str,
        owner: str,
        *,
        takes_back: bool = False,
        excluded_creators: Collection[str] = (),
    ) -> Task | None:
        """Claim a run that is open or whose lease has run out; None if it is not.

        `takes_back`: also one that this owner claimed before its restart. Runs of
        `excluded_creators` are left to others, or for later.
        """
        ...

    async def left_behind(self, owner: str) -> Sequence[str]:
        """The runs that this owner has claimed: those that a restart interrupted."""
        ...

    async def claimable(
        self, limit: int, excluded_creators: Collection[str] = ()
    ) -> Sequence[str]:
        """The runs to claim, oldest first: open ones, and those whose lease is over."""
        ...

    async def record(self, task: Task, changes: Sequence[Payload]) -> None:
        """Store the state of a claimed run. TakenOver if another process claimed it."""
        ...

    async def heartbeat(self, task: Task) -> bool:
        """Renew the lease of a run; whether its cancellation was requested.

        TakenOver if another process claimed it.
        """
        ...

    async def release(self, task: Task) -> None:
        """End the lease of an unfinished run, so that another process can claim it."""
        ...

    async def request_cancellation(self, task_id: str) -> Task | None:
        """Mark a processing run for cancellation; None if it is not processing."""
        ...

    async def cancel_open(self, task: Task, change: Payload) -> bool:
        """Cancel an unclaimed run; False if it has been claimed."""
        ...

    async def reopen(self, task: Task, change: Payload) -> bool:
        """Store an ended run as open again; False if it has been changed."""
        ...

    async def append(self, events: Sequence[TaskEvent]) -> None:
        """Add lines to a run's log; those that it has stay as they are."""
        ...

    async def events(self, task_id: str, after: int) -> Sequence[TaskEvent]:
        """The log's lines with a greater number."""
        ...

    async def last_number(self, task_id: str) -> int:
        """The number of the log's last line, 0 if there is none."""
        ...


class Vault(Protocol):
    """Encrypts secrets, so that a reader of the store cannot read them."""

    def seal(self, value: Any) -> str:
        """The JSON value, encrypted."""
        ...

    def open(self, sealed: str) -> Any:
        """The value again."""
        ...
