"""Cancels runs, and opens ended ones again."""

from collections.abc import Callable, Mapping

from services.scaffolder.handlers.creating import (
    require_capacity,
    run_created_event,
    sealed,
)
from services.scaffolder.model import RETRYABLE, StepRecord, Task, TaskEvent
from services.scaffolder.ports import TaskStore, Vault
from services.scaffolder.templates import template_entity
from shared.contracts.errors import Conflict, NotFound
from shared.contracts.scaffolder import RunCancelled, StepStatus

_SUCCEEDED: frozenset[StepStatus] = frozenset(("completed", "skipped"))


async def cancel_task(
    task: Task, store: TaskStore, *, cancel_here: Callable[[str], None]
) -> None:
    """Cancel a run: an unclaimed one at once, else by the process that runs it.

    `cancel_here` ends it if this process runs it; another one reads it at a heartbeat.

    Raises:
        Conflict: if it has ended.
    """
    if task.status == "open" and await _cancel_open(task, store):
        return
    if await store.request_cancellation(task.id) is None:
        raise Conflict(f"Task {task.id} cannot be cancelled: it has ended")
    cancel_here(task.id)


async def _cancel_open(task: Task, store: TaskStore) -> bool:
    cancelled = RunCancelled(
        task_id=task.id,
        template_ref=task.template_ref,
        created_by=task.created_by.ref,
        status="cancelled",
        sequence=task.next_sequence(),
    )
    if not await store.cancel_open(task, cancelled):
        return False
    last = await store.last_number(task.id)
    lines = (
        ("cancelled", "The run was cancelled"),
        ("completion", "Run completed with status: cancelled"),
    )
    await store.append(
        [
            TaskEvent(task.id, last + number, kind, {"message": message})  # type: ignore[arg-type]
            for number, (kind, message) in enumerate(lines, 1)
        ]
    )
    return True


async def retry_task(
    task: Task,
    secrets: Mapping[str, str],
    *,
    store: TaskStore,
    vault: Vault,
    has_workspace: Callable[[str], bool],
) -> Task:
    """Open a failed or cancelled run again, from the first step that did not succeed.

    From the very first if the template says so, or if the files of the earlier steps
    are gone.

    Raises:
        Conflict: if it is neither failed nor cancelled.
        TooMany: if too many runs wait already.
    """
    if task.status not in RETRYABLE:
        raise Conflict(
            f"Task {task.id} cannot be tried again: it is {task.status}, "
            "only failed and cancelled ones can"
        )
    await require_capacity(store, task.created_by)
    resumes = has_workspace(task.id) and not template_entity.starts_over(task.spec)
    _reset(task, resumes=resumes)
    task.status, task.error, task.is_cancelling = "open", None, False
    task.secrets = sealed(vault, secrets)
    task.is_confidential = task.is_confidential or bool(secrets)
    if not await store.reopen(task, run_created_event(task)):
        raise Conflict(f"Task {task.id} is being tried again already")
    return task


def _reset(task: Task, *, resumes: bool) -> None:
    """Reset the steps from the first that did not succeed; else all of them."""
    if not resumes:
        task.checkpoints.clear()
    for number, record in enumerate(task.steps):
        resumes = resumes and record.status in _SUCCEEDED
        if not resumes:
            task.steps[number] = StepRecord(record.id, record.name)


def visible(task: Task | None, task_id: str, creators: tuple[str, ...] | None) -> Task:
    """The task, if the caller may see it: one of these `creators`', None is all.

    Raises:
        NotFound: if there is none that the caller may see.
    """
    if task is None or (creators is not None and task.created_by.ref not in creators):
        raise NotFound(f"No task with id '{task_id}' found")
    return task
