"""Makes runs: unseals their secrets, sets up redaction, workspace and log."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from services.scaffolder.actions.action import Tools
from services.scaffolder.actions.registry import Registry
from services.scaffolder.dialect.template import TemplateDialect
from services.scaffolder.model import Answers, JsonObject, Task
from services.scaffolder.ports import TaskStore, Vault
from services.scaffolder.runs.context import RunContext
from services.scaffolder.runs.creator_turns import CreatorTurns
from services.scaffolder.runs.run_log import Notify, RunLog
from services.scaffolder.runs.running import RunStore, TaskRun
from services.scaffolder.secrets.hidden_answers import secret_texts
from services.scaffolder.secrets.redaction import MASK, Redactor, texts
from services.scaffolder.workspace.folder import Workspace
from services.scaffolder.workspace.folder_sources import FolderSources
from services.scaffolder.workspace.source_rights import ReadableSources


@dataclass(frozen=True, slots=True)
class RunFactory:
    """Makes the runs of one process, from what all of them share."""

    registry: Registry
    tools: Tools
    vault: Vault
    workspaces: Path
    environment: JsonObject = field(default_factory=dict)
    turns: CreatorTurns = field(default_factory=CreatorTurns)
    #: Shared by all runs, so that a template is parsed once.
    dialect: TemplateDialect = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "dialect", self.tools.dialect())

    def workspace(self, task_id: str) -> Workspace:
        """The folder of a run."""
        return Workspace(self.workspaces / task_id)

    async def run(self, task: Task, store: TaskStore, notify: Notify) -> TaskRun:
        """The run of a claimed task."""
        secrets = self.vault.open(task.secrets) if task.secrets else {}
        run_input = _RunInput(secrets, self.environment, task.spec["parameters"])
        if task.hidden:
            names, answers = self.vault.open(task.hidden)
            run_input = replace(
                run_input, parameters=answers, secret_names=frozenset(names)
            )
        is_first_turn = task.epoch == 1 and task.sequence == 1
        last = 0 if is_first_turn else await store.last_number(task.id)
        redactor = Redactor(run_input.secret_texts())
        redactor.recall(task.learned)
        log = RunLog(task.id, store, redactor, last=last, notify=notify)
        context = self._context(
            task, run_input, self._tools_for(task), self.workspace(task.id), log
        )
        task.is_confidential = task.is_confidential or context.is_confidential
        return TaskRun(store, context)

    def dry_run(
        self,
        task: Task,
        secrets: Mapping[str, str],
        store: RunStore,
        workspace: Workspace,
        content: Path,
    ) -> TaskRun:
        """The dry run of a template whose files are in the folder `content`.

        It gets stand-ins for all secrets: its author may know neither the
        installation's secrets nor those of a user who tries the template.
        """
        environment = dict(self.environment)
        environment["secrets"] = dict.fromkeys(environment.get("secrets") or {}, MASK)
        masks = dict.fromkeys(secrets, MASK)
        run_input = _RunInput(masks, environment, task.spec["parameters"])
        log = RunLog(task.id, store, Redactor(texts(dict(secrets))))
        tools = self._tools_for(task)
        in_thread = self.turns.of_runs(task.created_by)
        sources = FolderSources(content, tools.sources, in_thread)
        tools = replace(tools, sources=sources)
        context = self._context(task, run_input, tools, workspace, log)
        return TaskRun(store, replace(context, is_dry_run=True))

    def _tools_for(self, task: Task) -> Tools:
        """The tools, which read sources with the rights of the task's initiator."""
        tools = self.tools
        sources = ReadableSources(tools.sources, tools.catalog, task.created_by)
        return replace(tools, sources=sources)

    def _context(
        self,
        task: Task,
        run_input: "_RunInput",
        tools: Tools,
        workspace: Workspace,
        log: RunLog,
    ) -> RunContext:
        return RunContext(
            task=task,
            registry=self.registry,
            tools=tools,
            dialect=self.dialect,
            workspace=workspace,
            log=log,
            redactor=log.redactor,
            in_thread=self.turns.of_runs(task.created_by),
            secrets=run_input.secrets,
            environment=run_input.environment,
            parameters=run_input.parameters,
            has_secret_answers=bool(run_input.secret_names),
        )


@dataclass(frozen=True, slots=True)
class _RunInput:
    """The input of a run; `secret_names` are the names of secret answers."""

    secrets: Mapping[str, str]
    environment: JsonObject
    parameters: Answers
    secret_names: frozenset[str] = frozenset()

    def secret_texts(self) -> list[str]:
        """Every text that the log must not show."""
        return [
            *texts(dict(self.secrets)),
            *texts(self.environment.get("secrets") or {}),
            *secret_texts(self.parameters, self.secret_names),
        ]
