"""What the steps of one run share, and the values that their expressions read."""

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from services.scaffolder.actions.action import Tools
from services.scaffolder.actions.registry import Registry
from services.scaffolder.dialect import json_rendering
from services.scaffolder.dialect.json_rendering import ExpressionFailure
from services.scaffolder.dialect.limits import RenderingBudget
from services.scaffolder.dialect.template import TemplateDialect
from services.scaffolder.model import Answers, JsonObject, Task
from services.scaffolder.runs.run_log import RunLog
from services.scaffolder.secrets import dual_values
from services.scaffolder.secrets.dual_values import DualValue
from services.scaffolder.secrets.redaction import MASK, Redactor
from services.scaffolder.workspace.folder import Workspace
from shared.guards.workers import ThreadCall
from shared.kit.observability import tracing

#: The characters of the outputs of all steps: the store takes 16 MB for a run.
OUTPUT_CHARACTERS = 12_000_000
#: The characters of each part of a warning.
_LONGEST_PART = 200


def _output_budget() -> RenderingBudget:
    return RenderingBudget(text=OUTPUT_CHARACTERS, seconds=math.inf)


@dataclass(frozen=True, slots=True)
class RunContext:
    """What the steps of one run share. The run changes its `task`, nothing else here.

    `parameters` are the real answers; the task's spec has stars for secret ones.
    `warned` are the step, field and text of the expressions that the log warned of.
    `in_thread` does long work in the thread of the creator's runs. `output_budget` pays
    for the outputs of all steps and rounds in this process: a run holds and stores them
    all.
    """

    task: Task
    registry: Registry
    tools: Tools
    dialect: TemplateDialect
    workspace: Workspace
    log: RunLog
    redactor: Redactor
    in_thread: ThreadCall
    secrets: Mapping[str, str] = field(default_factory=dict)
    environment: JsonObject = field(default_factory=dict)
    parameters: Answers = field(default_factory=dict)
    has_secret_answers: bool = False
    is_dry_run: bool = False
    warned: set[tuple[str | None, str, str]] = field(default_factory=set)
    output_budget: RenderingBudget = field(default_factory=_output_budget)

    async def names(self, *, secret: bool = False) -> DualValue:
        """The values that expressions read; secrets only for the input of a step."""
        real = self._names(self.parameters, self._outputs(), secret=secret, mask=False)
        if not self.is_confidential:
            return DualValue.of(real)
        # In a thread, as every secret is searched for in the outputs of all steps.
        outputs = await self.in_thread(self.redactor.value, self._outputs())
        answers = self.task.spec["parameters"]
        return DualValue(real, self._names(answers, outputs, secret=secret, mask=True))

    def _names(
        self, parameters: Answers, outputs: JsonObject, *, secret: bool, mask: bool
    ) -> JsonObject:
        def secrets(values: Mapping[str, str]) -> dict[str, str]:
            return dict.fromkeys(values, MASK) if mask else dict(values)

        installation = self.environment.get("secrets") or {}
        names: JsonObject = {
            "parameters": parameters,
            "steps": outputs,
            "user": self.task.spec.get("user", {}),
            "environment": {
                "parameters": self.environment.get("parameters") or {},
                "secrets": secrets(installation) if secret else {},
            },
            "context": {"task": {"id": self.task.id}},
        }
        if secret:
            names["secrets"] = secrets(self.secrets)
        return names

    def _outputs(self) -> JsonObject:
        return {
            record.id: {"output": record.output}
            for record in self.task.steps
            if record.status == "completed" or record.output
        }

    @property
    def is_confidential(self) -> bool:
        """Whether readers of the log must not see some of the run's values."""
        return bool(
            self.secrets or self.environment.get("secrets") or self.has_secret_answers
        )

    async def render(
        self,
        value: Any,
        names: DualValue,
        field: str,
        step_id: str | None = None,
        *,
        secret_names: Sequence[str] = (),
    ) -> DualValue:
        """`value` rendered in a thread, as a template may take seconds.

        The log warns once of each expression that stays as its own text, unless it may
        have read a secret. `secret_names` are those of `names` that hold secrets in
        values without a public form.
        """
        if not json_rendering.has_template(self.dialect, value):
            return DualValue.of(value)
        rendered, failures = await self.in_thread(
            dual_values.render, self.dialect, value, names, self.redactor, field
        )
        for failure in dual_values.without(failures, secret_names):
            self._warn(failure, step_id)
        return rendered

    def _warn(self, failure: ExpressionFailure, step_id: str | None) -> None:
        place, source, reason = map(_shortened, failure)
        if (step_id, place, source) in self.warned:
            return
        self.warned.add((step_id, place, source))
        step = f"step {step_id}, " if step_id else ""
        self.log.add(
            f"Warning: {step}{place}: {source} is taken as plain text, because it "
            f"cannot be evaluated: {reason}",
            step_id=step_id,
        )

    def step_span(self, action: str, step_id: str) -> AbstractContextManager[object]:
        """The span of a step in the run's trace."""
        attributes = {"callboard.action": action, "callboard.step.id": step_id}
        return tracing.span(f"step {action}", attributes)

    @property
    def has_failed(self) -> bool:
        """Whether a step has failed."""
        return any(record.status == "failed" for record in self.task.steps)


def _shortened(part: str) -> str:
    """The beginning of a text, in one line."""
    beginning = " ".join(part[:_LONGEST_PART].split())
    return beginning if len(part) <= _LONGEST_PART else f"{beginning}…"
