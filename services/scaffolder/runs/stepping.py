"""One step of a run: whether it runs, how often, its input and its output."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from services.scaffolder.actions.action import Action, ActionContext
from services.scaffolder.dialect import json_rendering, json_text
from services.scaffolder.dialect.failure import TemplateLimitError
from services.scaffolder.model import (
    JsonObject,
    Schema,
    StepRecord,
    TakenOver,
    TemplateStep,
)
from services.scaffolder.runs.context import RunContext
from services.scaffolder.runs.retries import retry_step
from services.scaffolder.secrets import dual_values
from services.scaffolder.secrets.dual_values import DualValue
from services.scaffolder.templates import schema_checks
from shared.contracts import disk_space
from shared.contracts.errors import CallboardError, Invalid, TooLarge
from shared.contracts.scaffolder import StepStatus
from shared.guards.budgets import BudgetExceeded

FALSE_CONDITION = "its if condition was false"
EARLIER_FAILURE = "a previous step failed"
CONCEALED = (
    "the step failed; why is not shown, as its input holds pieces of secrets: give an "
    "action a secret whole"
)


class StepRun:
    """Runs one step and changes its `record`; `save` stores the state of the run."""

    def __init__(
        self,
        context: RunContext,
        step: TemplateStep,
        record: StepRecord,
        save: Callable[[], Awaitable[None]],
        *,
        is_resumed: bool = False,
    ) -> None:
        self._context = context
        self._step = step
        self._record = record
        self._save = save
        self._is_resumed = is_resumed
        self._conceals = False
        self._iteration_number: int | None = None

    def placed(self, error: BaseException) -> BaseException:
        """The error; a limit's message names the step and the iteration of `each`."""
        if isinstance(error, (TemplateLimitError, TooLarge, BudgetExceeded)):
            number = self._iteration_number
            iteration = "" if number is None else f", iteration {number} of each"
            error.with_message(f"step '{self._record.id}'{iteration}: {error.message}")
        return error

    async def reason_to_skip(self) -> str | None:
        """Why the step does not run, None if it does.

        Raises:
            CallboardError: if its condition takes too much work.
        """
        has_failed, condition = self._context.has_failed, self._step.get("if")
        if self._decides_per_iteration:
            skips = has_failed and not json_rendering.names_status_function(condition)
            return EARLIER_FAILURE if skips else None
        holds, called_status = await self._condition(None)
        if has_failed and not called_status:
            return EARLIER_FAILURE
        return None if holds else FALSE_CONDITION

    @property
    def _decides_per_iteration(self) -> bool:
        """Whether the `if` is evaluated for each iteration of `each`."""
        has_each = self._step.get("each") is not None
        return has_each and json_rendering.names_each(self._step.get("if"))

    async def _condition(self, iteration: DualValue | None) -> tuple[bool, bool]:
        """Whether the `if` holds, and whether it called `always()` or `failure()`."""
        functions = json_rendering.StatusFunctions(has_failed=self._context.has_failed)
        condition = self._step.get("if")
        if condition is None:
            return True, False
        names = await self._context.names()
        if iteration is not None:
            names = names.with_names(iteration.under("each"))
        rendered = await self._context.render(
            condition,
            DualValue.of({**names.real, **functions.by_name()}),
            "if",
            self._record.id,
            secret_names=names.secret_names,
        )
        return json_rendering.condition_holds(rendered.real), functions.were_called

    async def perform(self) -> StepStatus:
        """Do the step's work; the status of a step that did not fail.

        Raises:
            Exception: whatever the action raised.
        """
        action = self._context.registry.get(self._step["action"])
        with self._context.step_span(action.id, self._record.id):
            return await self._perform(action)

    async def _perform(self, action: Action) -> StepStatus:
        if self._context.is_dry_run and not action.supports_dry_run:
            self._context.log.add(
                f"Skipping because {action.id} does not support dry-run",
                step_id=self._record.id,
                status="skipped",
            )
            self._record.output = _example(action.output or {})
            return "skipped"
        if self._step.get("each") is None:
            self._record.output = await self._once(action, DualValue.of({}), key="")
            return "completed"
        await self._each(action)
        return "completed"

    async def _each(self, action: Action) -> None:
        names = await self._context.names(secret=True)
        rendered = await self._render(self._step["each"], "each", names)
        try:
            iterations = dual_values.iterations(rendered)
        except Invalid as error:
            raise Invalid(f"step '{self._record.id}': {error.message}") from error
        for number, iteration in enumerate(iterations):
            if number < self._record.done:
                continue
            self._iteration_number = number + 1
            await self._iterate(action, iteration, number)
            self._record.done = number + 1
            if number + 1 < len(iterations):
                await self._save()
            self._is_resumed = False

    async def _iterate(self, action: Action, iteration: DualValue, number: int) -> None:
        """Run one iteration; its outputs are added to those of the earlier ones."""
        text = json.dumps(iteration.public, ensure_ascii=False, separators=(",", ":"))
        if self._decides_per_iteration:
            holds, called_status = await self._condition(iteration)
            if not holds or (self._context.has_failed and not called_status):
                self._log(f"Skipping step each: {text}")
                return
        self._log(f"Running step each: {text}")
        outputs = await self._once(action, iteration.under("each"), key=f"{number}.")
        for name, value in outputs.items():
            self._record.output.setdefault(name, []).append(value)

    async def _once(self, action: Action, names: DualValue, *, key: str) -> JsonObject:
        values = await self._input(names)
        if values.has_fragments:
            return await self._concealed(action, values, key)
        return await self._outputs(action, values, key)

    async def _outputs(self, action: Action, values: DualValue, key: str) -> JsonObject:
        """The outputs of the action for this input."""
        await self._context.in_thread(
            schema_checks.check_input, action.id, action.input, values.real
        )
        context = await self._run_action(action, values, key)
        budget = self._context.output_budget
        try:
            outputs: JsonObject = json_text.plain(context.outputs, budget)
        except TemplateLimitError as error:
            raise TooLarge(f"output: with all before it, {error.reason}") from error
        return outputs

    async def _concealed(
        self, action: Action, values: DualValue, key: str
    ) -> JsonObject:
        """The same without any message of the action, which may hold the pieces."""
        self._conceals = True
        try:
            return await self._outputs(action, values, key)
        except TakenOver:
            raise
        except CallboardError as error:
            error.with_message(CONCEALED)
            raise
        except Exception as error:
            raise CallboardError(CONCEALED) from error
        finally:
            self._conceals = False

    async def _run_action(
        self, action: Action, values: DualValue, key: str
    ) -> ActionContext:
        """Run the action, again while something that it needs is unavailable.

        Actions are idempotent; a catalog that restarts is no reason to lose a run.
        """

        async def attempt() -> ActionContext:
            context = self._action_context(values, key)
            await _performed(action, context)
            return context

        def note(error: Exception, seconds: float) -> None:
            self._log(f"{error}; trying again in {seconds:g} seconds")
            self._is_resumed = True

        if self._context.is_dry_run:
            return await attempt()
        return await retry_step(attempt, note)

    async def _input(self, names: DualValue) -> DualValue:
        """The step's input, rendered; the redactor learns the texts made of secrets."""
        context_names = await self._context.names(secret=True)
        values, names = self._step.get("input") or {}, context_names.with_names(names)
        rendered = await self._render(values, "input", names)
        if not isinstance(rendered.real, dict):
            raise Invalid(f"input: the input of step {self._record.id} is no object")
        return rendered

    async def _render(self, value: Any, field: str, names: DualValue) -> DualValue:
        return await self._context.render(value, names, field, self._record.id)

    @property
    def _checkpoint_key(self) -> str:
        """The prefix of the step's checkpoints; it tells steps of one id apart."""
        steps = self._context.task.steps
        ids = [record.id for record in steps]
        index = next(n for n, record in enumerate(steps) if record is self._record)
        again = ids[:index].count(self._record.id)
        return f"{self._record.id}#{again}" if again else self._record.id

    def _action_context(self, values: DualValue, key: str) -> ActionContext:
        context, task = self._context, self._context.task
        prefix = f"{self._checkpoint_key}.{key}"

        async def remember(name: str, value: Any) -> None:
            task.checkpoints[prefix + name] = value
            await self._save()

        return ActionContext(
            task_id=task.id,
            step_id=self._record.id,
            input=values.real,
            public_input=values.public,
            redactor=context.redactor,
            workspace=context.workspace,
            initiator=task.created_by,
            user=task.spec.get("user", {}),
            template_info=task.spec.get("templateInfo", {}),
            tools=context.tools,
            log=self._log,
            in_thread=context.in_thread,
            secrets=context.secrets,
            is_dry_run=context.is_dry_run,
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
            message = self._context.redactor.whole(message)
        self._context.log.add(message, step_id=self._record.id)


async def _performed(action: Action, context: ActionContext) -> None:
    """Run an action in an asyncio task of its own, so that any error is its result."""
    work = asyncio.ensure_future(action.run(context))
    try:
        await asyncio.wait({work})
    finally:
        if not work.done():
            work.cancel()
            await asyncio.wait({work})
    if work.cancelled():
        raise CallboardError(f"The action {action.id} stopped by itself")
    with disk_space.raising_disk_full():
        work.result()


def _example(schema: Schema) -> Any:
    """A value that fits a schema: the output of an action that a dry run skips."""
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
