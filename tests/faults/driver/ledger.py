"""What was asked of the portal and what it acknowledged: the claim to be proven."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Registered:
    """A location of the driver, and what must stand in the catalog because of it."""

    target: str
    refs: tuple[str, ...]
    text: str
    repository: str
    path: str
    id: str | None = None
    #: True once the deletion was acknowledged.
    deleted: bool = False
    #: A change that the portal was asked for, whose answer never came.
    unsure: bool = False


@dataclass(slots=True)
class Pushed:
    """A repository of the driver: the text that its last commit gave its entities."""

    name: str
    refs: tuple[str, ...]
    text: str = ""
    has_docs: bool = False
    #: What the last commit that touched its documentation wrote there.
    docs: str = ""


@dataclass(slots=True)
class Ledger:
    """Everything acknowledged, by kind; several workers write it."""

    operations: Counter[tuple[str, str]] = field(default_factory=Counter)
    pushed: dict[str, Pushed] = field(default_factory=dict)
    registered: list[Registered] = field(default_factory=list)
    #: Task id -> the repository that the run makes.
    runs: dict[str, str] = field(default_factory=dict)
    planted: set[str] = field(default_factory=set)
    #: Broken promises, in words: seen while running, or at the end.
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Change something that other workers change too."""
        with self._lock:
            yield

    def count(self, kind: str, outcome: str) -> None:
        """One operation ended in this way."""
        with self._lock:
            self.operations[kind, outcome] += 1

    def lose(self, message: str) -> None:
        """Something that was acknowledged is not there."""
        with self._lock:
            self.lost.append(message)

    def wonder(self, message: str) -> None:
        """Something that no fault excuses, though nothing is lost by it."""
        with self._lock:
            self.odd.append(message)

    def total(self, outcome: str | None = None) -> int:
        """How many operations there were, of one outcome or of all."""
        counts = self.operations.items()
        return sum(n for (_, end), n in counts if outcome in (None, end))
