"""What readers are told: the state of a site, its pages, its files.

Every answer is for an entity that the reader may see; `Sees` is that question, put by
the edge that knows the reader. What may not be seen is answered like what is not there.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from services.techdocs.articles import Surroundings, safe_article
from services.techdocs.generator.job import PAGES_FOLDER, SECTIONS_FILE, SITE_FILE
from services.techdocs.generator.pages import page_file, page_key
from services.techdocs.model import Documented, Failure, PublishedSite
from services.techdocs.ports import Records, SiteStore
from shared.contracts.errors import NotFound
from shared.contracts.ref import parse_ref

Sees = Callable[[Mapping[str, Any]], bool]
CACHED = 512
LISTED_WARNINGS = 5
#: Of builds that failed, the latest ones are looked through.
FAILED_READ = 200
PAGES_ROOT = "/docs"
FILES_ROOT = "/api/techdocs/assets"


def triplet(ref: str) -> str:
    """`namespace/kind/name`, as addresses of docs have it."""
    name = parse_ref(ref)
    return f"{name.namespace}/{name.kind}/{name.name}"


class DocsReader:
    """Reads for one reader after another; keeps the last summaries and articles."""

    def __init__(self, records: Records, sites: SiteStore) -> None:
        self.records = records
        self.sites = sites
        self._summaries: dict[str, Any] = {}
        self._articles: dict[tuple[str, str, str], dict[str, Any]] = {}

    async def visible(self, ref: str, sees: Sees) -> Documented:
        """The record of a documented entity; NotFound if there is none to see."""
        record = await self.records.get(ref)
        if record is None or not sees(record.entity):
            raise NotFound(f"There are no docs of '{ref}'")
        return record

    async def documented_entity(self, ref: str, sees: Sees) -> Documented:
        """The same, after `backstage.io/techdocs-entity` pointed elsewhere (once)."""
        record = await self.visible(ref, sees)
        return await self.visible(record.alias, sees) if record.alias else record

    async def current(self, ref: str, sees: Sees) -> tuple[Documented, PublishedSite]:
        """The record and its published site; NotFound if none is published."""
        record = await self.documented_entity(ref, sees)
        if record.current is None:
            raise NotFound(f"The docs of '{record.ref}' are not built")
        return record, record.current

    async def state(self, ref: str, sees: Sees) -> dict[str, Any]:
        """The state of an entity's site, its navigation and its pages."""
        record = await self.documented_entity(ref, sees)
        found = record.current
        summary = await self._summary(found.site) if found else {}
        return {
            **_state(record),
            "docs_of": ref.lower(),
            "description": summary.get("description", ""),
            "nav": summary.get("nav", []),
            "pages": [
                {key: page[key] for key in ("path", "title", "edit_url")}
                for page in summary.get("pages", ())
            ],
            "log": list(record.failure.log) if record.failure else [],
        }

    async def listed(self, sees: Sees, limit: int) -> list[dict[str, Any]]:
        """The sites that the reader may see, the latest built first."""
        found: list[dict[str, Any]] = []
        async for record in self.records.listed():
            if sees(record.entity):
                metadata, spec = record.entity["metadata"], record.entity["spec"]
                entity = {
                    "entity_title": record.title,
                    "description": metadata.get("description", ""),
                    "owner": spec.get("owner"),
                    "type": spec.get("type"),
                }
                found.append({**_listed_state(record), **entity})
            if len(found) == limit:
                break
        return found

    async def states(
        self, refs: Sequence[str], sees: Sees
    ) -> list[dict[str, Any] | None]:
        """The states of these entities' own sites, None where there is none to see."""
        records = await self.records.documented_among(list(dict.fromkeys(refs)))
        return [
            _listed_state(record) if record and sees(record.entity) else None
            for record in map(records.get, refs)
        ]

    async def failed(self, sees: Sees, limit: int) -> dict[str, Any]:
        """The sites whose latest build failed, as far as the reader may see them.

        `is_cut` says that there may be more than `total`: older ones were not read.
        """
        records = await self.records.failed(FAILED_READ)
        visible = [record for record in records if sees(record.entity)]
        return {
            "items": [_listed_state(record) for record in visible[:limit]],
            "total": len(visible),
            "is_cut": len(records) == FAILED_READ,
        }

    async def page(self, ref: str, path: str, sees: Sees) -> dict[str, Any]:
        """One page: its article, made safe, and what stands around it."""
        record, site = await self.current(ref, sees)
        key = (site.site, record.ref, page_key(path))
        article = self._articles.get(key)
        if article is None:
            summary = await self._summary(site.site)
            article = await asyncio.to_thread(self._article, key, summary)
            _remember(self._articles, key, article)
        return {
            **article,
            "site": site.site,
            "site_title": site.title,
            "commit": site.commit,
            "built_at": site.built_at.isoformat(),
            "entity_ref": record.ref,
        }

    def _article(
        self, key: tuple[str, str, str], summary: Mapping[str, Any]
    ) -> dict[str, Any]:
        site, ref, path = key
        known = {page["path"]: page for page in summary["pages"]}
        known_path = _known_path(path, known)
        if known_path is None:
            raise NotFound(f"The docs of '{ref}' have no page '{path}'")
        path = known_path
        name = f"{PAGES_FOLDER}/{page_file(path)}"
        found = json.loads(self.sites.record(site, name))
        around = Surroundings(
            url=found["url"],
            pages_root=f"{PAGES_ROOT}/{triplet(ref)}/",
            files_root=f"{FILES_ROOT}/{triplet(ref)}/",
            pages=known,
            is_file=lambda path: self._is_file(site, path),
        )
        return {
            "path": path,
            "title": found["title"],
            "html": safe_article(found["html"], around),
            "toc": found["toc"],
            "edit_url": found["edit_url"],
            "previous": _neighbour(known, known[path].get("previous")),
            "next": _neighbour(known, known[path].get("next")),
        }

    def _is_file(self, site: str, path: str) -> bool:
        found = self.sites.file(site, path)
        return found is not None and found.is_file()

    async def file(self, ref: str, path: str, sees: Sees) -> tuple[PublishedSite, Path]:
        """A public file of an entity's own site; a folder stands for its index."""
        record = await self.visible(ref, sees)
        if record.current is None:
            raise NotFound(f"The docs of '{ref}' are not built")
        found = await asyncio.to_thread(self.sites.file, record.current.site, path)
        if found is None:
            raise NotFound(f"The docs of '{ref}' have no file '{path}'")
        return record.current, found

    async def sections(self, site: str) -> bytes:
        """What search indexes of a site, as JSON: nobody here reads megabytes of it."""
        return await asyncio.to_thread(self.sites.record, site, SECTIONS_FILE)

    async def _summary(self, site: str) -> dict[str, Any]:
        found: dict[str, Any] | None = self._summaries.get(site)
        if found is None:
            raw = await asyncio.to_thread(self.sites.record, site, SITE_FILE)
            found = await asyncio.to_thread(json.loads, raw)
            _remember(self._summaries, site, found)
        assert found is not None  # noqa: S101 - narrows
        return found


