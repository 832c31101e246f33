"""The log of a run: by long polling, or as a stream of server-sent events."""

import time
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

import orjson
from fastapi import APIRouter, Query
from starlette.responses import Response

from services.scaffolder.api import shapes
from services.scaffolder.api.dependencies import Dependencies, ScaffolderDependencies
from services.scaffolder.api.tasks import visible_task
from services.scaffolder.model import Task, TaskEvent
from shared.contracts.errors import Unavailable
from shared.kit.http.apps import Caller, json_response, sse, sse_frame
from shared.kit.http.openapi import EVENTS

router = APIRouter()
LONG_POLL_SECONDS = 30.0
#: How often the store is polled for lines that another process writes.
POLL_SECONDS = 0.5
#: Beyond any log, and well within what the store counts with.
MOST_LINES = 10**9
After = Annotated[int, Query(ge=0, le=MOST_LINES)]


@router.get("/v2/tasks/{task_id}/events")
async def events(
    task_id: str, caller: Caller, dependencies: Dependencies, after: After = 0
) -> Response:
    """The lines after a number; waits for one if there are none yet."""
    task = await visible_task(dependencies, task_id, caller)
    deadline = time.monotonic() + LONG_POLL_SECONDS
    lines = await dependencies.store.events(task_id, after)
    while not lines and not await _is_over(dependencies, task_id):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        await dependencies.signals.changed(task_id, min(POLL_SECONDS, left))
        lines = await dependencies.store.events(task_id, after)
    return json_response([shapes.event(line, task) for line in lines])


@router.get("/v2/tasks/{task_id}/eventstream", **EVENTS)
async def eventstream(
    task_id: str, caller: Caller, dependencies: Dependencies, after: After = 0
) -> Response:
    """The lines of the log as server-sent events, until the run has ended."""
    task = await visible_task(dependencies, task_id, caller)
    return sse(_frames(dependencies, task, after))


async def _frames(
    dependencies: ScaffolderDependencies, task: Task, after: int
) -> AsyncIterator[bytes]:
    """Each line of the log once it is stored; ends with the run."""
    last, has_waited = after, False
    while True:
        # The state of the run is read before the lines: then no line can follow the
        # last read. It is read only after a pause, or when the run seems to be over.
        is_over = has_waited and await _is_over(dependencies, task.id)
        lines = await _lines(dependencies, task.id, last)
        for line in lines:
            last = line.number
            data = orjson.dumps(shapes.event(line, task))
            yield sse_frame(event=line.type, data=data)
        if is_over:
            return
        has_waited = not lines or lines[-1].type == "completion"
        if not lines:
            await dependencies.signals.changed(task.id, POLL_SECONDS)


async def _lines(
    dependencies: ScaffolderDependencies, task_id: str, after: int
) -> Sequence[TaskEvent]:
    try:
        return await dependencies.store.events(task_id, after)
    except Unavailable:
        # The stream has begun: it waits for the store instead of breaking off.
        return ()


async def _is_over(dependencies: ScaffolderDependencies, task_id: str) -> bool:
    try:
        task = await dependencies.store.get(task_id)
    except Unavailable:
        return False
    return task is None or task.has_ended
