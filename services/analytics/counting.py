"""What an event counts for: pure, so that a test needs no event log.

A change is what somebody did to an entity: it was updated or deleted, or a push or a
template's run created it. Entities that came with a location when it was registered,
discovered or read again are counted as imported, apart from changes: the first import
of a large organisation is no activity of its teams.
"""

from collections.abc import Mapping
from typing import Any

from services.analytics.model import TOPIC_OF, Occurrence
from services.analytics.visibility import ChangeKey
from shared.contracts import catalog, gateway, scaffolder, techdocs
from shared.contracts.entity import Entity, mapping_of
from shared.contracts.envelope import Envelope
from shared.contracts.errors import Invalid

#: Causes by which a person creates an entity.
CREATING = frozenset({"push", "template-run"})
CHANGES = {
    catalog.EntityUpdated.TYPE: "updated",
    catalog.EntityDeleted.TYPE: "deleted",
    catalog.EntityCreated.TYPE: "created",
}
RUNS = {
    scaffolder.RunCompleted.TYPE: "completed",
    scaffolder.RunFailed.TYPE: "failed",
    scaffolder.RunCancelled.TYPE: "cancelled",
}
BUILDS = {techdocs.SiteBuilt.TYPE: "built", techdocs.SiteFailed.TYPE: "failed"}


def occurrence_on(topic: str, envelope: Envelope) -> Occurrence | None:
    """What an event of a topic counts for; None if for nothing.

    Raises:
        Invalid: if it belongs on another topic, or misses what it is counted by.
    """
    occurrence = occurrence_of(envelope)
    if occurrence is not None and TOPIC_OF[occurrence.figure] != topic:
        raise Invalid(f"type: {envelope.type!r} does not belong on {topic}")
    return occurrence


def occurrence_of(envelope: Envelope) -> Occurrence | None:
    """What an event counts for; None if for nothing.

    Raises:
        Invalid: if a field is missing that is counted by.
    """
    data, event_type = envelope.data, envelope.type
    if event_type in CHANGES:
        return _change(envelope, CHANGES[event_type])
    if event_type in RUNS:
        key, outcome = _text(data, "template_ref"), RUNS[event_type]
        return Occurrence("runs", key.lower(), outcome, envelope.time)
    if event_type in BUILDS:
        key, outcome = _text(data, "entity_ref"), BUILDS[event_type]
        return Occurrence("docs-builds", key.lower(), outcome, envelope.time)
    if event_type == gateway.RepositoryPushed.TYPE and _is_first_ref(envelope):
        # As the host writes it: to some hosts another case is another repository.
        key = f"{_text(data, 'host')}/{_text(data, 'repository')}"
        return Occurrence("pushes", key, "pushed", envelope.time)
    return None


def _change(envelope: Envelope, outcome: str) -> Occurrence:
    document = envelope.data.get("entity") or envelope.data.get("previous")
    entity = Entity(mapping_of(document))
    cause = mapping_of(envelope.data.get("cause")).get("kind")
    if outcome == "created" and cause not in CREATING:
        outcome = "imported"
    key = ChangeKey(tuple(sorted(entity.owners)), entity.visibility)
    return Occurrence("changes", key.text, outcome, envelope.time)


def _is_first_ref(envelope: Envelope) -> bool:
    """Whether an event is the first of its push: each branch that it moved has one."""
    data = envelope.data
    push_id, _, number = envelope.id.rpartition("-")
    return number == "0" or push_id != f"{data.get('provider')}-{data.get('delivery')}"


def _text(data: Mapping[str, Any], field: str) -> str:
    value = data.get(field)
    if not isinstance(value, str) or not value:
        raise Invalid(f"data.{field}: must be a text")
    return value
