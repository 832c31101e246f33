"""Sets the scene for a run: secrets opened, what is secret known, folder and log."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from services.scaffolder.action import Tools
from services.scaffolder.dialect.template import Dialect
from services.scaffolder.folder_sources import FolderSources
from services.scaffolder.journal import EventKeeper, Journal, Told
from services.scaffolder.model import Task
from services.scaffolder.ports import TaskStore, Vault
from services.scaffolder.redaction import Redactor, texts
from services.scaffolder.registry import Registry
from services.scaffolder.running import Run
from services.scaffolder.stepping import RunScene
from services.scaffolder.workspace import Workspace


async def _unsaved() -> None:
    """A scene saves nothing until its run takes that over."""


@dataclass(frozen=True, slots=True)
class Scenes:
    """What all runs of this process have in common."""

    registry: Registry
    tools: Tools
    vault: Vault
    workspaces: Path
    environment: Mapping[str, Any] = field(default_factory=dict)
    #: One for all runs, so that a template is parsed once.
    dialect: Dialect = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "dialect", self.tools.dialect())

    def workspace(self, task_id: str) -> Workspace:
        """The folder of a run."""
        return Workspace(self.workspaces / task_id)

    async def run(self, task: Task, store: TaskStore, told: Told) -> Run:
        """The run of a claimed task."""
        secrets = self.vault.open(task.secrets) if task.secrets else {}
        is_first_turn = task.epoch == 1 and task.sequence == 1
        last = 0 if is_first_turn else await store.last_number(task.id)
        workspace = self.workspace(task.id)
        scene = self._scene(
            task, secrets, store, workspace, self.tools, told=told, last=last
        )
        return Run(store, scene)

    def dry(
        self,
        task: Task,
        secrets: Mapping[str, str],
        keeper: EventKeeper,
        workspace: Workspace,
        content: Path,
    ) -> RunScene:
        """The scene of a dry run, whose template lies in the folder `content`."""
        sources = FolderSources(content, self.tools.sources)
        tools = replace(self.tools, sources=sources)
        scene = self._scene(task, secrets, keeper, workspace, tools)
        scene.is_dry_run = True
        return scene

    def _scene(
        self,
        task: Task,
        secrets: Mapping[str, str],
        keeper: EventKeeper,
        workspace: Workspace,
        tools: Tools,
        *,
        told: Told | None = None,
        last: int = 0,
    ) -> RunScene:
        hidden = [*texts(dict(secrets)), *texts(self.environment.get("secrets") or {})]
        redactor = Redactor(hidden)
        return RunScene(
            task=task,
            registry=self.registry,
            tools=tools,
            dialect=self.dialect,
            workspace=workspace,
            journal=Journal(task.id, keeper, redactor, last=last, told=told),
            redactor=redactor,
            save=_unsaved,
            secrets=secrets,
            environment=self.environment,
        )