def _known_path(path: str, known: Mapping[str, Any]) -> str | None:
    """The page that is meant, None if there is none.

    A site without an index begins with the first page of its navigation. Sites of
    earlier versions have encoded paths, and links to them are encoded twice.
    """
    if not path and known:
        return path if path in known else str(next(iter(known)))
    spellings = (path, quote(path), unquote(path))
    return next((each for each in spellings if each in known), None)


def _remember(cache: dict[Any, Any], key: Any, value: Any) -> None:
    while len(cache) >= CACHED:
        del cache[next(iter(cache))]
    cache[key] = value


def _neighbour(
    pages: Mapping[str, Mapping[str, Any]], path: str | None
) -> dict[str, str] | None:
    if path is None:
        return None
    return {"path": path, "title": str(pages[path]["title"])}


def _state(record: Documented) -> dict[str, Any]:
    site, failure = record.current, record.failure
    return {
        "entity_ref": record.ref,
        "status": _status(record),
        "title": site.title if site else record.title,
        "site": site.site if site else None,
        "commit": site.commit if site else None,
        "repository": site.repository if site else None,
        "repository_url": site.repository_url if site else None,
        "built_at": site.built_at.isoformat() if site else None,
        "page_count": site.pages if site else 0,
        "warnings": list(site.warnings) if site else [],
        **_failure(failure),
    }


def _listed_state(record: Documented) -> dict[str, Any]:
    """The same for lists of hundreds: each site's page has all of its warnings."""
    state = _state(record)
    return {**state, "warnings": state["warnings"][:LISTED_WARNINGS]}


def _status(record: Documented) -> str:
    if record.due and record.current is None and record.failure is None:
        return "building"
    if record.failure is not None:
        return "failed"
    return "built" if record.current is not None else "none"


def _failure(failure: Failure | None) -> dict[str, Any]:
    return {
        "error": failure.error if failure else None,
        "failed_at": failure.at.isoformat() if failure else None,
        "failed_commit": failure.commit if failure else None,
    }
