"""Events keep their promise: today's code and the stored schemas read each other.

`make schemas` is not needed: `python -m tests.contracts.write` stores the schema of a
new event type; a changed one must be a new version, or stay readable both ways.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from shared.contracts.catalog import Cause
from shared.contracts.envelope import Envelope, Payload
from shared.contracts.errors import Invalid
from shared.contracts.events import PAYLOADS, payload_of

SCHEMAS = Path(__file__).parent / "schemas"
NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
SAMPLES: dict[str, dict[str, Any]] = {
    "entity": {
        "entity_ref": "component:default/web",
        "revision": 3,
        "entity": {"kind": "Component", "metadata": {"name": "web"}},
        "changed": ["metadata.description"],
        "relations_added": [{"type": "ownedBy", "targetRef": "group:default/a"}],
        "actor": "user:default/ann",
        "cause": Cause(kind="push", commit="abc", changed_at=NOW),
    },
    "site": {
        "entity_ref": "component:default/web",
        "title": "Web",
        "site": "0f",
        "pages": 4,
        "duration_ms": 900,
        "built_at": NOW,
    },
    "run": {
        "task_id": "t1",
        "template_ref": "template:default/service",
        "created_by": "user:default/ann",
        "status": "processing",
        "sequence": 2,
        "step_id": "fetch",
        "step_status": "processing",
    },
    "repository": {
        "provider": "gitea",
        "host": "git.example.org",
        "repository": "payments",
        "url": "https://git.example.org/payments",
        "ref": "refs/heads/main",
        "before": "0" * 40,
        "after": "1" * 40,
        "changed_paths": ["catalog-info.yaml"],
        "pusher": "ann",
        "delivery": "d1",
    },
}


def sample(type_: str) -> Payload:
    return PAYLOADS[type_].model_validate(SAMPLES[type_.split(".")[1]])


@pytest.mark.parametrize("type_", sorted(PAYLOADS))
def test_every_type_has_a_stored_schema(type_: str) -> None:
    """A new event is published with its schema, or not at all."""
    path = SCHEMAS / f"{type_}.json"
    assert path.is_file(), f"store it: python -m tests.contracts.write {type_}"


@pytest.mark.parametrize("type_", sorted(PAYLOADS))
def test_new_events_are_valid_by_the_stored_schemas(type_: str) -> None:
    """New to old: a consumer that knows the stored schema understands the event."""
    stored = json.loads((SCHEMAS / f"{type_}.json").read_text())
    data = sample(type_).model_dump(mode="json")
    jsonschema.Draft202012Validator(stored).validate(data)


@pytest.mark.parametrize("type_", sorted(PAYLOADS))
def test_events_of_the_stored_schemas_are_read(type_: str) -> None:
    """Old to new: old events need only the fields that the stored schema requires."""
    stored = json.loads((SCHEMAS / f"{type_}.json").read_text())
    whole = sample(type_).model_dump(mode="json")
    least = {name: whole[name] for name in stored["required"]}
    PAYLOADS[type_].model_validate({**least, "a_field_of_tomorrow": 1})


def test_an_envelope_is_read_back_from_the_wire() -> None:
    """With its types, and with its trace."""
    payload = sample("callboard.entity.updated.v1")
    sent = Envelope.of(
        payload,
        source="/catalog",
        subject="component:default/web",
        trace={"traceparent": "00-a"},
    )
    read = Envelope.parse(sent.to_bytes())
    assert read == sent
    assert payload_of(read) == payload


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        (b"{", "message"),
        (b"{}", "id"),
        (b'{"id":"1","source":"/x","type":"t","subject":"s","data":{}}', "time"),
    ],
)
def test_a_malformed_envelope_is_refused_by_attribute(raw: bytes, named: str) -> None:
    """The error names the attribute that is wrong."""
    with pytest.raises(Invalid) as caught:
        Envelope.parse(raw)
    assert caught.value.message.startswith(named) or "JSON" in caught.value.message


def test_an_unknown_event_type_is_refused() -> None:
    """An event of another version is not interpreted."""
    payload = sample("callboard.entity.created.v1")
    sent = Envelope.of(payload, source="/catalog", subject="x")
    with pytest.raises(Invalid, match="unknown event type"):
        payload_of(sent.model_copy(update={"type": "callboard.entity.created.v9"}))
