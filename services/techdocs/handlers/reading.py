"""Reads sites for readers: the state of a site, its pages, its files.

`Sees` tests whether the reader may see an entity; the API, which knows the reader,
passes it in. The docs of a hidden entity are answered like docs that do not exist.
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
from services.techdocs.generator.site_summary import (
    NavigationItem,
    PageSummary,
    SiteSummary,
    StoredPage,
)
from services.techdocs.model import Documented, Failure, PublishedSite
from services.techdocs.ports import Records, SiteStore
from shared.contracts.entity import Entity
from shared.contracts.errors import NotFound
from shared.contracts.ref import parse_ref

Sees = Callable[[Entity], bool]
#: Answers as JSON; `services.techdocs` describes their members.
DocsState = dict[str, Any]
Article = dict[str, Any]
_NO_SUMMARY: SiteSummary = {
    "title": "",
    "description": "",
    "pages": [],
    "nav": [],
    "warnings": [],
}
CACHED = 512
LISTED_WARNINGS = 5
#: The latest failed builds that are read for one answer.
FAILED_READ = 200
PAGES_ROOT = "/docs"
FILES_ROOT = "/api/techdocs/assets"
HTML_ROOT = "/api/techdocs/static/docs"


def triplet(ref: str) -> str:
    """`namespace/kind/name`, as addresses of docs have it."""
    name = parse_ref(ref)
    return f"{name.namespace}/{name.kind}/{name.name}"


class DocsReader:
    """Reads sites; caches the latest summaries and articles."""

    def __init__(self, records: Records, sites: SiteStore) -> None:
        self.records = records
        self.sites = sites
        self._summaries: dict[str, SiteSummary] = {}
        self._articles: dict[tuple[str, str, str], Article] = {}

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

    async def state(self, ref: str, sees: Sees) -> DocsState:
        """The state of an entity's site, its navigation and its pages."""
        record = await self.documented_entity(ref, sees)
        site = record.current
        summary = await self._summary(site.site) if site else _NO_SUMMARY
        nav = summary.get("nav", [])
        if site is not None:
            around = self._surroundings(site.site, record.ref, summary)
            nav = await asyncio.to_thread(_with_addresses, nav, around)
        return {
            **_state(record),
            "docs_of": ref.lower(),
            "description": summary.get("description", ""),
            "nav": nav,
            "pages": [
                {key: page[key] for key in ("path", "title", "edit_url")}
                for page in summary["pages"]
            ],
            "log": list(record.failure.log) if record.failure else [],
        }

    async def listed(self, sees: Sees, limit: int) -> list[DocsState]:
        """The sites that the reader may see, the latest built first."""
        states: list[DocsState] = []
        async for record in self.records.listed():
            if sees(record.entity):
                entity = {
                    "entity_title": record.title,
                    "description": record.entity.description,
                    "owner": record.entity.spec.get("owner"),
                    "type": record.entity.spec.get("type"),
                }
                states.append({**_listed_state(record), **entity})
            if len(states) == limit:
                break
        return states

    async def states(self, refs: Sequence[str], sees: Sees) -> list[DocsState | None]:
        """The states of these entities' own sites, None where there is none to see."""
        records = await self.records.documented_among(list(dict.fromkeys(refs)))
        return [
            _listed_state(record) if record and sees(record.entity) else None
            for record in map(records.get, refs)
        ]

    async def failed(self, sees: Sees, limit: int) -> DocsState:
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

    async def page(self, ref: str, path: str, sees: Sees) -> Article:
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

    def _article(self, key: tuple[str, str, str], summary: SiteSummary) -> Article:
        site, ref, requested_path = key
        pages = {page["path"]: page for page in summary["pages"]}
        path, anchor = _existing_path(requested_path, pages), ""
        redirect = summary.get("redirects", {}).get(requested_path)
        if path is None and redirect is not None:
            path, anchor = redirect["path"], redirect["anchor"]
        if path is None and not self._is_file(site, f"{requested_path}/index.html"):
            path = _first_page_below(requested_path, pages)
        if path is None or path not in pages:
            raise NotFound(f"The docs of '{ref}' have no page '{requested_path}'")
        name = f"{PAGES_FOLDER}/{page_file(path)}"
        page: StoredPage = json.loads(self.sites.record(site, name))
        around = self._surroundings(site, ref, summary, page["url"])
        return {
            "path": path,
            "anchor": anchor,
            "title": page["title"],
            "html": safe_article(page["html"], around),
            "toc": page["toc"],
            "edit_url": page["edit_url"],
            "previous": _neighbour(pages, pages[path].get("previous")),
            "next": _neighbour(pages, pages[path].get("next")),
        }

    def _surroundings(
        self, site: str, ref: str, summary: SiteSummary, url: str = ""
    ) -> Surroundings:
        return Surroundings(
            url=url,
            pages_root=f"{PAGES_ROOT}/{triplet(ref)}/",
            files_root=f"{FILES_ROOT}/{triplet(ref)}/",
            html_root=f"{HTML_ROOT}/{triplet(ref)}/",
            pages={page["path"] for page in summary["pages"]},
            redirects=summary.get("redirects", {}),
            is_file=lambda path: self._is_file(site, path),
        )

    def _is_file(self, site: str, path: str) -> bool:
        file = self.sites.file(site, path)
        return file is not None and file.is_file()

    async def file(self, ref: str, path: str, sees: Sees) -> tuple[PublishedSite, Path]:
        """A public file of an entity's own site; a folder stands for its index."""
        record = await self.visible(ref, sees)
        if record.current is None:
            raise NotFound(f"The docs of '{ref}' are not built")
        file = await asyncio.to_thread(self.sites.file, record.current.site, path)
        if file is None:
            raise NotFound(f"The docs of '{ref}' have no file '{path}'")
        return record.current, file

    async def sections(self, site: str) -> bytes:
        """The sections of a site for search, as JSON text that is passed on unread."""
        return await asyncio.to_thread(self.sites.record, site, SECTIONS_FILE)

    async def _summary(self, site: str) -> SiteSummary:
        cached = self._summaries.get(site)
        if cached is not None:
            return cached
        raw = await asyncio.to_thread(self.sites.record, site, SITE_FILE)
        summary: SiteSummary = await asyncio.to_thread(json.loads, raw)
        _remember(self._summaries, site, summary)
        return summary


