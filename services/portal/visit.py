"""One reader's visit of one page: the reader, the API under their name, the answer.

Pages take `visit: Visiting` and never touch cookies or headers themselves.
"""

import asyncio
import functools
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ParamSpec, TypeVar, cast
from urllib.parse import quote

from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from services.portal.api_paths import BY_REFS, entity_path
from services.portal.definitions import DefinitionReader
from services.portal.entities import Summary, summarize
from services.portal.entity_loader import EntityLoader
from services.portal.frame import Crumb, Frame, Person
from services.portal.model import ApiAnswer, Visitor, visitor_of
from services.portal.people import People
from services.portal.ports import Api, Params
from services.portal.preferences import DisplayPreferences
from services.portal.reader_turns import ReaderTurns
from shared.contracts.entity import Entity
from shared.contracts.errors import (
    CallboardError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
    Unsupported,
)
from shared.contracts.headers import CLIENT, POSITION, STALE

P = ParamSpec("P")
Result = TypeVar("Result")

ERRORS: dict[int, type[CallboardError]] = {
    kind.status: kind
    for kind in (
        Invalid,
        Unauthenticated,
        Forbidden,
        NotFound,
        Conflict,
        TooLarge,
        TooMany,
        Unsupported,
        Unavailable,
    )
}
PREFETCHED_SECONDS = 5
SUMMARY_FIELDS = [
    "kind",
    "metadata.name",
    "metadata.namespace",
    "metadata.title",
    "metadata.description",
    "spec.type",
    "spec.lifecycle",
    "spec.profile",
    "spec.target",
]


@dataclass(frozen=True, slots=True)
class PortalState:
    """What all visits share."""

    api: Api
    frame: Frame
    people: People
    definitions: DefinitionReader
    #: Whether the configuration allows files of the portal's machine as locations.
    file_locations: bool = False
    #: Whether the policy decides; without it guests may do all that people may.
    is_policy_enabled: bool = True
    #: The types of the configured Git hosts by their names.
    host_types: Mapping[str, str] = field(default_factory=dict)
    turns: ReaderTurns = field(default_factory=ReaderTurns)


