"""The table's documents: to and from the model, nothing else.

Times are seconds since 1970: numbers are compared and sorted alike by every store.
"""

from datetime import UTC, datetime
from typing import Any

from services.techdocs.model import Documented, Failure, PublishedSite, SiteBasis
from shared.contracts.docs_sources import DocsSource
from shared.contracts.entity import Entity
from shared.contracts.trace import trace_in

#: A document as the driver takes it.
Document = dict[str, Any]


def documented(document: Document) -> Documented:
    """The record that a document holds."""
    return Documented(
        ref=document["_id"],
        revision=document["revision"],
        entity=Entity(document["entity"]),
        source=_source(document),
        alias=document.get("alias"),
        error=document.get("error"),
        current=_site(document.get("current")),
        failure=_failure(document.get("failure")),
        history=tuple((h["site"], _utc(h["at"])) for h in document.get("history", ())),
        watched=_optional_tuple(document.get("watched")),
        looked=document.get("looked"),
        basis=_basis(document),
        failure_state=document.get("failure_state"),
        requests=document.get("asked", 0),
        due=document.get("due", 0),
        tries=document.get("tries", 0),
        waiting_since=document.get("waiting_since", 0),
        # Earlier versions stored whether it was so.
        rights_changed=float(document.get("rights_changed") or 0),
        trace=trace_in(document),
    )


def entity_fields(record: Documented) -> Document:
    """The fields that come from the catalog."""
    source = record.source
    return {
        "revision": record.revision,
        "entity": dict(record.entity.raw),
        "source": None
        if source is None
        else {
            "kind": source.kind,
            "base": source.base,
            "relative": source.relative,
            "base_is_folder": source.base_is_folder,
        },
        # Beside the source, whose fields an earlier version takes all.
        "source_top": source.top if source else "",
        "alias": record.alias,
        "error": record.error,
    }


def site_fields(site: PublishedSite) -> Document:
    """A published site."""
    return {
        "site": site.site,
        "title": site.title,
        "pages": site.pages,
        "built_at": site.built_at.timestamp(),
        "duration_ms": site.duration_ms,
        "commit": site.commit,
        "repository": site.repository,
        "repository_url": site.repository_url,
        "warnings": list(site.warnings),
    }


def basis_fields(basis: SiteBasis, site: str) -> Document:
    """The basis of a site, beside it: an earlier version takes all fields of a site."""
    return {"location": basis.location, "state": basis.state, "site": site}


def _basis(document: Document) -> SiteBasis | None:
    """The basis of the current site; an earlier version leaves that of another."""
    fields, site = document.get("basis"), document.get("current")
    if not fields or not site or fields["site"] != site["site"]:
        return None
    return SiteBasis(fields["location"], fields["state"])


def failure_fields(failure: Failure) -> Document:
    """Why a build failed."""
    return {
        "error": failure.error,
        "at": failure.at.timestamp(),
        "commit": failure.commit,
        "content": failure.content,
        "log": list(failure.log),
        "stops": failure.stops,
        "retry_at": failure.retry_at.timestamp() if failure.retry_at else None,
    }


def _source(document: Document) -> DocsSource | None:
    fields = document.get("source")
    top = document.get("source_top") or ""
    return DocsSource(**fields, top=top) if fields else None


def _site(fields: Document | None) -> PublishedSite | None:
    if not fields:
        return None
    typed = {
        "built_at": _utc(fields["built_at"]),
        "warnings": tuple(fields["warnings"]),
    }
    return PublishedSite(**{**fields, **typed})


def _failure(fields: Document | None) -> Failure | None:
    if not fields:
        return None
    typed = {"at": _utc(fields["at"]), "log": tuple(fields["log"])}
    retry_at = fields.get("retry_at")
    typed["retry_at"] = None if retry_at is None else _utc(retry_at)
    return Failure(**{**fields, **typed})


def _optional_tuple(items: list[str] | None) -> tuple[str, ...] | None:
    return None if items is None else tuple(items)


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