def _with_addresses(
    items: Sequence[NavigationItem], around: Surroundings
) -> list[NavigationItem]:
    """The navigation: links and names that are no page have whole addresses."""
    return [_with_address(item, around) for item in items]


def _with_address(item: NavigationItem, around: Surroundings) -> NavigationItem:
    path = item["path"]
    children = _with_addresses(item["children"], around)
    if path in around.pages or (path is None and "href" not in item):
        return {**item, "children": children}
    # For mkdocs, any file that the navigation names is a page.
    link = item["href"] if path is None else quote(path)
    return {**item, "path": None, "href": around.link(link) or "", "children": children}


def _existing_path(path: str, pages: Mapping[str, PageSummary]) -> str | None:
    """The path of the page that a reader's path means, None if there is none.

    A site without an index begins with the first page of its navigation. Sites of
    earlier versions have encoded paths, and links to them are encoded twice.
    """
    if not path and pages:
        return path if path in pages else next(iter(pages))
    spellings = (path, quote(path), unquote(path))
    return next((spelling for spelling in spellings if spelling in pages), None)


def _first_page_below(folder: str, pages: Mapping[str, PageSummary]) -> str | None:
    """The path of the first page in a folder, in the order of reading."""
    return next((path for path in pages if path.startswith(f"{folder}/")), None)


def _remember(cache: dict[Any, Any], key: Any, value: Any) -> None:
    while len(cache) >= CACHED:
        del cache[next(iter(cache))]
    cache[key] = value


def _neighbour(
    pages: Mapping[str, PageSummary], path: str | None
) -> dict[str, str] | None:
    if path is None:
        return None
    return {"path": path, "title": pages[path]["title"]}


def _state(record: Documented) -> DocsState:
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


def _listed_state(record: Documented) -> DocsState:
    """The state for lists, with the first warnings only; `state` has all of them."""
    state = _state(record)
    return {**state, "warnings": state["warnings"][:LISTED_WARNINGS]}


def _status(record: Documented) -> str:
    if record.due and record.current is None and record.failure is None:
        return "building"
    if record.failure is not None:
        return "failed"
    return "built" if record.current is not None else "none"


def _failure(failure: Failure | None) -> DocsState:
    return {
        "error": failure.error if failure else None,
        "failed_at": failure.at.isoformat() if failure else None,
        "failed_commit": failure.commit if failure else None,
    }
