"""The model of the scaffolder: tasks, their steps and their log."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Required, TypedDict

from shared.contracts.scaffolder import RunStatus, StepStatus
from shared.contracts.trace import Trace

EventType = Literal["log", "completion", "cancelled", "recovered"]
ENDED: frozenset[RunStatus] = frozenset(("completed", "failed", "cancelled"))
#: A run in one of these may be tried again.
RETRYABLE: frozenset[RunStatus] = frozenset(("failed", "cancelled"))
STEP_ENDED: frozenset[StepStatus] = frozenset(
    ("completed", "failed", "cancelled", "skipped")
)
LONGEST_MESSAGE = 64 * 1024
START_OVER = "startOver"
#: Values by names that a template's author or an action chose: JSON of no known shape.
JsonObject = dict[str, Any]
#: The answers of a form, by the names of its fields.
Answers = Mapping[str, Any]
#: A JSON Schema, whose keywords are a standard's.
Schema = Mapping[str, Any]
#: A step of a template. A `TypedDict` call, as `if` cannot be a class attribute.
TemplateStep = TypedDict(
    "TemplateStep",
    {
        "id": Required[str],
        "name": Required[str],
        "action": Required[str],
        "input": JsonObject,
        "if": str | bool,
        "each": str | list[Any] | JsonObject,
    },
    total=False,
)


class TemplateInfo(TypedDict, total=False):
    """The template of a run: its ref, its metadata, the address of its file."""

    entityRef: str
    entity: JsonObject
    baseUrl: str


class RunUser(TypedDict, total=False):
    """The user whom a run acts for, as expressions read it."""

    ref: str
    entity: JsonObject


class RunSpec(TypedDict, total=False):
    """A frozen copy of a template with the answers of one run (Backstage's task spec).

    Its names are those of the API and of the store.
    """

    apiVersion: str
    steps: Required[list[TemplateStep]]
    output: JsonObject
    parameters: JsonObject
    user: RunUser
    templateInfo: TemplateInfo
    EXPERIMENTAL_recovery: JsonObject


def now() -> datetime:
    """The current time in UTC, in whole seconds, as the store has it."""
    return datetime.now(UTC).replace(microsecond=0)


class TakenOver(Exception):
    """Another process has claimed the run: this one stops and writes nothing more."""


@dataclass(frozen=True, slots=True)
class Initiator:
    """The user (an entity ref) or the program whom a run acts for."""

    ref: str
    is_user: bool = True


@dataclass(slots=True)
class StepRecord:
    """The progress of one step; `output` is the output of its action.

    With `each`, `done` counts the iterations whose output is part of `output`.
    `resumed` counts how often a process ended in the middle of it.
    """

    id: str
    name: str
    status: StepStatus = "open"
    output: JsonObject = field(default_factory=dict)
    done: int = 0
    resumed: int = 0
    error: str | None = None
    error_name: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(slots=True)
class Task:
    """One run of a template: a frozen copy of the template, and the progress.

    `secrets` are encrypted; a run that ever had some stays confidential: the outputs of
    its steps are stored encrypted, with the texts made of secrets (`learned`). `hidden`
    are the real answers, encrypted, with the names of the secret ones, for which the
    spec has stars. `checkpoints` are values that actions store, by step and key, to do
    nothing twice. `epoch` counts the claims; a write of an earlier claim is refused.
    """

    id: str
    spec: RunSpec
    created_by: Initiator
    status: RunStatus = "open"
    created_at: datetime = field(default_factory=now)
    last_heartbeat_at: datetime | None = None
    secrets: str | None = None
    hidden: str | None = None
    learned: dict[str, str] = field(default_factory=dict)
    steps: list[StepRecord] = field(default_factory=list)
    checkpoints: JsonObject = field(default_factory=dict)
    output: JsonObject = field(default_factory=dict)
    error: str | None = None
    sequence: int = 0
    epoch: int = 0
    is_cancelling: bool = False
    is_confidential: bool = False
    #: The trace of the request that created it.
    trace: Trace = field(default_factory=dict)

    @property
    def template_ref(self) -> str:
        return self.spec.get("templateInfo", {}).get("entityRef", "")

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED

    def next_sequence(self) -> int:
        """Count up, and answer the number of this run's next event."""
        self.sequence += 1
        return self.sequence


def fresh_steps(spec: RunSpec) -> list[StepRecord]:
    """The records of a spec's steps, none begun."""
    return [StepRecord(step["id"], step["name"]) for step in spec["steps"]]


@dataclass(frozen=True, slots=True)
class TaskEvent:
    """One line of a run's log, numbered from 1 within the run."""

    task_id: str
    number: int
    type: EventType
    body: JsonObject
    created_at: datetime = field(default_factory=now)


@dataclass(frozen=True, slots=True)
class TaskQuery:
    """The runs to list; the caller may see those of `visible_to`, None for all."""

    created_by: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    order_by: Literal["created_at", "status", "created_by"] = "created_at"
    is_descending: bool = True
    limit: int | None = None
    offset: int = 0
    visible_to: tuple[str, ...] | None = None
