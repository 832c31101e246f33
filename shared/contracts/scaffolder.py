"""The scaffolder's events: changes of a template's run.

Topic `template-run`, key = task id. Secrets are never part of an event.
"""

from typing import Any, ClassVar, Literal

from pydantic import Field

from shared.contracts.envelope import Payload
from shared.contracts.topics import TEMPLATE_RUN

RunStatus = Literal["open", "processing", "completed", "failed", "cancelled"]
StepStatus = Literal[
    "open", "processing", "completed", "failed", "cancelled", "skipped"
]


class RunChange(Payload):
    """The fields that all events of a run share.

    `sequence` counts the events of one run from 1, `output` is the template's output
    (links, text, remoteUrl, entityRef) once completed.
    """

    TOPIC: ClassVar[str] = TEMPLATE_RUN

    task_id: str
    template_ref: str
    created_by: str
    status: RunStatus
    sequence: int = Field(ge=1)
    step_id: str | None = None
    step_name: str | None = None
    step_status: StepStatus | None = None
    output: dict[str, Any] = Field(default_factory=dict)
    error: str | None = None


class RunCreated(RunChange):
    """A run was requested; it waits for a worker."""

    TYPE: ClassVar[str] = "callboard.run.created.v1"


class RunStarted(RunChange):
    """A worker started the run, or resumed it after a crash."""

    TYPE: ClassVar[str] = "callboard.run.started.v1"


class StepChanged(RunChange):
    """A step began or ended."""

    TYPE: ClassVar[str] = "callboard.run.step-changed.v1"


class RunCompleted(RunChange):
    """Every step is completed."""

    TYPE: ClassVar[str] = "callboard.run.completed.v1"


class RunFailed(RunChange):
    """A step failed; `error` is the reason."""

    TYPE: ClassVar[str] = "callboard.run.failed.v1"


class RunCancelled(RunChange):
    """Somebody cancelled the run."""

    TYPE: ClassVar[str] = "callboard.run.cancelled.v1"
