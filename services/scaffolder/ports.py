"""What the scaffolder needs from outside. Adapters are in `store`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from services.scaffolder.model import Initiator, Task, TaskEvent, TaskQuery
from shared.contracts.entity import Entity
from shared.contracts.envelope import Payload
from shared.contracts.errors import CallboardError


class TemplateCatalog(Protocol):
    """The catalog, asked with the identity of whom a run acts for."""

    async def entity(self, ref: str, asker: Initiator) -> Entity | None:
        """The entity, or None if there is none that the asker may see."""
        ...

    async def entities(
        self, refs: Sequence[str], asker: Initiator
    ) -> Sequence[Entity | None]:
        """The same for several, in the order asked."""
        ...

    async def register(
        self, url: str, asker: Initiator, *, dry_run: bool = False
    ) -> Sequence[Entity]:
        """Make `url` a location; the entities found there. Conflict if it is one."""
        ...

    async def is_readable(self, location: str, asker: Initiator) -> bool:
        """Whether files at a location may be read on behalf of the asker."""
        ...


class TemplateSources(Protocol):
    """Files to copy into a workspace, by URL; relative ones as seen from `base`."""

    def location(self, url: str, base: str | None) -> str:
        """The location that is meant: `url:https://…` or `file:/…`."""
        ...

    async def missing(self, url: str, base: str | None) -> CallboardError:
        """The error of a source that is not there, and it takes about as long."""
        ...

    async def tree(self, url: str, base: str | None, folder: Path) -> Sequence[str]:
        """Write the files below `url` into the empty `folder`; notes for the log."""
        ...

    async def file(self, url: str, base: str | None) -> bytes:
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
    """Runs and their logs. What changes a run tells it in the same write."""

    async def create(self, task: Task, said: Payload) -> None:
        """Keep a new run."""
        ...

    async def get(self, task_id: str) -> Task | None:
        """The run."""
        ...

    async def find(self, query: TaskQuery) -> tuple[Sequence[Task], int]:
        """A page of runs, and how many there are altogether.

        Of runs with a long spec it has no answers and no inputs of steps.
        """
        ...

    async def count_waiting(self, creator: str) -> tuple[int, int]:
        """How many runs nobody took yet: the creator's, and all."""
        ...

    async def claim(
        self, task_id: str, owner: str, *, takes_back: bool = False
    ) -> Task | None:
        """Take a run that is open or whose holder is gone; None if it is not.

        `takes_back`: also one that this owner itself holds, from before a restart.
        """
        ...

    async def left_behind(self, owner: str) -> Sequence[str]:
        """The runs that this owner holds: after a restart, those it was working on."""
        ...

    async def claimable(self, limit: int) -> Sequence[str]:
        """Runs to claim, the oldest first: open ones, and those left by a crash."""
        ...

    async def record(self, task: Task, said: Sequence[Payload]) -> None:
        """Keep how far a claimed run is. TakenOver if another process has it."""
        ...

    async def heartbeat(self, task: Task) -> bool:
        """Say that the run is alive; whether somebody asked to cancel it.

        TakenOver if another process has it.
        """
        ...

    async def release(self, task: Task) -> None:
        """Give an unfinished run back, for another process to claim at once."""
        ...

    async def ask_to_cancel(self, task_id: str) -> Task | None:
        """Mark a processing run as to be cancelled; None if it is not processing."""
        ...

    async def cancel_open(self, task: Task, said: Payload) -> bool:
        """End a run that nobody took yet; False if somebody did meanwhile."""
        ...

    async def reopen(self, task: Task, said: Payload) -> bool:
        """Keep an ended run as open again; False if it changed meanwhile."""
        ...

    async def append(self, events: Sequence[TaskEvent]) -> None:
        """Add lines to a run's log; those already there are left alone."""
        ...

    async def events(self, task_id: str, after: int) -> Sequence[TaskEvent]:
        """The log's lines with a greater number."""
        ...

    async def last_number(self, task_id: str) -> int:
        """The number of the log's last line, 0 if there is none."""
        ...


class Vault(Protocol):
    """Keeps secrets unreadable for whoever reads the store."""

    def seal(self, value: Any) -> str:
        """The JSON value, encrypted."""
        ...

    def open(self, sealed: str) -> Any:
        """The value again."""
        ...
