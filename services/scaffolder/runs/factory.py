"""Makes the context of a run: secrets unsealed, redaction, workspace and log."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from services.scaffolder.actions.action import Tools
from services.scaffolder.actions.registry import Registry
from services.scaffolder.dialect.template import TemplateDialect
from services.scaffolder.model import Answers, JsonObject, Task
from services.scaffolder.ports import TaskStore, Vault
from services.scaffolder.runs.context import RunContext
from services.scaffolder.runs.journal import EventKeeper, Journal, Told
from services.scaffolder.runs.running import TaskRun
from services.scaffolder.secrets.hidden_answers import secret_texts
from services.scaffolder.secrets.redaction import MASK, Redactor, texts
from services.scaffolder.workspace.folder import Workspace
from services.scaffolder.workspace.folder_sources import FolderSources
from services.scaffolder.workspace.source_rights import ReadableSources


async def _unsaved() -> None:
    """Save nothing: the run replaces this by its own saving."""


@dataclass(frozen=True, slots=True)
class RunFactory:
    """Makes runs of this process, with what they have in common."""

    registry: Registry
    tools: Tools
    vault: Vault
    workspaces: Path
    environment: JsonObject = field(default_factory=dict)
    #: One for all runs, so that a template is parsed once.
    dialect: TemplateDialect = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "dialect", self.tools.dialect())

    def workspace(self, task_id: str) -> Workspace:
        """The folder of a run."""
        return Workspace(self.workspaces / task_id)

    async def run(self, task: Task, store: TaskStore, told: Told) -> TaskRun:
        """The run of a claimed task."""
        secrets = self.vault.open(task.secrets) if task.secrets else {}
        given = _RunInput(secrets, self.environment, task.spec["parameters"])
        if task.hidden:
            names, parameters = self.vault.open(task.hidden)
            given = replace(given, parameters=parameters, names=frozenset(names))
        is_first_turn = task.epoch == 1 and task.sequence == 1
        last = 0 if is_first_turn else await store.last_number(task.id)
        workspace = self.workspace(task.id)
        redactor = Redactor(given.hidden())
        redactor.recall(task.learned)
        journal = Journal(task.id, store, redactor, last=last, told=told)
        run_context = self._run_context(task, given, journal, redactor, workspace)
        task.is_confidential = task.is_confidential or run_context.is_confidential
        return TaskRun(store, run_context)

    def dry(
        self,
        task: Task,
        secrets: Mapping[str, str],
        keeper: EventKeeper,
        workspace: Workspace,
        content: Path,
    ) -> RunContext:
        """The scene of a dry run, whose template lies in the folder `content`.

        Whoever may try a template need not know the installation's secrets, nor see
        their own: nothing but stand-ins enters it, so no secret can leave it.
        """
        environment = dict(self.environment)
        environment["secrets"] = dict.fromkeys(environment.get("secrets") or {}, MASK)
        masks = dict.fromkeys(secrets, MASK)
        given = _RunInput(masks, environment, task.spec["parameters"])
        redactor = Redactor(texts(dict(secrets)))
        journal = Journal(task.id, keeper, redactor)
        run_context = self._run_context(task, given, journal, redactor, workspace)
        sources = FolderSources(content, run_context.tools.sources)
        run_context.tools = replace(run_context.tools, sources=sources)
        run_context.is_dry_run = True
        return run_context

    def _run_context(
        self,
        task: Task,
        given: "_RunInput",
        journal: Journal,
        redactor: Redactor,
        workspace: Workspace,
    ) -> RunContext:
        tools = self.tools
        # What may be read on behalf of whom the run acts for.
        sources = ReadableSources(tools.sources, tools.catalog, task.created_by)
        return RunContext(
            task=task,
            registry=self.registry,
            tools=replace(tools, sources=sources),
            dialect=self.dialect,
            workspace=workspace,
            journal=journal,
            redactor=redactor,
            save=_unsaved,
            secrets=given.secrets,
            environment=given.environment,
            parameters=given.parameters,
            has_hidden_answers=bool(given.names),
        )


@dataclass(frozen=True, slots=True)
class _RunInput:
    """The input of a run; `names` are the answers that are secret."""

    secrets: Mapping[str, str]
    environment: JsonObject
    parameters: Answers
    names: frozenset[str] = frozenset()

    def hidden(self) -> list[str]:
        """Every text that nobody may see."""
        return [
            *texts(dict(self.secrets)),
            *texts(self.environment.get("secrets") or {}),
            *secret_texts(self.parameters, self.names),
        ]
