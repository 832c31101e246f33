"""What an action is and what it is given: the interface for plugins."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.scaffolder.dialect.calling import Operation
from services.scaffolder.dialect.template import TemplateDialect
from services.scaffolder.model import (
    Initiator,
    JsonObject,
    RunUser,
    Schema,
    TemplateInfo,
)
from services.scaffolder.ports import Repositories, TemplateCatalog, TemplateSources
from services.scaffolder.secrets.dual_values import LearningDialect
from services.scaffolder.secrets.redaction import Redactor
from services.scaffolder.workspace.folder import Workspace
from shared.guards.workers import ThreadCall

Checkpoint = Callable[[str, Any], Awaitable[None]]
DRAFT = "http://json-schema.org/draft-07/schema#"


@dataclass(frozen=True, slots=True)
class Tools:
    """What actions use; `author` is the author of commits of a user without a name."""

    catalog: TemplateCatalog
    sources: TemplateSources
    repositories: Repositories
    filters: Mapping[str, Operation] = field(default_factory=dict)
    author: tuple[str, str] = ("Scaffolder", "scaffolder@callboard.invalid")
    commit_message: str = "Initial commit"

    def dialect(
        self,
        *,
        cookiecutter: bool = False,
        trim_blocks: bool = False,
        lstrip_blocks: bool = False,
    ) -> TemplateDialect:
        """The dialect of skeleton files, with the scaffolder's own filters."""
        return TemplateDialect(
            self.filters,
            cookiecutter=cookiecutter,
            trim_blocks=trim_blocks,
            lstrip_blocks=lstrip_blocks,
        )


@dataclass(slots=True)
class ActionContext:
    """One call of an action.

    `input` is rendered and meets the action's schema. `is_resumed`: a process died
    during this call, so part of the work may be done. `checkpoints` are the values that
    earlier calls stored with `checkpoint`. Cancelling a run cancels the coroutine.
    """

    task_id: str
    step_id: str
    input: JsonObject
    workspace: Workspace
    initiator: Initiator
    user: RunUser
    template_info: TemplateInfo
    tools: Tools
    log: Callable[[str], None]
    #: The result of blocking or long work, done in a thread of the run's creator.
    in_thread: ThreadCall
    secrets: Mapping[str, str] = field(default_factory=dict)
    is_dry_run: bool = False
    is_resumed: bool = False
    checkpoints: JsonObject = field(default_factory=dict)
    remember: Checkpoint | None = None
    outputs: JsonObject = field(default_factory=dict)
    #: The input as people may see it: the same unless it holds secrets.
    public_input: JsonObject | None = None
    redactor: Redactor | None = None

    def learning(
        self,
        dialect: TemplateDialect,
        names: Callable[[JsonObject], JsonObject],
    ) -> TemplateDialect | LearningDialect:
        """A dialect for files, which masks what they make of the input's secrets.

        `names` makes the context of the files out of an input.
        """
        public = self.public_input
        if public is None or self.redactor is None or public == self.input:
            return dialect
        return LearningDialect(dialect, names(public), self.redactor)

    @property
    def base_url(self) -> str | None:
        """The address of the template, which relative URLs in it start from."""
        return self.template_info.get("baseUrl")

    def output(self, name: str, value: Any) -> None:
        """Set an output, for later steps and the template's output."""
        self.outputs[name] = value

    async def checkpoint(self, key: str, value: Any) -> None:
        """Store a JSON value before work that must not be done twice."""
        if self.remember is not None:
            await self.remember(key, value)


@dataclass(frozen=True, slots=True)
class Example:
    """An example of an action's use, as YAML."""

    description: str
    example: str

    def document(self) -> dict[str, str]:
        return {"description": self.description, "example": self.example}


@dataclass(frozen=True, slots=True)
class Action:
    """A named piece of work for a template's step.

    `run` must be idempotent: after a crash it is called again with `is_resumed`.
    """

    id: str
    description: str
    run: Callable[[ActionContext], Awaitable[None]]
    input: Schema
    output: Schema | None = None
    examples: Sequence[Example] = ()
    supports_dry_run: bool = False

    def document(self) -> JsonObject:
        """The action as `/v2/actions` lists it."""
        schema: JsonObject = {"input": {**self.input, "$schema": DRAFT}}
        if self.output is not None:
            schema["output"] = {**self.output, "$schema": DRAFT}
        return {
            "id": self.id,
            "description": self.description,
            "examples": [example.document() for example in self.examples],
            "schema": schema,
        }


def text(description: str, **rules: Any) -> JsonObject:
    """The schema of a text."""
    return {"type": "string", "description": description, **rules}


def flag(description: str) -> JsonObject:
    """The schema of a yes or no."""
    return {"type": "boolean", "description": description}


def members(
    properties: Mapping[str, Schema], *, required: Sequence[str] = ()
) -> JsonObject:
    """The schema of an object with these members and no others."""
    schema: JsonObject = {"type": "object", "properties": dict(properties)}
    if required:
        schema["required"] = list(required)
    return {**schema, "additionalProperties": False}


def step(action: str, description: str, input_yaml: str) -> Example:
    """An example of a step; `input_yaml` is its input, without indentation."""
    lines = "".join(f"      {line}\n" for line in input_yaml.strip().splitlines())
    return Example(description, f"steps:\n  - action: {action}\n    input:\n{lines}")