@dataclass(slots=True)
class Visit:
    """A page's way to the API, under the reader's identity, and to its answer."""

    request: Request
    visitor: Visitor
    state: PortalState
    person: Person
    preferences: DisplayPreferences = field(default_factory=DisplayPreferences)
    #: The position of the event stream before anything was read: the page follows on.
    since: str = ""
    #: How many seconds old the answers may be, as their headers say.
    stale: int = 0
    loader: EntityLoader = field(init=False)

    def __post_init__(self) -> None:
        self.loader = EntityLoader(functools.partial(self.post, BY_REFS))

    @property
    def partial(self) -> str:
        """The id of the part that htmx will swap; "" for a whole page."""
        headers = self.request.headers
        target_id = headers.get("hx-target", "") if headers.get("hx-request") else ""
        return "" if headers.get("hx-history-restore-request") else target_id

    @property
    def address(self) -> str:
        """Path and query of this page."""
        return address_of(self.request)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: Any = None,
        is_secondary: bool = False,
    ) -> ApiAnswer:
        """What the public API answers, also if that is an error.

        `is_secondary`: the page can be shown without the answer, and waits less for it.
        """
        answer = await self.state.api.call(
            self.visitor,
            method,
            path,
            params=params,
            json=json,
            is_secondary=is_secondary,
        )
        seconds = answer.headers.get(STALE, "")
        self.stale = max(self.stale, int(seconds) if seconds.isdecimal() else 0)
        return answer

    async def run_in_turn(
        self, function: Callable[P, Result], *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        """Run bounded work beside the event loop, one piece of a reader's at a time.

        Raises:
            TooMany: if too much of the reader's work waits already.
        """
        return await self.state.turns.run(self.visitor, function, *args, **kwargs)

    async def get(self, path: str, params: Params | None = None) -> Any:
        """The JSON at an API path.

        Raises:
            CallboardError: of the kind that the API answered with.
        """
        return json_of(await self.ask("GET", path, params=params))

    async def post(self, path: str, json: Any, params: Params | None = None) -> Any:
        """The JSON that an API path answers to a POST. Raises as `get`."""
        return json_of(await self.ask("POST", path, params=params, json=json))

    async def summaries(self, refs: Iterable[str]) -> dict[str, Summary]:
        """Name and address of each ref; what the reader may not see is missing."""
        unique_refs = list(dict.fromkeys(ref.lower() for ref in refs))
        entities = await self.entities(unique_refs, SUMMARY_FIELDS)
        return {ref: summarize(ref, entities.get(ref)) for ref in unique_refs}

    async def entity(self, ref: str) -> Entity:
        """The whole entity of a ref. Raises as `get`."""
        return Entity(await self.get(entity_path(ref)))

    async def entities(
        self, refs: Collection[str], fields: Iterable[str]
    ) -> dict[str, Entity]:
        """What the reader may see of canonical refs, with at least these fields.

        Parts of the page that ask at the same time ask together. Raises as `get`.
        """
        return await self.loader.load(refs, fields) if refs else {}

    def page(
        self,
        template: str,
        /,
        *,
        title: str,
        nav: str = "",
        crumbs: Sequence[tuple[str, str]] = (),
        status: int = 200,
        block: str | None = None,
        **values: Any,
    ) -> Response:
        """The page in its frame, or the one block of it that htmx asked for.

        `crumbs` are (label, address) pairs before the page's own title.
        """
        trail = (*(Crumb(label, href) for label, href in crumbs), Crumb(title))
        html = self.state.frame.render(
            template,
            {
                **values,
                "title": title,
                "nav": nav,
                "crumbs": trail,
                "since": self.since,
                "stale": self.stale,
            },
            path=self.address,
            person=self.person,
            preferences=self.preferences,
            block=block,
        )
        response = self.state.frame.response(html, status)
        if self.request.headers.get("x-purpose") == "prefetch" and status == 200:
            response.headers["cache-control"] = f"private, max-age={PREFETCHED_SECONDS}"
        return response

    def go(self, address: str) -> Response:
        """Redirects to another page after a change."""
        return redirect(self.request, address)


def address_of(request: Request) -> str:
    """Path and query of a request."""
    url = request.url
    return f"{url.path}?{url.query}" if url.query else url.path


def redirect(request: Request, address: str) -> Response:
    """A redirect by GET: 303, or `HX-Redirect` for htmx."""
    if request.headers.get("hx-request"):
        return Response(status_code=204, headers={"hx-redirect": address})
    return RedirectResponse(address, 303)


def json_of(answer: ApiAnswer) -> Any:
    """The JSON of a good answer. Raises the matching error of a bad one."""
    if answer.ok:
        return answer.json()
    raise ERRORS.get(answer.status, CallboardError)(answer.error)


async def visit_of(request: Request) -> Visit:
    """The visit of the reader who sent a request.

    Raises:
        Unauthenticated: if nobody is signed in; the error page offers to.
    """
    state = state_of(request)
    visitor = visitor_of(
        request.headers.get("authorization"), request.headers.get(CLIENT, "")
    )
    if visitor is None:
        raise Unauthenticated("Missing credentials")
    person = await state.people.person(visitor)
    preferences = DisplayPreferences.of(request.headers.get("cookie"))
    since = request.headers.get(POSITION, "")
    visit = Visit(request, visitor, state, person, preferences, since)
    request.state.visit = visit  # an error page is shown in the reader's own frame
    return visit


Visiting = Annotated[Visit, Depends(visit_of)]


def state_of(request: Request) -> PortalState:
    """The portal's shared parts."""
    return cast(PortalState, request.app.state.portal)


async def gather(*calls: Coroutine[Any, Any, Any]) -> list[Any]:
    """The results of several calls made at once; the first error ends them all."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


def with_query(path: str, params: Mapping[str, Any]) -> str:
    """`path` with a query; empty values are left out."""
    pairs = [
        f"{quote(str(name))}={quote(str(value), safe=':/,')}"
        for name, value in params.items()
        if value not in ("", None)
    ]
    return f"{path}?{'&'.join(pairs)}" if pairs else path
