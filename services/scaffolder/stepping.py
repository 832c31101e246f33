"""One step of a run: whether it runs, with what input, how often, and what it says."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.scaffolder import inputs, validation
from services.scaffolder.action import Action, ActionContext, Tools
from services.scaffolder.dialect import json_text
from services.scaffolder.dialect.template import Dialect
from services.scaffolder.journal import Journal
from services.scaffolder.model import StepRecord, Task
from services.scaffolder.redaction import Redactor, derived
from services.scaffolder.registry import Registry
from services.scaffolder.workspace import Workspace
from shared.contracts import room
from shared.contracts.errors import CallboardError, Invalid, Unavailable
from shared.contracts.scaffolder import StepStatus

FALSE_CONDITION = "its if condition was false"
EARLIER_FAILURE = "a previous step failed"
_ITERATIONS = 1000
#: How long a step waits for something that is away, and between its tries.
PATIENCE_SECONDS = 120.0
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 10.0


@dataclass(slots=True)
class RunScene:
    """Everything that the steps of one run share."""

    task: Task
    registry: Registry
    tools: Tools
    dialect: Dialect
    workspace: Workspace
    journal: Journal
    redactor: Redactor
    save: Callable[[], Awaitable[None]]
    secrets: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    is_dry_run: bool = False

    def context(self, *, secret: bool = False) -> dict[str, Any]:
        """What expressions know; secrets only where a step's input is rendered."""
        environment: dict[str, Any] = {
            "parameters": self.environment.get("parameters") or {},
            "secrets": (self.environment.get("secrets") or {}) if secret else {},
        }
        made: dict[str, Any] = {
            "parameters": self.task.spec["parameters"],
            "steps": {
                record.id: {"output": record.output}
                for record in self.task.steps
                if record.status == "completed" or record.output
            },
            "user": self.task.spec.get("user") or {},
            "environment": environment,
            "context": {"task": {"id": self.task.id}},
        }
        if secret:
            made["secrets"] = dict(self.secrets)
        return made

    async def rendered(
        self, value: Any, context: Mapping[str, Any], trace: list[str] | None = None
    ) -> Any:
        """`value` rendered, beside the event loop: a template may take its time."""
        if not inputs.has_template(self.dialect, value):
            return value
        return await asyncio.to_thread(
            inputs.rendered, self.dialect, value, context, trace
        )

    @property
    def has_failed(self) -> bool:
        return any(record.status == "failed" for record in self.task.steps)


