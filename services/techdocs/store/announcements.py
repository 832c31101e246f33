"""The events of outcomes; an outcome that changes nothing has none."""

from datetime import UTC, datetime

from services.techdocs.model import Built, Documented, Failed, Outcome
from shared.contracts.envelope import Envelope
from shared.contracts.techdocs import SiteBuilt, SiteChange, SiteFailed
from shared.contracts.topics import DOCS_BUILT
from shared.kit.events.outbox import PendingEvent, pending_event
from shared.kit.observability import tracing

SOURCE = "/techdocs"


def announcement(record: Documented, outcome: Outcome) -> PendingEvent | None:
    """The pending event of an outcome; None if nothing has changed."""
    match outcome:
        case Built(site=site):
            return _pending(
                record,
                SiteBuilt(
                    entity_ref=record.ref,
                    title=site.title,
                    site=site.site,
                    commit=site.commit,
                    repository=site.repository,
                    pages=site.pages,
                    duration_ms=site.duration_ms,
                    built_at=site.built_at,
                ),
            )
        case Failed(withdraws=True) if record.current is not None:
            return withdrawal(record)
        case Failed(failure=failure, duration_ms=took):
            former, current = record.failure, record.current
            if former is not None and former.error == failure.error:
                return None
            return _pending(
                record,
                SiteFailed(
                    entity_ref=record.ref,
                    title=current.title if current else record.title,
                    site=current.site if current else None,
                    commit=failure.commit,
                    repository=current.repository if current else None,
                    pages=current.pages if current else 0,
                    duration_ms=took,
                    built_at=failure.at,
                    error=failure.error,
                ),
            )
    return None


def withdrawal(record: Documented) -> PendingEvent:
    """The pending event of docs that no reader gets any more: built, with no site."""
    return _pending(
        record,
        SiteBuilt(
            entity_ref=record.ref, title=record.title, built_at=datetime.now(UTC)
        ),
    )


def _pending(record: Documented, payload: SiteChange) -> PendingEvent:
    envelope = Envelope.of(
        payload,
        source=SOURCE,
        subject=record.ref,
        trace=tracing.fields() or record.trace,
    )
    return pending_event(DOCS_BUILT, record.ref, envelope)
