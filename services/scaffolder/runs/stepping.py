"""One step of a run: whether it runs, with what input, how often, and what it says."""

import asyncio
import json
from typing import Any

from services.scaffolder.actions.action import Action, ActionContext
from services.scaffolder.dialect import json_rendering, json_text
from services.scaffolder.model import (
    JsonObject,
    Schema,
    StepRecord,
    TakenOver,
    TemplateStep,
)
from services.scaffolder.runs.context import RunContext
from services.scaffolder.runs.patience import outlast_step
from services.scaffolder.secrets import twins
from services.scaffolder.secrets.twins import Twins
from services.scaffolder.templates import schema_checks
from shared.contracts import room
from shared.contracts.errors import CallboardError, Invalid
from shared.contracts.scaffolder import StepStatus
from shared.guards.workers import run_beside

FALSE_CONDITION = "its if condition was false"
EARLIER_FAILURE = "a previous step failed"
CONCEALED = (
    "the step failed; why is not shown, as its input holds pieces of secrets: give an "
    "action a secret whole"
)


class StepRun:
    """Runs one step. `record` is kept up to date; the caller keeps it."""

    def __init__(
        self,
        run_context: RunContext,
        step: TemplateStep,
        record: StepRecord,
        *,
        is_resumed: bool = False,
    ) -> None:
        self._run_context = run_context
        self._step = step
        self._record = record
        self._is_resumed = is_resumed
        self._conceals = False

    async def reason_to_skip(self) -> str | None:
        """Why the step does not run, None if it does.

        Raises:
            CallboardError: if its condition takes too much work.
        """
        has_failed, condition = self._run_context.has_failed, self._step.get("if")
        if self._is_chosen_per_round:
            skips = has_failed and not json_rendering.asks_for_status(condition)
            return EARLIER_FAILURE if skips else None
        holds, was_asked = await self._condition(None)
        if has_failed and not was_asked:
            return EARLIER_FAILURE
        return None if holds else FALSE_CONDITION

    @property
    def _is_chosen_per_round(self) -> bool:
        """Whether each round of `each` decides for itself."""
        has_rounds = self._step.get("each") is not None
        return has_rounds and json_rendering.is_per_round(self._step.get("if"))

    async def _condition(self, round_: Twins | None) -> tuple[bool, bool]:
        """Whether the `if` holds, and whether it asked how the run stands."""
        functions = json_rendering.StatusFunctions(
            has_failed=self._run_context.has_failed
        )
        condition = self._step.get("if")
        if condition is None:
            return True, False
        known = await self._run_context.context()
        context = {**known.real, **functions.context()}
        if round_ is not None:
            context["each"] = round_.real
        made = await self._run_context.rendered(condition, Twins.of(context))
        return json_rendering.condition_holds(made.real), functions.was_asked

    async def perform(self) -> StepStatus:
        """Do the step's work; how it ended if it did not fail.

        Raises:
            Exception: whatever the action raised.
        """
        action = self._run_context.registry.get(self._step["action"])
        if self._run_context.is_dry_run and not action.supports_dry_run:
            self._run_context.journal.log(
                f"Skipping because {action.id} does not support dry-run",
                step_id=self._record.id,
                status="skipped",
            )
            self._record.output = _example(action.output or {})
            return "skipped"
        if self._step.get("each") is None:
            self._record.output = await self._once(action, Twins.of({}), key="")
            return "completed"
        await self._each(action)
        return "completed"

    async def _each(self, action: Action) -> None:
        iterated = await self._run_context.rendered(
            self._step["each"], await self._run_context.context(secret=True)
        )
        try:
            rounds = twins.rounds(iterated)
        except Invalid as error:
            raise Invalid(f"step '{self._record.id}': {error.message}") from error
        for number, round_ in enumerate(rounds):
            if number < self._record.done:
                continue
            await self._one_round(action, round_, number)
            self._record.done = number + 1
            if number + 1 < len(rounds):
                await self._run_context.save()
            self._is_resumed = False

    async def _one_round(self, action: Action, round_: Twins, number: int) -> None:
        """A round's outputs, added to those of the rounds before it."""
        shown = json.dumps(round_.public, ensure_ascii=False, separators=(",", ":"))
        if self._is_chosen_per_round:
            holds, was_asked = await self._condition(round_)
            if not holds or (self._run_context.has_failed and not was_asked):
                self._log(f"Skipping step each: {shown}")
                return
        self._log(f"Running step each: {shown}")
        outputs = await self._once(action, round_.under("each"), key=f"{number}.")
        for name, value in outputs.items():
            self._record.output.setdefault(name, []).append(value)

    async def _once(self, action: Action, more: Twins, *, key: str) -> JsonObject:
        given = await self._input(more)
        if given.has_fragments:
            return await self._concealed(action, given, key)
        return await self._worked(action, given, key)

    async def _worked(self, action: Action, given: Twins, key: str) -> JsonObject:
        await run_beside(schema_checks.check_input, action.id, action.input, given.real)
        context = await self._patiently(action, given, key)
        outputs: JsonObject = json_text.plain(context.outputs)
        return outputs

    async def _concealed(self, action: Action, given: Twins, key: str) -> JsonObject:
        """Work without a word of the action's, whatever is in it."""
        self._conceals = True
        try:
            return await self._worked(action, given, key)
        except TakenOver:
            raise
        except CallboardError as error:
            error.message = CONCEALED
            error.args = (CONCEALED,)
            raise
        except Exception as error:
            raise CallboardError(CONCEALED) from error
        finally:
            self._conceals = False

    async def _patiently(self, action: Action, given: Twins, key: str) -> ActionContext:
        """Run the action again while something that it needs is away.

        Actions are idempotent; a catalog that restarts is no reason to lose a run.
        """

        async def attempt() -> ActionContext:
            context = self._context(given, key)
            await _performed(action, context)
            return context

        def note(error: Exception, seconds: float) -> None:
            self._log(f"{error}; trying again in {seconds:g} seconds")
            self._is_resumed = True

        if self._run_context.is_dry_run:
            return await attempt()
        return await outlast_step(attempt, note)

    async def _input(self, more: Twins) -> Twins:
        """The step's input; what secrets made of it is secret from now on."""
        given = self._step.get("input") or {}
        context = (await self._run_context.context(secret=True)).with_names(more)
        made = await self._run_context.rendered(given, context)
        if not isinstance(made.real, dict):
            raise Invalid(f"input: the input of step {self._record.id} is no object")
        return made

    @property
    def _key(self) -> str:
        """What the step's checkpoints are kept under; ids may come twice."""
        steps = self._run_context.task.steps
        ids = [record.id for record in steps]
        index = next(n for n, record in enumerate(steps) if record is self._record)
        again = ids[:index].count(self._record.id)
        return f"{self._record.id}#{again}" if again else self._record.id

    def _context(self, given: Twins, key: str) -> ActionContext:
        run_context, task = self._run_context, self._run_context.task
        prefix = f"{self._key}.{key}"

        async def remember(name: str, value: Any) -> None:
            task.checkpoints[prefix + name] = value
            await run_context.save()

        return ActionContext(
            task_id=task.id,
            step_id=self._record.id,
            input=given.real,
            public_input=given.public,
            redactor=run_context.redactor,
            workspace=run_context.workspace,
            initiator=task.created_by,
            user=task.spec.get("user") or {},
            template_info=task.spec.get("templateInfo") or {},
            tools=run_context.tools,
            log=self._log,
            secrets=run_context.secrets,
            is_dry_run=run_context.is_dry_run,
            is_resumed=self._is_resumed,
            checkpoints={
                name.removeprefix(prefix): value
                for name, value in task.checkpoints.items()
                if name.startswith(prefix)
            },
            remember=remember,
        )

    def _log(self, message: str) -> None:
        if self._conceals:
            message = self._run_context.redactor.whole(message)
        self._run_context.journal.log(message, step_id=self._record.id)


async def _performed(action: Action, context: ActionContext) -> None:
    """Run an action as a task of its own: whatever a plugin raises is its result."""
    work = asyncio.ensure_future(action.run(context))
    try:
        await asyncio.wait({work})
    finally:
        if not work.done():
            work.cancel()
            await asyncio.wait({work})
    if work.cancelled():
        raise CallboardError(f"The action {action.id} stopped by itself")
    with room.needed():
        work.result()


def _example(schema: Schema) -> Any:
    """Something that fits a schema: the output of an action that a dry run skips."""
    for choice in ("examples", "enum"):
        if schema.get(choice):
            return schema[choice][0]
    kind = schema.get("type")
    if kind == "object":
        members = schema.get("properties") or {}
        return {name: _example(member) for name, member in members.items()}
    if kind == "array":
        return [_example(schema.get("items") or {})]
    return {"string": "<example>", "number": 0, "integer": 0, "boolean": False}.get(
        str(kind), "<unknown>"
    )
