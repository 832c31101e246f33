"""Runs and log lines as Backstage's clients read them."""

from datetime import UTC, datetime
from typing import Any

from services.scaffolder.model import Task, TaskEvent
from services.scaffolder.templates import template_entity


def moment(value: datetime) -> str:
    """A moment as Backstage writes it: UTC, milliseconds, `Z`."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def task(found: Task) -> dict[str, Any]:
    """A run without its secrets and inner state."""
    made: dict[str, Any] = {
        "id": found.id,
        "spec": found.spec,
        "status": found.status,
        "createdAt": moment(found.created_at),
    }
    if found.last_heartbeat_at is not None:
        made["lastHeartbeatAt"] = moment(found.last_heartbeat_at)
    if found.created_by.is_user:
        made["createdBy"] = found.created_by.ref
    return made


def event(found: TaskEvent, of: Task) -> dict[str, Any]:
    """One line of a run's log."""
    return {
        "id": found.number,
        "isTaskRecoverable": template_entity.starts_over(of.spec),
        "taskId": found.task_id,
        "body": found.body,
        "type": found.type,
        "createdAt": moment(found.created_at),
    }
