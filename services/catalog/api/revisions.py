"""Which revision an answer reflects, and waiting for one: read your writes.

`Callboard-Revision` is on an answer, `Callboard-At-Least` on a request. The request
waits for a revision of this process; for another replica's, the store is queried.
"""

from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from services.catalog.handlers.state_follower import StateFollower
from services.catalog.readmodel import ReadModel
from shared.contracts.errors import Invalid, Unavailable
from shared.contracts.headers import AT_LEAST, REVISION
from shared.kit.http.bodies import BoundedRoute

WAIT_SECONDS = 5.0
PROCESSES = 64
NAME_LENGTH = 32


class FollowedRevisions:
    """The revision of each other process up to which this one has caught up."""

    def __init__(self) -> None:
        self._numbers: OrderedDict[str, int] = OrderedDict()

    def holds(self, process: str, number: int) -> bool:
        return self._numbers.get(process, -1) >= number

    def note(self, process: str, number: int) -> None:
        self._numbers[process] = max(number, self._numbers.get(process, -1))
        self._numbers.move_to_end(process)
        if len(self._numbers) > PROCESSES:
            self._numbers.popitem(last=False)


async def reach(request: Request) -> None:
    """Wait until this process shows the revision that the request asks for.

    Raises:
        Invalid: if the header is no revision.
        Unavailable: if that revision does not come: rather no answer than an old one.
    """
    revision = request.headers.get(AT_LEAST)
    if revision is None:
        return
    number, process = _parse_revision(revision)
    model: ReadModel = request.app.state.readmodel
    if process in ("", model.revision.process):
        if not await model.revision.reached(number, seconds=WAIT_SECONDS):
            raise Unavailable(f"The catalog has not reached revision {revision}")
        return
    state = request.app.state
    follower: StateFollower | None = getattr(state, "follower", None)
    if follower is None:
        raise Unavailable(f"The catalog has not reached revision {revision}")
    followed: FollowedRevisions | None = getattr(state, "followed_revisions", None)
    if followed is None:
        followed = state.followed_revisions = FollowedRevisions()
    if not followed.holds(process, number):
        await follower.catch_up()
        followed.note(process, number)


def _parse_revision(text: str) -> tuple[int, str]:
    number, _, process = text.partition("-")
    if not (number.isascii() and number.isdecimal()) or len(number) > 18:
        raise Invalid(f"{AT_LEAST}: must be a revision, as an answer named it")
    if (process and not process.isalnum()) or len(process) > NAME_LENGTH:
        raise Invalid(f"{AT_LEAST}: must be a revision, as an answer named it")
    return int(number), process


class CatalogRoute(BoundedRoute):
    """A route whose answers name the revision that they reflect.

    Its bodies are JSON, whatever their content type: `curl -d` calls them forms.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_and_mark(request: Request) -> Response:
            await reach(request)
            response = await handle(Request(_as_json(request.scope), request.receive))
            response.headers[REVISION] = str(request.app.state.readmodel.revision)
            return response

        return handle_and_mark


def _as_json(scope: Scope) -> Scope:
    headers = [pair for pair in scope["headers"] if pair[0] != b"content-type"]
    return {**scope, "headers": [*headers, (b"content-type", b"application/json")]}
