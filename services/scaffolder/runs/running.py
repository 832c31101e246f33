"""A run from its first step to its end, or from where a crash left it.

Each step's result is kept before the next begins; what is kept and what is said about
it are one write. A step that was under way when the process died runs again: actions
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
from services.scaffolder.runs.journal import Journal
from services.scaffolder.runs.patience import outlast_store
from services.scaffolder.runs.stepping import EARLIER_FAILURE, StepRun
from services.scaffolder.templates import template_entity
from shared.contracts import room
from shared.contracts.envelope import Payload
from shared.contracts.errors import CallboardError
from shared.contracts.scaffolder import (
    RunCancelled,
    RunChange,
    RunCompleted,
    RunFailed,
    RunStarted,
    StepChanged,
)


class RunKeeper(Protocol):
    """Where a run's state and log are kept."""

    async def record(self, task: Task, said: Sequence[Payload]) -> None:
        """Keep how far it is, and what is said about that."""
        ...

    async def append(self, events: Sequence[TaskEvent]) -> None:
        """Keep lines of the log."""
        ...


class TaskRun:
    """One process' turn at one task."""

    def __init__(self, keeper: RunKeeper, run_context: RunContext) -> None:
        self._keeper = keeper
        self._run_context = run_context
        self._task = run_context.task
        self._journal: Journal = run_context.journal
        self._said: list[Payload] = []
        #: The first thing that went wrong, as it was raised.
        self.failure: BaseException | None = None
        run_context.save = self.save

    async def save(self) -> None:
        """Keep the state, and say what happened since the last time."""
        said, self._said = self._said, []
        if not self._task.has_ended or self._task.status == "failed":
            self._task.learned = self._run_context.redactor.learned
        flushed = outlast_store(self._journal.flush)
        recorded = outlast_store(lambda: self._keeper.record(self._task, said))
        if self._task.has_ended:
            # Who reads the log until the run has ended must find its last line there.
            await flushed
            await recorded
        else:
            await asyncio.gather(flushed, recorded)

    async def go(self) -> None:
        """Run what is left to run, and end the task.

        Raises:
            TakenOver: if another process has the task: then it is not ours.
            NoRoom: if the disk has none for the workspace: somebody looks again.
            CancelledError: if it is told to stop; `cancelled` ends the task then.
        """
        steps = self._task.spec["steps"]
        resumed = any(record.status != "open" for record in self._task.steps)
        if resumed:
            self._journal.log("Resuming the task where it was left", type="recovered")
        else:
            self._journal.log(f"Starting up task with {len(steps)} steps")
            for step_id in template_entity.repeated_ids(steps):
                self._journal.log(
                    f"Warning: {template_entity.repeated_id_warning(step_id)}"
                )
        self._say(RunStarted)
        with room.needed():
            await asyncio.to_thread(self._run_context.workspace.prepare)
        for step, record in zip(steps, self._task.steps, strict=True):
            if record.status not in STEP_ENDED:
                await self._step(step, record)
        await self._end()

    async def cancelled(self) -> None:
        """End the task because somebody asked for it."""
        for record in self._task.steps:
            if record.status == "processing":
                record.status, record.ended_at = "cancelled", now()
                self._say(StepChanged, record)
        self._task.status = "cancelled"
        self._task.secrets = None
        self._journal.log("The run was cancelled", type="cancelled")
        self._complete()
        self._say(RunCancelled)
        await self.save()

    async def _step(self, step: TemplateStep, record: StepRecord) -> None:
        was_begun = record.status == "processing"
        run = StepRun(self._run_context, step, record, is_resumed=was_begun)
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
            self._fail(record, error)
        record.ended_at = now()
        self._say(StepChanged, record)

    async def _whole_step(self, run: StepRun, record: StepRecord) -> None:
        reason = await run.reason_to_skip()
        if reason != EARLIER_FAILURE:
            record.status = "processing"
            record.started_at = record.started_at or now()
            self._journal.log(
                f"Beginning step {record.name}", step_id=record.id, status=record.status
            )
        if reason is not None:
            record.status = "skipped"
            self._journal.log(
                f"Skipping step {record.id} because {reason}",
                step_id=record.id,
                status="skipped",
            )
            return
        self._say(StepChanged, record)
        await self.save()
        record.status = await run.perform()
        if record.status == "completed":
            self._journal.log(
                f"Finished step {record.name}", step_id=record.id, status="completed"
            )

    def _fail(self, record: StepRecord, error: BaseException) -> None:
        name, message = _error_text(error)
        record.status = "failed"
        record.error_name = name
        record.error = self._run_context.redactor.beginning(message, LONGEST_MESSAGE)
        if self.failure is None:
            self.failure = error
        self._journal.log(f"{name}: {message}", step_id=record.id, status="failed")

    async def _end(self) -> None:
        task = self._task
        failed = next((r for r in task.steps if r.status == "failed"), None)
        if failed is None:
            task.output = await self._output()
            task.status, task.error = "completed", None
        else:
            task.status, task.error = "failed", failed.error
        # Of no use any more, and the less is kept the better.
        task.secrets = None
        if failed is None:
            task.checkpoints.clear()
            task.learned.clear()
            task.hidden = None
            for record in task.steps:
                record.output = {}
        # Beside the loop: secrets are looked for in the whole output.
        await asyncio.to_thread(self._complete, failed)
        self._say(RunCompleted if failed is None else RunFailed)
        await self.save()

    def _complete(self, failed: StepRecord | None = None) -> None:
        more: JsonObject = {}
        if failed is not None:
            more["error"] = {
                "name": failed.error_name or "Error",
                "message": failed.error,
            }
        elif self._task.status == "completed":
            more["output"] = self._task.output
        self._journal.log(
            f"Run completed with status: {self._task.status}",
            type="completion",
            **more,
        )

    async def _output(self) -> JsonObject:
        """The template's output, without links and texts whose `if` does not hold."""
        given = self._task.spec.get("output") or {}
        rendered = await self._run_context.rendered(
            given, await self._run_context.context()
        )
        made = rendered.public
        for group in ("links", "text"):
            if isinstance(made.get(group), list):
                made[group] = [
                    {key: value for key, value in item.items() if key != "if"}
                    for item in made[group]
                    if "if" not in item or condition_holds(item["if"])
                ]
        safe: JsonObject = await asyncio.to_thread(
            self._run_context.redactor.value, made
        )
        return safe

    def _say(self, kind: type[RunChange], record: StepRecord | None = None) -> None:
        task = self._task
        step: JsonObject = {}
        if record is not None:
            step = {
                "step_id": record.id,
                "step_name": record.name,
                "step_status": record.status,
            }
        self._said.append(
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


def _error_text(error: BaseException) -> tuple[str, str]:
    """An error's name and message, as people see them."""
    name = error.name if isinstance(error, CallboardError) else type(error).__name__
    return name, str(error) or name
