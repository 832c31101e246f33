"""Limits the open requests of a subject; a live stream is one while it lasts."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from services.gateway.model import Identity
from shared.contracts.errors import TooMany

#: Factor of a guest's or service's limit, because many people share the subject.
SHARED_FACTOR = 8


class OpenRequests:
    """Counts open requests by subject, and refuses one too many."""

    def __init__(self, per_user: int) -> None:
        self._per_user = per_user
        self._open: Counter[str] = Counter()

    def check(self, identity: Identity) -> None:
        """Check that the subject may open another request.

        Raises:
            TooMany: if too many are open.
        """
        is_shared = identity.is_guest or identity.is_service
        limit = self._per_user * (SHARED_FACTOR if is_shared else 1)
        if self._open[identity.subject] >= limit:
            raise TooMany(
                f"You have {limit} requests open; close some, then try again",
                retry_after=5,
            )

    @contextmanager
    def hold(self, identity: Identity) -> Iterator[None]:
        """Count a request as open while the context lasts.

        Raises:
            TooMany: if too many are open.
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
