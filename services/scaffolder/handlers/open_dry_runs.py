"""How many dry runs are under way at once: each has a folder, and its author waits."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from services.scaffolder.model import Initiator
from shared.contracts.errors import TooMany

MOST_PER_CREATOR, MOST_TOGETHER = 4, 16
RETRY_SECONDS = 5


class OpenDryRuns:
    """Counts the dry runs of one process, and refuses one too many."""

    def __init__(self) -> None:
        self._by_creator: Counter[str] = Counter()

    @contextmanager
    def hold(self, creator: Initiator) -> Iterator[None]:
        """Count a dry run as under way while the context lasts.

        Raises:
            TooMany: if too many are under way, of this creator or of all.
        """
        if self._by_creator[creator.ref] >= MOST_PER_CREATOR:
            raise TooMany(
                f"{MOST_PER_CREATOR} dry runs of {creator.ref} are under way, which "
                "is the limit: wait until one of them has ended, then try again",
                retry_after=RETRY_SECONDS,
            )
        if self._by_creator.total() >= MOST_TOGETHER:
            raise TooMany(
                f"{MOST_TOGETHER} dry runs are under way, which is the limit of all "
                "together: wait until one of them has ended, then try again",
                retry_after=RETRY_SECONDS,
            )
        self._by_creator[creator.ref] += 1
        try:
            yield
        finally:
            self._by_creator[creator.ref] -= 1
            # Without those that have none.
            self._by_creator = +self._by_creator
