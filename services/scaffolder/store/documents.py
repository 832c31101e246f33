"""Runs to documents, and back. The outputs of a confidential run are encrypted."""

import json
from datetime import UTC, datetime
from typing import Any

from services.scaffolder.model import (
    Initiator,
    JsonObject,
    RunSpec,
    StepRecord,
    Task,
    TaskEvent,
    TemplateInfo,
    TemplateStep,
    now,
)
from services.scaffolder.ports import Vault
from shared.contracts.trace import trace_in

#: A document as the driver takes it.
Document = dict[str, Any]
_NAMES = ("namespace", "name", "title")
_LISTED_STEPS = 100
_LISTED_NAME = 200


#: A longer spec is stored a second time, shortened, for lists of runs.
LISTED_BYTES = 16 * 1024
#: The fields that a list of runs reads; the spec too of a run without `brief`.
LISTED_FIELDS = (
    *("status", "created_by", "is_user", "created_at", "last_heartbeat_at"),
    "brief",
)


def written(task: Task, vault: Vault) -> Document:
    """The document of a new run; `arrival` orders the runs of one second."""
    brief = brief_spec(task.spec)
    return {
        "_id": task.id,
        "spec": _safe(task.spec),
        "brief": None if brief is task.spec else _safe(brief),
        "created_by": task.created_by.ref,
        "is_user": task.created_by.is_user,
        "created_at": stamp(task.created_at),
        "arrival": stamp(datetime.now(UTC)),
        "epoch": task.epoch,
        "is_confidential": task.is_confidential,
        **task.trace,
        "is_cancelling": False,
        **state(task, vault),
    }


def brief_spec(spec: RunSpec) -> RunSpec:
    """The spec as lists of runs show it: a long one without answers and inputs."""
    if len(json.dumps(spec)) <= LISTED_BYTES:
        return spec
    info = spec.get("templateInfo", {})
    metadata = info.get("entity", {}).get("metadata", {})
    brief_metadata = {key: metadata[key] for key in _NAMES if key in metadata}
    user = spec.get("user", {})
    brief_info: TemplateInfo = {**info, "entity": {"metadata": brief_metadata}}
    return {
        "apiVersion": spec.get("apiVersion", ""),
        "steps": [_brief_step(step) for step in spec["steps"][:_LISTED_STEPS]],
        "output": {},
        "parameters": {},
        "user": {"ref": user["ref"]} if "ref" in user else {},
        "templateInfo": brief_info,
    }


def _brief_step(step: TemplateStep) -> TemplateStep:
    return {
        "id": step["id"][:_LISTED_NAME],
        "name": step["name"][:_LISTED_NAME],
        "action": step["action"][:_LISTED_NAME],
    }


def listed(document: Document, spec: Any) -> Task:
    """The run of a document that was read in part, with its (brief) spec."""
    return Task(
        id=document["_id"],
        spec=_unsafe(spec),
        created_by=Initiator(document["created_by"], document.get("is_user", True)),
        status=document["status"],
        created_at=moment(document["created_at"]) or now(),
        last_heartbeat_at=moment(document.get("last_heartbeat_at")),
    )


def state(task: Task, vault: Vault) -> Document:
    """The fields that a run's holder writes; others write `is_cancelling`."""
    steps = [_step(record) for record in task.steps]
    progress: Any = {
        "steps": steps,
        "checkpoints": _pairs(task.checkpoints),
        "learned": [list(pair) for pair in task.learned.items()],
    }
    if not task.is_confidential:
        del progress["learned"]
    return {
        "status": task.status,
        "progress": vault.seal(progress) if task.is_confidential else progress,
        "output": _safe(task.output),
        "error": task.error,
        "sequence": task.sequence,
        "secrets": task.secrets,
        "hidden": task.hidden,
        "last_heartbeat_at": stamp(task.last_heartbeat_at),
    }


