"""The fields of a record that the outcome of a build sets."""

from dataclasses import dataclass
from datetime import UTC, datetime

from services.techdocs.model import (
    CHECK,
    SETTLING_SECONDS,
    Built,
    Documented,
    Failed,
    Outcome,
    retained,
)
from services.techdocs.store.documents import (
    Document,
    basis_fields,
    failure_fields,
    site_fields,
)
from shared.contracts.gateway import push_key

#: The fields of a record whose site is withdrawn, and those that it is listed by.
NO_SITE: Document = {
    "current": None,
    "history": [],
    "looked": None,
    "basis": None,
    "site_repository": None,
}
SITE_LISTED: Document = {"built_at": "", "site": ""}


@dataclass(frozen=True, slots=True)
class Retention:
    """How many earlier sites stay published, and for how many days."""

    last: int
    days: float


def outcome_fields(
    record: Documented, outcome: Outcome, retention: Retention
) -> Document:
    """The fields of a record after a build."""
    fields: Document = {"looked": outcome.looked, "waiting_since": 0}
    if outcome.watched is not None:
        fields["watched"] = list(outcome.watched)
    if isinstance(outcome, Failed):
        fields["failure"] = failure_fields(outcome.failure)
        fields["failure_state"] = outcome.state
        return fields | NO_SITE if outcome.withdraws else fields
    site = outcome.site if isinstance(outcome, Built) else record.current
    if outcome.basis is not None and site is not None:
        fields["basis"] = basis_fields(outcome.basis, site.site)
        key = site.repository
        fields["site_repository"] = push_key(key) if key else None
    if isinstance(outcome, Built):
        stored = site_fields(outcome.site)
        fields |= {"current": stored, "built_at": stored["built_at"], "failure": None}
        # A field of its own, as thousands are read without the rest.
        fields["site"] = outcome.site.site
        fields["history"] = _history(record, outcome.site.site, retention)
    return fields


def done_fields(record: Documented, begun_at: float) -> Document:
    """What a build sets that began then, and after which no other was requested."""
    settled_at = record.rights_changed + SETTLING_SECONDS
    if record.rights_changed and begun_at < settled_at:
        return {"due": CHECK, "not_before": settled_at, "tries": 0}
    return {"due": 0, "tries": 0, "rights_changed": 0}


def _history(record: Documented, site: str, retention: Retention) -> list[Document]:
    now, former = datetime.now(UTC), record.current
    items = [item for item in record.history if item[0] != site]
    if former is not None and former.site != site:
        items = [(former.site, now), *(i for i in items if i[0] != former.site)]
    retained_sites = retained(items, now, last=retention.last, days=retention.days)
    return [{"site": name, "at": at.timestamp()} for name, at in retained_sites]
