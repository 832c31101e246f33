"""Limits the open requests of a subject, and apart from them its live streams.

Many guests share one subject. One of them leaves room for the others: a sign-in has a
user's limit, and a client address at most as many as are left for all other guests.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from starlette.types import Scope

from services.gateway.model import Identity
from shared.contracts.errors import TooMany

#: Factor of a guest's or service's limit, because many people share the subject.
SHARED_FACTOR = 8

Kind = Literal["requests", "streams"]
#: What is counted: a kind, "subject", "session" or "address", and which one.
Key = tuple[Kind, str, str]


class OpenRequests:
    """Counts open requests and streams, and refuses one too many.

    `client` returns the client's address of a request.
    """

    def __init__(self, per_user: int, client: Callable[[Scope], str]) -> None:
        self._per_user = per_user
        self._client = client
        self._open: Counter[Key] = Counter()

    def client(self, scope: Scope) -> str:
        """The address by which the client of a request is counted."""
        return self._client(scope)

    def check(self, identity: Identity, scope: Scope, kind: Kind = "requests") -> None:
        """Check that the caller may open another request.

        Raises:
            TooMany: if too many are open.
        """
        self._checked(identity, scope, kind)

    @contextmanager
    def hold(
        self, identity: Identity, scope: Scope, kind: Kind = "requests"
    ) -> Iterator[None]:
        """Count a request as open while the context lasts.

        Raises:
            TooMany: if too many are open.
        """
        keys = self._checked(identity, scope, kind)
        self._open.update(keys)
        try:
            yield
        finally:
            self._open.subtract(keys)
            for key in keys:
                if not self._open[key]:
                    del self._open[key]

    def _checked(self, identity: Identity, scope: Scope, kind: Kind) -> list[Key]:
        """What the request is counted by."""
        is_shared = identity.is_guest or identity.is_service
        limit = self._per_user * (SHARED_FACTOR if is_shared else 1)
        subject: Key = (kind, "subject", identity.subject)
        limits = {subject: limit}
        if identity.is_guest and not identity.by_service:
            free = limit - self._open[subject]
            limits[kind, "address", self._client(scope)] = free
            limits[kind, "session", identity.session] = self._per_user
        for key, most in limits.items():
            if self._open[key] >= most:
                owner = "Guests" if key[1] == "address" else "You"
                raise TooMany(
                    f"{owner} have too many {kind} open ({self._open[key]}); close "
                    "some, then try again",
                    retry_after=5,
                )
        return list(limits)
