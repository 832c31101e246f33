"""A run as a document, and back. A confidential run's outputs are sealed."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from services.scaffolder.model import Initiator, StepRecord, Task, TaskEvent, now
from services.scaffolder.ports import Vault

Document = dict[str, Any]
_NAMES = ("namespace", "name", "title")
_STEP = ("id", "name", "action")
_LISTED_STEPS = 100


#: A longer spec is kept a second time, shortened, for lists of runs.
LISTED_BYTES = 16 * 1024
#: What a list of runs reads of each; the spec of a run without `brief` beside it.
LISTED_FIELDS = (
    *("status", "created_by", "is_user", "created_at", "last_heartbeat_at"),
    "brief",
)


def written(task: Task, vault: Vault) -> Document:
    """The document of a new run. `arrival` keeps the order within one second."""
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
        "traceparent": task.traceparent,
        "is_cancelling": False,
        **state(task, vault),
    }


def brief_spec(spec: dict[str, Any]) -> dict[str, Any]:
    """The spec as lists of runs show it: a long one without answers and inputs."""
    if len(json.dumps(spec)) <= LISTED_BYTES:
        return spec
    info = spec.get("templateInfo") or {}
    metadata = (info.get("entity") or {}).get("metadata") or {}
    entity = {"metadata": {key: metadata.get(key) for key in _NAMES if key in metadata}}
    steps = list(spec.get("steps") or ())[:_LISTED_STEPS]
    return {
        "apiVersion": spec.get("apiVersion"),
        "steps": [{key: str(step[key])[:200] for key in _STEP} for step in steps],
        "output": {},
        "parameters": {},
        "user": {"ref": (spec.get("user") or {}).get("ref")},
        "templateInfo": {**_texts(info), "entity": entity},
    }


def _texts(info: Mapping[str, Any]) -> Document:
    return {key: value for key, value in info.items() if isinstance(value, str)}


def listed(document: Mapping[str, Any], spec: Any) -> Task:
    """The run of a document of which only what a list shows was read."""
    return Task(
        id=document["_id"],
        spec=_unsafe(spec),
        created_by=Initiator(document["created_by"], document.get("is_user", True)),
        status=document["status"],
        created_at=moment(document["created_at"]) or now(),
        last_heartbeat_at=moment(document.get("last_heartbeat_at")),
    )


def state(task: Task, vault: Vault) -> Document:
    """What a run's holder changes. A wish to cancel is not among it: it is others'."""
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


def read(document: Mapping[str, Any], vault: Vault) -> Task:
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
        traceparent=document.get("traceparent"),
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


def read_event(document: Mapping[str, Any]) -> TaskEvent:
    """The line of a document."""
    return TaskEvent(
        document["task"],
        document["number"],
        document["type"],
        _unsafe(document["body"]),
        moment(document["created_at"]) or now(),
    )


def _pairs(checkpoints: Mapping[str, Any]) -> list[list[Any]]:
    return [[key, _safe(value)] for key, value in checkpoints.items()]


def _step(record: StepRecord) -> Document:
    return {
        "id": record.id,
        "name": record.name,
        "status": record.status,
        "output": _safe(record.output),
        "done": record.done,
        "error": record.error,
        "error_name": record.error_name,
        "started_at": stamp(record.started_at),
        "ended_at": stamp(record.ended_at),
    }


def _record(document: Mapping[str, Any]) -> StepRecord:
    return StepRecord(
        id=document["id"],
        name=document["name"],
        status=document["status"],
        output=_unsafe(document["output"]),
        done=document["done"],
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
# for instance in annotations. Objects with such a name are kept as a list of pairs.
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
