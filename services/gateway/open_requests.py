"""How many requests somebody has open: a live stream is one for as long as it lasts."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from services.gateway.model import Identity
from shared.contracts.errors import TooMany

#: A guest or a service is many people at once.
SHARED = 8


class OpenRequests:
    """Counts open requests by subject, and refuses one too many."""

    def __init__(self, per_user: int) -> None:
        self._per_user = per_user
        self._open: Counter[str] = Counter()

    def check(self, identity: Identity) -> None:
        """Refuse another request of somebody who has too many open.

        Raises:
            TooMany: then.
        """
        is_shared = identity.is_guest or identity.is_service
        limit = self._per_user * (SHARED if is_shared else 1)
        if self._open[identity.subject] >= limit:
            raise TooMany(
                f"You have {limit} requests open; close some, then try again",
                retry_after=5,
            )

    @contextmanager
    def hold(self, identity: Identity) -> Iterator[None]:
        """Within, one more is open.

        Raises:
            TooMany: if that is one too many.
        """
        self.check(identity)
        subject = identity.subject
        self._open[subject] += 1
        try:
            yield
        finally:
            self._open[subject] -= 1
            if not self._open[subject]:
                del self._open[subject]
