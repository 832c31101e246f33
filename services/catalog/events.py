"""The consumed topics: pushes, and changes by other processes of the catalog.

`git-push` is shared work: one process handles each push. All processes follow
`entity-changed`, so that every process' read model shows every write.
"""

import asyncio
import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Self

from services.catalog.handlers.catalog import CatalogContext
from services.catalog.handlers.discovery import Provider
from services.catalog.handlers.pushes import Push, apply_push, merge_pushes
from services.catalog.handlers.recent import RecentChangesUpdater
from services.catalog.handlers.state_follower import StateFollower
from shared.contracts.envelope import Envelope
from shared.contracts.errors import Invalid, Unavailable
from shared.contracts.events import payload_of
from shared.contracts.gateway import RepositoryPushed
from shared.kit.events.bus import EventRecord
from shared.kit.observability import logs, tracing
from shared.kit.processes import tasks
from shared.kit.resilience.retries import Backoff, retry

#: How often other processes' locations are taken over: two queries, also at rest.
AGAIN_SECONDS = 5.0
BACKOFF = Backoff(first=2.0, longest=60.0)
#: Pushes that are read in parallel, and how long a batch waits for one of them.
AT_ONCE = 8
PATIENCE_SECONDS = 1.0
#: Repositories that may be read in the background; with as many, batches wait.
MOST_BEHIND = 64
#: Branches of which the last pushed commit is remembered.
MOST_TIPS = 10_000
#: The revision is near the start of `data`: documents that this process wrote itself
#: need not be parsed.
_REVISION = re.compile(rb'"data":\{"entity_ref":"[^"]*","revision":(\d+)')


class Pushes:
    """Handles batches of `git-push`: repositories in parallel, pushes to one in order.

    Long work goes on in the background: the next batch does not wait for it. After a
    crash, the scan at the next start repeats that work.
    """

    def __init__(self, catalog: CatalogContext, providers: Sequence[Provider]) -> None:
        self._catalog = catalog
        self._providers = tuple(providers)
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._pending_pushes: dict[str, dict[str, Push]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        #: Repositories whose pushes are read in the background.
        self._behind: set[str] = set()
        #: By host, repository and ref: the commit that the last push ended with.
        self._tips: dict[tuple[str, str, str], str] = {}
        self._log = logs.get_logger("catalog")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await tasks.end(*self._tasks.values())

    async def __call__(self, batch: Sequence[Envelope]) -> None:
        """Apply these pushes, or begin to.

        Raises:
            Invalid: if one of them is no push.
            Unavailable: if a needed server does not answer.
        """
        events = [
            (self._chained(_push(envelope)), envelope.trace) for envelope in batch
        ]
        pushes = merge_pushes(events, self._catalog.sources.folds_case)
        outcomes = await asyncio.gather(
            *map(self._bring, pushes), return_exceptions=True
        )
        errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        for error in sorted(
            errors, key=lambda outcome: not isinstance(outcome, Unavailable)
        ):
            raise error

    def _chained(self, push: RepositoryPushed) -> RepositoryPushed:
        """The push; of any paths, if it does not begin where the one before ended.

        Then a delivery between the two was lost: what that changed is read now.
        """
        key = (push.host, push.repository, push.ref)
        last = self._tips.pop(key, push.before)
        if len(self._tips) >= MOST_TIPS:
            self._tips.pop(next(iter(self._tips)))
        self._tips[key] = push.after
        if last == push.before or not push.before:
            return push
        return push.model_copy(update={"changed_paths": None})

    async def _bring(self, push: Push) -> None:
        async with self._gate:
            pushes = self._pending_pushes.setdefault(push.key, {})
            pushes[push.branch] = push.joined_with(pushes.get(push.branch))
            task = self._tasks.get(push.key)
            if task is None:
                task = asyncio.create_task(self._work(push.key), name="push")
                self._tasks[push.key] = task
            is_known = push.key in self._behind
            await asyncio.wait({task}, timeout=0 if is_known else PATIENCE_SECONDS)
            if len(self._behind) >= MOST_BEHIND and not is_known:
                await asyncio.wait({task})
            if task.done():
                await task
            else:
                self._behind.add(push.key)

    async def _work(self, key: str) -> None:
        """Read what was pushed to a repository until nothing more is waiting."""
        try:
            while branches := self._pending_pushes.pop(key, None):
                for push in branches.values():
                    with _traced(push):
                        await self._read(push)
        finally:
            self._pending_pushes.pop(key, None)
            self._tasks.pop(key, None)
            self._behind.discard(key)

    async def _read(self, push: Push) -> None:
        def may_retry(error: BaseException) -> bool:
            return isinstance(error, Unavailable) and push.key in self._behind

        def note(error: Exception, _: float = 0.0) -> None:
            source = f"{push.host}/{push.repository}"
            self._log.warning("push_failed", source=source, error=str(error))

        try:
            await retry(
                lambda: apply_push(self._catalog, self._providers, push),
                BACKOFF,
                on=may_retry,
                note=note,
            )
        except Exception as error:
            if push.key not in self._behind:
                raise
            note(error)


@contextlib.contextmanager
def _traced(push: Push) -> Iterator[None]:
    """The span of a push in the trace of its event; a batch may hold several."""
    attributes = {
        "server.address": push.host,
        "vcs.repository.name": push.repository,
        "vcs.ref.head.name": push.branch,
    }
    with tracing.continued(push.trace), tracing.span("read push", attributes):
        yield


def _push(envelope: Envelope) -> RepositoryPushed:
    payload = payload_of(envelope)
    if not isinstance(payload, RepositoryPushed):
        raise Invalid(f"type: {envelope.type} is no push")
    return payload


def revision_in(record: EventRecord) -> int:
    """The revision in an `entity-changed` message; 0 if there is none."""
    match = _REVISION.search(record.value)
    if match is not None:
        return int(match[1])
    try:
        return int(record.envelope().data.get("revision", 0))
    except (Invalid, TypeError, ValueError):
        return 0


class EntityChangeFollower:
    """Updates this process' state and newest changes with the writes of others."""

    def __init__(
        self,
        catalog: CatalogContext,
        follower: StateFollower,
        recent: RecentChangesUpdater,
    ) -> None:
        self._state = catalog.state
        self._follower = follower
        self._recent = recent
        self._started = False
        self._task: asyncio.Task[None] | None = None
        self._log = logs.get_logger("catalog")

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._reload_roots(), name="following-roots")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            await tasks.end(self._task)

    async def batch(self, records: Sequence[EventRecord]) -> None:
        """Load the entities of these messages, unless the state has them already."""
        newer = {
            record.key
            for record in records
            if revision_in(record) > self._state.revision(record.key)
        }
        await self._follower.learn(sorted(newer))
        await self._recent.consume(
            record.value
            for record in records
            if not self._recent.changes.holds(record.key, revision_in(record))
        )

    async def gap(self) -> None:
        """Catch up with the store, as messages may have been missed.

        The first time, changes since the catalog was loaded are queried by an index;
        later all revisions are compared.
        """
        follower = self._follower
        differing = await (follower.compare() if self._started else follower.catch_up())
        self._started = True
        entities = (self._state.get(ref) for ref in differing)
        await self._recent.fill(stored for stored in entities if stored is not None)

    async def _reload_roots(self) -> None:
        # A root is written after its entities: one loaded with them may be old.
        while True:
            await asyncio.sleep(AGAIN_SECONDS)
            try:
                await self._follower.reload_roots()
            except Unavailable:
                continue
            except Exception as error:  # noqa: BLE001 - the loop must go on
                self._log.warning("roots_not_followed", error=repr(error))