class StepRun:
    """Runs one step. `record` is kept up to date; the caller keeps it."""

    def __init__(
        self,
        scene: RunScene,
        step: Mapping[str, Any],
        record: StepRecord,
        *,
        is_resumed: bool = False,
    ) -> None:
        self._scene = scene
        self._step = step
        self._record = record
        self._is_resumed = is_resumed

    async def reason_to_skip(self) -> str | None:
        """Why the step does not run, None if it does.

        Raises:
            CallboardError: if its condition takes too much work.
        """
        has_failed = self._scene.has_failed
        functions = inputs.StatusFunctions(has_failed=has_failed)
        condition = self._step.get("if")
        holds = True
        if condition is not None:
            context = {**self._scene.context(), **functions.context()}
            holds = inputs.condition_holds(
                await self._scene.rendered(condition, context)
            )
        if has_failed and not functions.was_asked:
            return EARLIER_FAILURE
        return None if holds else FALSE_CONDITION

    async def perform(self) -> StepStatus:
        """Do the step's work; how it ended if it did not fail.

        Raises:
            Exception: whatever the action raised.
        """
        action = self._scene.registry.get(self._step["action"])
        if self._scene.is_dry_run and not action.supports_dry_run:
            self._scene.journal.log(
                f"Skipping because {action.id} does not support dry-run",
                step_id=self._record.id,
                status="skipped",
            )
            self._record.output = _example(action.output or {})
            return "skipped"
        if self._step.get("each") is None:
            outputs = await self._once(action, {}, key="")
            self._record.output = outputs
            return "completed"
        await self._each(action)
        return "completed"

    async def _each(self, action: Action) -> None:
        iterated = await self._scene.rendered(
            self._step["each"], self._scene.context(secret=True)
        )
        rounds = list(_rounds(iterated))
        for number, round_ in enumerate(rounds):
            if number < self._record.done:
                continue
            told = json.dumps(round_, ensure_ascii=False, separators=(",", ":"))
            self._log(f"Running step each: {told}")
            outputs = await self._once(action, {"each": round_}, key=f"{number}.")
            for name, value in outputs.items():
                self._record.output.setdefault(name, []).append(value)
            self._record.done = number + 1
            if number + 1 < len(rounds):
                await self._scene.save()
            self._is_resumed = False

    async def _once(
        self, action: Action, more: Mapping[str, Any], *, key: str
    ) -> dict[str, Any]:
        given = await self._input(more)
        validation.check_input(action.id, action.input, given)
        context = await self._patiently(action, given, key)
        made: dict[str, Any] = json_text.plain(context.outputs)
        return made

    async def _patiently(
        self, action: Action, given: dict[str, Any], key: str
    ) -> ActionContext:
        """Run the action again while something that it needs is away.

        Actions are idempotent; a catalog that restarts is no reason to lose a run.
        """
        wait = FIRST_WAIT_SECONDS
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            context = self._context(given, key)
            try:
                await _performed(action, context)
            except Unavailable as error:
                if self._scene.is_dry_run or time.monotonic() + wait > deadline:
                    raise
                self._log(f"{error.message}; trying again in {wait:g} seconds")
                await asyncio.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT_SECONDS)
                self._is_resumed = True
            else:
                return context

    async def _input(self, more: Mapping[str, Any]) -> dict[str, Any]:
        """The step's input; what secrets made of it is secret from now on."""
        scene, given = self._scene, self._step.get("input") or {}
        context = {**scene.context(secret=True), **more}
        gave: list[str] = []
        made = await scene.rendered(given, context, gave)
        if scene.secrets or context["environment"]["secrets"]:
            bare = {**scene.context(), **more, "secrets": {}}
            gave_bare: list[str] = []
            await scene.rendered(given, bare, gave_bare)
            scene.redactor.add(derived(gave, gave_bare))
        if not isinstance(made, dict):
            raise Invalid(f"input: the input of step {self._record.id} is no object")
        return made

    def _context(self, given: dict[str, Any], key: str) -> ActionContext:
        scene, task = self._scene, self._scene.task
        prefix = f"{self._record.id}.{key}"

        async def remember(name: str, value: Any) -> None:
            task.checkpoints[prefix + name] = value
            await scene.save()

        return ActionContext(
            task_id=task.id,
            step_id=self._record.id,
            input=given,
            workspace=scene.workspace,
            initiator=task.created_by,
            user=task.spec.get("user") or {},
            template_info=task.spec.get("templateInfo") or {},
            tools=scene.tools,
            log=self._log,
            secrets=scene.secrets,
            is_dry_run=scene.is_dry_run,
            is_resumed=self._is_resumed,
            checkpoints={
                name.removeprefix(prefix): value
                for name, value in task.checkpoints.items()
                if name.startswith(prefix)
            },
            remember=remember,
        )

    def _log(self, message: str) -> None:
        self._scene.journal.log(message, step_id=self._record.id)


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


def _rounds(iterated: Any) -> Iterator[dict[str, Any]]:
    if isinstance(iterated, dict):
        pairs = list(iterated.items())
    elif isinstance(iterated, list):
        pairs = [(str(number), value) for number, value in enumerate(iterated)]
    else:
        raise Invalid("each: it must be, or render to, an array or an object")
    if len(pairs) > _ITERATIONS:
        raise Invalid(f"each: over the limit of {_ITERATIONS} iterations")
    for key, value in pairs:
        yield {"key": key, "value": value}


def _example(schema: Mapping[str, Any]) -> Any:
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
