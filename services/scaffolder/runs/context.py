"""Everything that the steps of one run share, and the names that expressions know."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.scaffolder.actions.action import Tools
from services.scaffolder.actions.registry import Registry
from services.scaffolder.dialect import json_rendering
from services.scaffolder.dialect.template import TemplateDialect
from services.scaffolder.model import Answers, JsonObject, Task
from services.scaffolder.runs.journal import Journal
from services.scaffolder.secrets import twins
from services.scaffolder.secrets.redaction import MASK, Redactor
from services.scaffolder.secrets.twins import Twins
from services.scaffolder.workspace.folder import Workspace


@dataclass(slots=True)
class RunContext:
    """Everything that the steps of one run share."""

    task: Task
    registry: Registry
    tools: Tools
    dialect: TemplateDialect
    workspace: Workspace
    journal: Journal
    redactor: Redactor
    save: Callable[[], Awaitable[None]]
    secrets: Mapping[str, str] = field(default_factory=dict)
    environment: JsonObject = field(default_factory=dict)
    #: The answers as they were given; the task's spec shows none that is a secret.
    parameters: Answers = field(default_factory=dict)
    has_hidden_answers: bool = False
    is_dry_run: bool = False

    async def context(self, *, secret: bool = False) -> Twins:
        """What expressions know; secrets only where a step's input is rendered."""
        real = self._names(self.parameters, self._outputs(), secret=secret, mask=False)
        if not self.is_confidential:
            return Twins.of(real)
        # Beside the loop: every secret is looked for in everything that steps gave.
        shown = await asyncio.to_thread(self.redactor.value, self._outputs())
        parameters = self.task.spec["parameters"]
        return Twins(real, self._names(parameters, shown, secret=secret, mask=True))

    def _names(
        self, parameters: Any, outputs: Any, *, secret: bool, mask: bool
    ) -> JsonObject:
        def secrets(values: Mapping[str, str]) -> dict[str, str]:
            return dict.fromkeys(values, MASK) if mask else dict(values)

        of_all = secrets(self.environment.get("secrets") or {}) if secret else {}
        names: JsonObject = {
            "parameters": parameters,
            "steps": outputs,
            "user": self.task.spec.get("user") or {},
            "environment": {
                "parameters": self.environment.get("parameters") or {},
                "secrets": of_all,
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
        """Whether anything of the run has to be kept from who reads its log."""
        return bool(
            self.secrets or self.environment.get("secrets") or self.has_hidden_answers
        )

    async def rendered(self, value: Any, context: Twins) -> Twins:
        """`value` rendered, beside the event loop: a template may take its time."""
        if not json_rendering.has_template(self.dialect, value):
            return Twins.of(value)
        return await asyncio.to_thread(
            twins.rendered, self.dialect, value, context, self.redactor
        )

    @property
    def has_failed(self) -> bool:
        return any(record.status == "failed" for record in self.task.steps)
