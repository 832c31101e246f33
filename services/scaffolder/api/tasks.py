"""The API of runs: create, list, read, cancel, retry."""

from typing import Annotated, Literal, get_args

import orjson
from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from services.scaffolder.api import shapes
from services.scaffolder.api.dependencies import (
    Dependencies,
    ScaffolderDependencies,
    creators,
    initiator_of,
)
from services.scaffolder.handlers import creating, ending
from services.scaffolder.handlers.creating import BadParameters, RunRequest
from services.scaffolder.model import JsonObject, Task, TaskQuery
from shared.contracts.errors import Invalid, TooLarge
from shared.contracts.scaffolder import RunStatus
from shared.kit.http.apps import Caller, json_response
from shared.kit.http.bodies import BoundedRoute
from shared.kit.http.models import ClosedRequestModel, TextsByName
from shared.kit.http.service_tokens import Principal
from shared.kit.observability import tracing

router = APIRouter(route_class=BoundedRoute)
OrderField = Literal["created_at", "status", "created_by"]
_FIELDS = get_args(OrderField)
_STATUSES = get_args(RunStatus)


#: More than any list has, and within the numbers of the store.
MOST_RUNS = 10**9
#: The answers are stored with the run, and lists of runs repeat them.
VALUES_LIMIT = 512 * 1024


class NewTask(ClosedRequestModel):
    """The template to run, with answers and secrets."""

    template_ref: str = Field(min_length=1)
    values: JsonObject
    secrets: TextsByName = Field(default_factory=dict)


class Retry(ClosedRequestModel):
    """The secrets of a run that is retried: they are deleted when a run ends."""

    secrets: TextsByName = Field(default_factory=dict)


def refused(error: BadParameters) -> Response:
    """The answer with the rules that the values break."""
    return json_response({"errors": error.problems}, status=400)


@router.post("/v2/tasks", status_code=201)
async def create(body: NewTask, caller: Caller, dependencies: Dependencies) -> Response:
    """Create a run; 400 with `errors` if the values break the rules."""
    if len(orjson.dumps(body.values)) > VALUES_LIMIT:
        raise TooLarge(f"values: over the limit of {VALUES_LIMIT} bytes together")
    request = RunRequest(
        body.template_ref,
        body.values,
        body.secrets,
        trace=tracing.fields(),
    )
    initiator = initiator_of(caller)
    try:
        task = await creating.create_task(
            request,
            initiator,
            catalog=dependencies.catalog,
            store=dependencies.store,
            vault=dependencies.vault,
            in_thread=dependencies.turns.of_requests(initiator),
        )
    except BadParameters as error:
        return refused(error)
    dependencies.pool.offer(task.id)
    return json_response({"id": task.id}, status=201)


@router.get("/v2/tasks")
async def listed(
    caller: Caller,
    dependencies: Dependencies,
    created_by: Annotated[list[str] | None, Query(alias="createdBy")] = None,
    status: Annotated[list[str] | None, Query()] = None,
    order: Annotated[list[str] | None, Query()] = None,
    limit: Annotated[int | None, Query(ge=0, le=MOST_RUNS)] = None,
    offset: Annotated[int, Query(ge=0, le=MOST_RUNS)] = 0,
) -> Response:
    """A page of the runs that the caller may see.

    A run with a spec of over 16 KB has no answers and no inputs of steps in a list.
    """
    field, is_descending = _order((order or ["desc:created_at"])[0])
    unknown = [value for value in status or () if value not in _STATUSES]
    if unknown:
        raise Invalid(f"status: {unknown[0]!r} is none of {', '.join(_STATUSES)}")
    query = TaskQuery(
        created_by=tuple(created_by or ()),
        status=tuple(status or ()),
        order_by=field,
        is_descending=is_descending,
        limit=limit,
        offset=offset,
        visible_to=creators(caller),
    )
    page, total = await dependencies.store.find(query)
    return json_response(
        {"tasks": [shapes.task(task) for task in page], "totalTasks": total}
    )


def _order(order: str) -> tuple[OrderField, bool]:
    direction, _, field = order.partition(":")
    if direction not in {"asc", "desc"} or field not in _FIELDS:
        raise Invalid(
            f"order: {order!r} is not asc or desc, a colon, and one of "
            f"{', '.join(_FIELDS)}"
        )
    return field, direction == "desc"  # type: ignore[return-value]


async def visible_task(
    dependencies: ScaffolderDependencies, task_id: str, caller: Principal
) -> Task:
    """The run, if the caller may see it."""
    task = await dependencies.store.get(task_id)
    return ending.visible(task, task_id, creators(caller))


@router.get("/v2/tasks/{task_id}")
async def one(task_id: str, caller: Caller, dependencies: Dependencies) -> Response:
    """One run."""
    return json_response(shapes.task(await visible_task(dependencies, task_id, caller)))


@router.post("/v2/tasks/{task_id}/cancel")
async def cancel(task_id: str, caller: Caller, dependencies: Dependencies) -> Response:
    """Cancel a run; 409 once it has ended."""
    task = await visible_task(dependencies, task_id, caller)
    await ending.cancel_task(
        task, dependencies.store, cancel_here=dependencies.pool.cancel
    )
    dependencies.signals.notify(task_id)
    return json_response({"status": "cancelled"})


def _retriable_by(caller: Principal) -> tuple[str, ...] | None:
    """The creators whose runs the caller may retry: a run acts for its creator.

    The gateway asks the policy for the right to create runs here, which gives none to
    the runs of others.
    """
    if caller.permission == "scaffolder.task.create" and not caller.is_service:
        return (caller.subject,)
    return creators(caller)


@router.post("/v2/tasks/{task_id}/retry", status_code=201)
async def retry(
    task_id: str, caller: Caller, dependencies: Dependencies, body: Retry | None = None
) -> Response:
    """Open a failed or cancelled run again."""
    stored = await dependencies.store.get(task_id)
    task = ending.visible(stored, task_id, _retriable_by(caller))
    await ending.retry_task(
        task,
        body.secrets if body else {},
        store=dependencies.store,
        vault=dependencies.vault,
        has_workspace=lambda key: dependencies.run_factory.workspace(key).root.is_dir(),
    )
    dependencies.pool.offer(task_id)
    return json_response({"id": task_id}, status=201)
