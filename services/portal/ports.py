"""What the portal needs from outside: the public API."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from services.portal.model import ApiAnswer, Visitor

Params = Mapping[str, Any] | Sequence[tuple[str, Any]]


class Api(Protocol):
    """The public API, as any program may call it."""

    async def call(
        self,
        visitor: Visitor | None,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: Any = None,
        is_secondary: bool = False,
    ) -> ApiAnswer:
        """What `METHOD path?params` answers to `visitor`; None sends no token.

        `path` begins with `/api/`. An API that does not answer raises nothing: the
        answer has the status 503. A read is secondary if its page can be shown without
        the answer: it ends sooner.
        """
        ...
