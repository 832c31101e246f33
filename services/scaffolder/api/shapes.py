"""Runs and log lines as Backstage's clients read them."""

from datetime import UTC, datetime

from services.scaffolder.model import JsonObject, Task, TaskEvent
from services.scaffolder.templates import template_entity


def moment(value: datetime) -> str:
    """A moment as Backstage writes it: UTC, milliseconds, `Z`."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def task(run: Task) -> JsonObject:
    """A run without its secrets and inner state."""
    answer: JsonObject = {
        "id": run.id,
        "spec": run.spec,
        "status": run.status,
        "createdAt": moment(run.created_at),
    }
    if run.last_heartbeat_at is not None:
        answer["lastHeartbeatAt"] = moment(run.last_heartbeat_at)
    if run.created_by.is_user:
        answer["createdBy"] = run.created_by.ref
    return answer


def event(line: TaskEvent, run: Task) -> JsonObject:
    """One line of a run's log."""
    return {
        "id": line.number,
        "isTaskRecoverable": template_entity.starts_over(run.spec),
        "taskId": line.task_id,
        "body": line.body,
        "type": line.type,
        "createdAt": moment(line.created_at),
    }
