"""What the steps of one run share, and the values that their expressions read."""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from services.scaffolder.actions.action import Tools
from services.scaffolder.actions.registry import Registry
from services.scaffolder.dialect import json_rendering
from services.scaffolder.dialect.template import TemplateDialect
from services.scaffolder.model import Answers, JsonObject, Task
from services.scaffolder.runs.run_log import RunLog
from services.scaffolder.secrets import dual_values
from services.scaffolder.secrets.dual_values import DualValue
from services.scaffolder.secrets.redaction import MASK, Redactor
from services.scaffolder.workspace.folder import Workspace
from shared.kit.observability import tracing


@dataclass(frozen=True, slots=True)
class RunContext:
    """What the steps of one run share. The run changes its `task`, nothing else here.

    `parameters` are the real answers; the task's spec has stars for secret ones.
    """

    task: Task
    registry: Registry
    tools: Tools
    dialect: TemplateDialect
    workspace: Workspace
    log: RunLog
    redactor: Redactor
    secrets: Mapping[str, str] = field(default_factory=dict)
    environment: JsonObject = field(default_factory=dict)
    parameters: Answers = field(default_factory=dict)
    has_secret_answers: bool = False
    is_dry_run: bool = False

    async def names(self, *, secret: bool = False) -> DualValue:
        """The values that expressions read; secrets only for the input of a step."""
        real = self._names(self.parameters, self._outputs(), secret=secret, mask=False)
        if not self.is_confidential:
            return DualValue.of(real)
        # In a thread, as every secret is searched for in the outputs of all steps.
        outputs = await asyncio.to_thread(self.redactor.value, self._outputs())
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

    async def render(self, value: Any, names: DualValue) -> DualValue:
        """`value` rendered in a thread, as a template may take seconds."""
        if not json_rendering.has_template(self.dialect, value):
            return DualValue.of(value)
        return await asyncio.to_thread(
            dual_values.render, self.dialect, value, names, self.redactor
        )

    def step_span(self, action: str, step_id: str) -> AbstractContextManager[object]:
        """The span of a step in the run's trace."""
        attributes = {"callboard.action": action, "callboard.step.id": step_id}
        return tracing.span(f"step {action}", attributes)

    @property
    def has_failed(self) -> bool:
        """Whether a step has failed."""
        return any(record.status == "failed" for record in self.task.steps)
