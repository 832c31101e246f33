"""The table's documents: to and from the model, nothing else.

Times are seconds since 1970: numbers are compared and sorted alike by every store.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from services.techdocs.model import DocsSource, Documented, Failure, PublishedSite

Document = Mapping[str, Any]


def documented(document: Document) -> Documented:
    """The record that a document holds."""
    return Documented(
        ref=document["_id"],
        revision=document["revision"],
        entity=document["entity"],
        source=DocsSource(**document["source"]) if document.get("source") else None,
        alias=document.get("alias"),
        error=document.get("error"),
        current=_site(document.get("current")),
        failure=_failure(document.get("failure")),
        history=tuple((h["site"], _utc(h["at"])) for h in document.get("history", ())),
        watched=_optional_tuple(document.get("watched")),
        looked=document.get("looked"),
        asked=document.get("asked", 0),
        due=document.get("due", 0),
        tries=document.get("tries", 0),
        traceparent=document.get("traceparent"),
    )


def entity_fields(record: Documented) -> dict[str, Any]:
    """What the catalog says of an entity."""
    source = record.source
    return {
        "revision": record.revision,
        "entity": dict(record.entity),
        "source": None
        if source is None
        else {
            "kind": source.kind,
            "base": source.base,
            "relative": source.relative,
            "base_is_folder": source.base_is_folder,
        },
        "alias": record.alias,
        "error": record.error,
    }


def site_fields(site: PublishedSite) -> dict[str, Any]:
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


def failure_fields(failure: Failure) -> dict[str, Any]:
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


def _site(found: Document | None) -> PublishedSite | None:
    if not found:
        return None
    typed = {"built_at": _utc(found["built_at"]), "warnings": tuple(found["warnings"])}
    return PublishedSite(**{**found, **typed})


def _failure(found: Document | None) -> Failure | None:
    if not found:
        return None
    typed = {"at": _utc(found["at"]), "log": tuple(found["log"])}
    retry_at = found.get("retry_at")
    typed["retry_at"] = None if retry_at is None else _utc(retry_at)
    return Failure(**{**found, **typed})


def _optional_tuple(found: Any) -> tuple[str, ...] | None:
    return None if found is None else tuple(found)


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