def read(document: Document, vault: Vault) -> Task:
    """The run of a document."""
    progress = document["progress"]
    is_sealed = isinstance(progress, str)
    if isinstance(progress, str):
        progress = vault.open(progress)
    return Task(
        id=document["_id"],
        spec=_unsafe(document["spec"]),
        created_by=Initiator(document["created_by"], document.get("is_user", True)),
        status=document["status"],
        created_at=moment(document["created_at"]) or now(),
        last_heartbeat_at=moment(document.get("last_heartbeat_at")),
        secrets=document.get("secrets"),
        hidden=document.get("hidden"),
        learned=dict(progress.get("learned") or ()),
        steps=[_record(step) for step in progress["steps"]],
        checkpoints={key: _unsafe(value) for key, value in progress["checkpoints"]},
        output=_unsafe(document.get("output") or {}),
        error=document.get("error"),
        sequence=document.get("sequence", 0),
        epoch=document.get("epoch", 0),
        is_cancelling=bool(document.get("is_cancelling")),
        is_confidential=is_sealed or bool(document.get("is_confidential")),
        trace=trace_in(document),
    )


def written_event(event: TaskEvent) -> Document:
    """The document of a line."""
    return {
        "_id": f"{event.task_id}:{event.number}",
        "task": event.task_id,
        "number": event.number,
        "type": event.type,
        "body": _safe(event.body),
        "created_at": stamp(event.created_at),
    }


def read_event(document: Document) -> TaskEvent:
    """The line of a document."""
    return TaskEvent(
        document["task"],
        document["number"],
        document["type"],
        _unsafe(document["body"]),
        moment(document["created_at"]) or now(),
    )


def _pairs(checkpoints: JsonObject) -> list[list[Any]]:
    return [[key, _safe(value)] for key, value in checkpoints.items()]


def _step(record: StepRecord) -> Document:
    return {
        "id": record.id,
        "name": record.name,
        "status": record.status,
        "output": _safe(record.output),
        "done": record.done,
        "resumed": record.resumed,
        "error": record.error,
        "error_name": record.error_name,
        "started_at": stamp(record.started_at),
        "ended_at": stamp(record.ended_at),
    }


def _record(document: Document) -> StepRecord:
    return StepRecord(
        id=document["id"],
        name=document["name"],
        status=document["status"],
        output=_unsafe(document["output"]),
        done=document["done"],
        resumed=document.get("resumed", 0),
        error=document["error"],
        error_name=document.get("error_name"),
        started_at=moment(document["started_at"]),
        ended_at=moment(document["ended_at"]),
    )


def stamp(value: datetime | None) -> int | None:
    """A moment as milliseconds since 1970.

    Numbers, because the servers that speak MongoDB's protocol do not agree on what an
    update makes of a date; numbers compare and sort alike everywhere.
    """
    return None if value is None else int(value.timestamp() * 1000)


def moment(value: int | None) -> datetime | None:
    """The moment of a stamp."""
    return None if value is None else datetime.fromtimestamp(value / 1000, UTC)


# MongoDB's field names may not begin with `$`, and dots mislead; templates have both,
# for instance in annotations. Objects with such a name are stored as lists of pairs.
_PAIRS = "pairs\uffff"
_LARGEST = 2**63


def _safe(value: Any) -> Any:
    if isinstance(value, list):
        return [_safe(item) for item in value]
    if isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
        return float(value)
    if not isinstance(value, dict):
        return value
    if any("." in key or "\0" in key or key.startswith("$") for key in value):
        return {_PAIRS: [[key, _safe(item)] for key, item in value.items()]}
    return {key: _safe(item) for key, item in value.items()}


def _unsafe(value: Any) -> Any:
    if isinstance(value, list):
        return [_unsafe(item) for item in value]
    if not isinstance(value, dict):
        return value
    if _PAIRS in value:
        return {key: _unsafe(item) for key, item in value[_PAIRS]}
    return {key: _unsafe(item) for key, item in value.items()}
