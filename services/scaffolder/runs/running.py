"""A run from its first step to its end, or from the step at which a process died.

The result of a step is stored before the next one begins, together with the events to
publish about it. A step that was under way when its process died runs again: actions
are idempotent.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from services.scaffolder.dialect.json_rendering import condition_holds
from services.scaffolder.model import (
    LONGEST_MESSAGE,
    STEP_ENDED,
    JsonObject,
    StepRecord,
    TakenOver,
    Task,
    TaskEvent,
    TemplateStep,
    now,
)
from services.scaffolder.runs.context import RunContext
from services.scaffolder.runs.retries import retry_store
from services.scaffolder.runs.stepping import EARLIER_FAILURE, StepRun
from services.scaffolder.templates import template_entity
from shared.contracts import disk_space
from shared.contracts.envelope import Payload
from shared.contracts.errors import CallboardError, message_of
from shared.contracts.scaffolder import (
    RunCancelled,
    RunChange,
    RunCompleted,
    RunFailed,
    RunStarted,
    StepChanged,
)

#: How often a step is resumed: it may be the reason why its process ends.
MOST_RESUMED = 10


class RunStore(Protocol):
    """Stores the state and the log of a run."""

    async def record(self, task: Task, changes: Sequence[Payload]) -> None:
        """Store the state, and the events to publish about it, in one write."""
        ...

    async def append(self, events: Sequence[TaskEvent]) -> None:
        """Store lines of the log."""
        ...


class TaskRun:
    """Runs one claimed task in this process."""

    def __init__(self, store: RunStore, context: RunContext) -> None:
        self._store = store
        self._context = context
        self._task = context.task
        self._log = context.log
        self._unpublished: list[Payload] = []
        #: The first error of a step, as it was raised.
        self.failure: BaseException | None = None

    async def save(self) -> None:
        """Store the log, the state, and the events since the last call."""
        changes, self._unpublished = self._unpublished, []
        if not self._task.has_ended or self._task.status == "failed":
            self._task.learned = self._context.redactor.learned
        flushed = retry_store(self._log.flush)
        recorded = retry_store(lambda: self._store.record(self._task, changes))
        if self._task.has_ended:
            # Clients read the log until the run has ended: its last line comes first.
            await flushed
            await recorded
        else:
            await asyncio.gather(flushed, recorded)

    async def go(self) -> None:
        """Run the steps that have not ended, and end the task.

        Raises:
            TakenOver: if another process has claimed the task.
            DiskFull: if the disk has no room for the workspace.
            CancelledError: if this process stops it; `cancelled` may end the task then.
        """
        steps = self._task.spec["steps"]
        if any(record.status != "open" for record in self._task.steps):
            self._log.add("Resuming the task where it was left", type="recovered")
        else:
            self._log.add(f"Starting up task with {len(steps)} steps")
            for step_id in template_entity.repeated_ids(steps):
                warning = template_entity.repeated_id_warning(step_id)
                self._log.add(f"Warning: {warning}")
        self._add_change(RunStarted)
        with disk_space.raising_disk_full():
            await self._context.in_thread(self._context.workspace.prepare)
        for step, record in zip(steps, self._task.steps, strict=True):
            if record.status not in STEP_ENDED:
                await self._step(step, record)
        await self._end()

    async def cancelled(self) -> None:
        """End the task as cancelled, after `go` was stopped."""
        for record in self._task.steps:
            if record.status == "processing":
                record.status, record.ended_at = "cancelled", now()
                self._add_change(StepChanged, record)
        self._task.status = "cancelled"
        self._task.secrets = None
        self._log.add("The run was cancelled", type="cancelled")
        self._add_completion_line()
        self._add_change(RunCancelled)
        await self.save()

    async def _step(self, step: TemplateStep, record: StepRecord) -> None:
        is_resumed = record.status == "processing"
        record.resumed += is_resumed
        run = StepRun(self._context, step, record, self.save, is_resumed=is_resumed)
        work = asyncio.ensure_future(self._whole_step(run, record))
        try:
            await asyncio.wait({work})
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait({work})
        error = work.exception()
        if isinstance(error, TakenOver):
            raise error
        if error is not None:
            self._fail(record, run.placed(error))
        record.ended_at = now()
        self._add_change(StepChanged, record)

    async def _whole_step(self, run: StepRun, record: StepRecord) -> None:
        if record.resumed > MOST_RESUMED:
            raise CallboardError(
                f"The process ended {record.resumed} times in the middle of this step, "
                "which is not tried again"
            )
        reason = await run.reason_to_skip()
        if reason != EARLIER_FAILURE:
            record.status = "processing"
            record.started_at = record.started_at or now()
            self._log.add(
                f"Beginning step {record.name}", step_id=record.id, status=record.status
            )
        if reason is not None:
            record.status = "skipped"
            self._log.add(
                f"Skipping step {record.id} because {reason}",
                step_id=record.id,
                status="skipped",
            )
            return
        self._add_change(StepChanged, record)
        await self.save()
        record.status = await run.perform()
        if record.status == "completed":
            self._log.add(
                f"Finished step {record.name}", step_id=record.id, status="completed"
            )

    def _fail(self, record: StepRecord, error: BaseException) -> None:
        record.status = "failed"
        record.error_name, record.error = self._failure(error)
        text = f"{record.error_name}: {record.error}"
        self._log.add(text, step_id=record.id, status="failed")

    def _failure(self, error: BaseException) -> tuple[str, str]:
        """The name and the message of an error that ends the run."""
        if self.failure is None:
            self.failure = error
        name, message = _error_text(error)
        return name, self._context.redactor.beginning(message, LONGEST_MESSAGE)

    async def _end(self) -> None:
        task = self._task
        name, task.error = await self._outcome()
        task.status = "completed" if task.error is None else "failed"
        _drop_secrets(task)
        # In a thread, as every secret is searched for in the whole output.
        await self._context.in_thread(self._add_completion_line, name)
        self._add_change(RunCompleted if task.error is None else RunFailed)
        await self.save()

    async def _outcome(self) -> tuple[str, str | None]:
        """Name and message of the first error, also of the output; else no message."""
        task = self._task
        failed = next((r for r in task.steps if r.status == "failed"), None)
        if failed is not None:
            return failed.error_name or "Error", failed.error or ""
        try:
            task.output = await self._output()
        except CallboardError as error:
            return self._failure(error)
        return "", None

    def _add_completion_line(self, error_name: str = "") -> None:
        more: JsonObject = {}
        if self._task.status == "failed":
            more["error"] = {"name": error_name, "message": self._task.error}
        elif self._task.status == "completed":
            more["output"] = self._task.output
        message = f"Run completed with status: {self._task.status}"
        self._log.add(message, type="completion", **more)

    async def _output(self) -> JsonObject:
        """The template's output, without links and texts whose `if` does not hold."""
        output = self._task.spec.get("output") or {}
        names = await self._context.names()
        rendered = await self._context.render(output, names, "output")
        public = rendered.public
        for group in ("links", "text"):
            if isinstance(public.get(group), list):
                public[group] = [
                    {key: value for key, value in item.items() if key != "if"}
                    for item in public[group]
                    if "if" not in item or condition_holds(item["if"])
                ]
        redacted: JsonObject = await self._context.in_thread(
            self._context.redactor.value, public
        )
        return redacted

    def _add_change(
        self, kind: type[RunChange], record: StepRecord | None = None
    ) -> None:
        """Add an event that the next `save` stores for publishing."""
        task = self._task
        step: JsonObject = {}
        if record is not None:
            step = {
                "step_id": record.id,
                "step_name": record.name,
                "step_status": record.status,
            }
        self._unpublished.append(
            kind(
                task_id=task.id,
                template_ref=task.template_ref,
                created_by=task.created_by.ref,
                status=task.status,
                sequence=task.next_sequence(),
                output=task.output if task.status == "completed" else {},
                error=task.error if record is None else record.error,
                **step,
            )
        )


def _drop_secrets(task: Task) -> None:
    """Remove what an ended run no longer needs; a failed one may be tried again."""
    task.secrets = None
    if task.status == "completed":
        task.checkpoints.clear()
        task.learned.clear()
        task.hidden = None
        for record in task.steps:
            record.output = {}


def _error_text(error: BaseException) -> tuple[str, str]:
    """An error's name and message, as people see them."""
    name = error.name if isinstance(error, CallboardError) else type(error).__name__
    return name, message_of(error)
