"""A run's log: what there is, what comes next, and all of it as it comes."""

import time
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

import orjson
from fastapi import APIRouter, Query
from starlette.responses import Response

from services.scaffolder.api import shapes
from services.scaffolder.api.dependencies import Open, ScaffolderDependencies
from services.scaffolder.api.tasks import visible_task
from services.scaffolder.model import Task, TaskEvent
from shared.contracts.errors import Unavailable
from shared.kit.http.apps import Caller, json_response, sse, sse_frame
from shared.kit.http.openapi import EVENTS

router = APIRouter()
LONG_POLL_SECONDS = 30.0
#: How often a log that another process writes is looked at.
LOOK_SECONDS = 0.5
#: Beyond any log, and well within what the store counts with.
MOST_LINES = 10**9
After = Annotated[int, Query(ge=0, le=MOST_LINES)]


@router.get("/v2/tasks/{task_id}/events")
async def events(
    task_id: str, caller: Caller, dependencies: Open, after: After = 0
) -> Response:
    """The lines after a number: at once if there are some, else when there are."""
    task = await visible_task(dependencies, task_id, caller)
    deadline = time.monotonic() + LONG_POLL_SECONDS
    found = await dependencies.store.events(task_id, after)
    while not found and not await _is_over(dependencies, task_id):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        await dependencies.signals.changed(task_id, min(LOOK_SECONDS, left))
        found = await dependencies.store.events(task_id, after)
    return json_response([shapes.event(line, task) for line in found])


@router.get("/v2/tasks/{task_id}/eventstream", openapi_extra=dict(EVENTS))
async def eventstream(
    task_id: str, caller: Caller, dependencies: Open, after: After = 0
) -> Response:
    """The lines of the log as server-sent events, until the run has ended."""
    task = await visible_task(dependencies, task_id, caller)
    return sse(_frames(dependencies, task, after))


async def _frames(
    dependencies: ScaffolderDependencies, task: Task, after: int
) -> AsyncIterator[bytes]:
    """Each line of the log as it is kept; ends with the run."""
    last, has_waited = after, False
    while True:
        # When it is quiet, or seems to be over, the run itself is asked: before the
        # lines are read, so that none can come after the last look.
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
            await dependencies.signals.changed(task.id, LOOK_SECONDS)


async def _lines(
    dependencies: ScaffolderDependencies, task_id: str, after: int
) -> Sequence[TaskEvent]:
    try:
        return await dependencies.store.events(task_id, after)
    except Unavailable:
        # The stream is open already: it waits for the store instead of breaking off.
        return ()


async def _is_over(dependencies: ScaffolderDependencies, task_id: str) -> bool:
    try:
        task = await dependencies.store.get(task_id)
    except Unavailable:
        return False
    return task is None or task.has_ended
