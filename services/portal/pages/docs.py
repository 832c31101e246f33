"""Documentation: the list of sites, and the reader with its three columns.

A page is asked of techdocs as an article; files (pictures, downloads) come from the
API's own address for them.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from services.portal.docs_site import (
    SiteState,
    article_of,
    page_href,
    site_of,
)
from services.portal.entities import Summary, docs_href, split_ref
from services.portal.model import ApiAnswer
from services.portal.pages.diagrams import frame_address
from services.portal.pages.search import QUERY, Result, result_of
from services.portal.visit import Visit, Visiting, gather, json_of
from shared.contracts.errors import NotFound

SITES_PATH = "/api/techdocs/sites"
#: Sites that are looked through, the last built ones, and of these the cards shown.
MOST_SITES = 500
MOST_CARDS = 100
MOST_RESULTS = 20
LONGEST_TEXT = 100
#: Files that the API shows as text; it gives others as downloads.
HTML = (".html", ".htm", ".xhtml")
#: What fences of Mermaid become, with and without an extension of their own.
MERMAID = re.compile(r'class="[^"]*\b(?:language-)?mermaid\b')

router = APIRouter()


@dataclass(frozen=True, slots=True)
class DocsCard:
    """One site of the list."""

    href: str
    title: str
    description: str
    owner: Summary | None
    type: str
    built_at: str
    is_failed: bool
    is_building: bool


@router.get("/docs")
async def docs(visit: Visiting, text: str = "") -> Response:
    """The sites that the reader may see, the last built first."""
    answer = await visit.get(SITES_PATH, {"limit": str(MOST_SITES)})
    listed = answer["items"] if isinstance(answer, Mapping) else answer
    matches = [site for site in listed if _holds(site, text.strip().lower())]
    cards = matches[:MOST_CARDS]
    owners = await visit.summaries(filter(None, map(_owner_ref, cards)))
    return visit.page(
        "docs/index.html",
        title="Docs",
        nav="docs",
        block="part" if visit.partial == "sites" else None,
        text=text,
        cards=[_card(site, owners) for site in cards],
        more=len(matches) - len(cards),
        total=len(listed),
        is_cut=len(listed) >= MOST_SITES,
    )


def _holds(site: Mapping[str, Any], text: str) -> bool:
    words = (site.get("title"), site.get("entity_title"), site.get("description"))
    return not text or any(text in str(word or "").lower() for word in words)


def _owner_ref(site: Mapping[str, Any]) -> str:
    owner = str(site.get("owner") or "").lower()
    if not owner:
        return ""
    kind, colon, rest = owner.rpartition(":")
    namespace = split_ref(str(site.get("entity_ref") or "component:default/x"))[1]
    name = rest if "/" in rest else f"{namespace}/{rest}"
    return f"{kind if colon else 'group'}:{name}"


def _card(site: Mapping[str, Any], owners: Mapping[str, Summary]) -> DocsCard:
    return DocsCard(
        href=docs_href(str(site.get("entity_ref") or "")) + "/",
        title=str(site.get("title") or site.get("entity_title") or ""),
        description=str(site.get("description") or ""),
        owner=owners.get(_owner_ref(site)),
        type=str(site.get("type") or ""),
        built_at=str(site.get("built_at") or ""),
        is_failed=site.get("status") == "failed",
        is_building=site.get("status") == "building",
    )


@router.get("/docs/{namespace}/{kind}/{name}")
async def site_root(visit: Visiting, namespace: str, kind: str, name: str) -> Response:
    """The site's address has a slash at its end: links in it count from there."""
    query = f"?{visit.request.url.query}" if visit.request.url.query else ""
    place = "/".join(quote(part) for part in (namespace, kind, name))
    return RedirectResponse(f"/docs/{place}/{query}", HTTPStatus.PERMANENT_REDIRECT)


@router.get("/docs/{namespace}/{kind}/{name}/{path:path}")
async def page(
    visit: Visiting, namespace: str, kind: str, name: str, path: str, find: str = ""
) -> Response:
    """One page of a site, or what was found in the site."""
    triplet = "/".join(quote(part) for part in (namespace, kind, name))
    key = _key(path)
    ref = f"{kind}:{namespace}/{name}".lower()
    state, answer, names = await gather(
        visit.ask("GET", f"/api/techdocs/sites/{triplet}"),
        visit.ask("GET", f"/api/techdocs/pages/{triplet}/{quote(key)}"),
        visit.summaries([ref]),
    )
    entity = names[ref]
    if entity.missing:
        raise NotFound(f"There is no {ref}, or you may not see it.")
    base = f"/docs/{triplet}"
    if not state.ok:
        return _without_docs(visit, entity, state)
    elsewhere = await _elsewhere(visit, triplet, path, answer)
    if elsewhere and not find.strip():
        return RedirectResponse(elsewhere)
    # A navigation of thousands of pages takes a while to make, and to render.
    site = await asyncio.to_thread(site_of, state.json(), base, key)
    if find.strip():
        return await _search_results(visit, entity, site, find.strip()[:LONGEST_TEXT])
    return await asyncio.to_thread(_page, visit, entity, site, answer)


def _key(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return (folder if name == "index.html" else path).strip("/")


async def _elsewhere(visit: Visit, triplet: str, path: str, answer: ApiAnswer) -> str:
    """Where a page or a file is really read, "" if it is here.

    A page's name may have dots: only what is no page may be a file.
    """
    if answer.ok:
        body = answer.json()
        own, anchor = str(body.get("path") or ""), str(body.get("anchor") or "")
        if own != _key(path):
            heading = f"#{quote(anchor)}" if anchor else ""
            return page_href(f"/docs/{triplet}", own) + heading
    if answer.status == HTTPStatus.NOT_FOUND:
        for name in _file_names(path):
            place = f"{triplet}/{quote(name)}"
            if (await visit.ask("HEAD", f"/api/techdocs/assets/{place}")).ok:
                route = "static/docs" if name.lower().endswith(HTML) else "assets"
                return f"/api/techdocs/{route}/{place}"
    if not path or path.endswith(("/", ".html")):
        return ""
    return page_href(f"/docs/{triplet}", path)


def _file_names(path: str) -> list[str]:
    """The files that an address of no page may mean: it, or the index of a folder."""
    name = path.strip("/")
    named = [name] if "." in name.rpartition("/")[2] else []
    return [*named, f"{name}/index.html"] if name else []


def _without_docs(visit: Visit, entity: Summary, state: ApiAnswer) -> Response:
    """The page of an entity without docs. Raises any other error of the API."""
    if state.status != HTTPStatus.NOT_FOUND:
        json_of(state)
    return visit.page(
        "docs/none.html",
        title=entity.title,
        nav="docs",
        crumbs=[("Docs", "/docs")],
        status=404,
        entity=entity,
    )


def _page(
    visit: Visit, entity: Summary, site: SiteState, answer: ApiAnswer
) -> Response:
    missing = answer.status == HTTPStatus.NOT_FOUND
    if not missing:
        json_of(answer)
    article = None if missing else article_of(answer.json(), site.base)
    crumbs = [("Docs", "/docs")]
    title = entity.title
    if article is not None and article.title != site.title:
        crumbs.append((site.title or entity.title, f"{site.base}/"))
        title = article.title
    # A page that waits for its first build may have diagrams when that comes.
    draws = article is None or MERMAID.search(article.html) is not None
    page = visit.page(
        "docs/page.html",
        title=title,
        nav="docs",
        crumbs=crumbs,
        status=404 if missing and site.readable else 200,
        wide=True,
        entity=entity,
        site=site,
        article=article,
        diagram_frame=frame_address(visit.state.frame) if draws else "",
        find="",
        results=None,
        total=0,
    )
    if draws:
        page.headers["content-security-policy"] += "; frame-src 'self'"
    return page


async def _search_results(
    visit: Visit, entity: Summary, site: SiteState, text: str
) -> Response:
    """What the site's pages hold of these words, by section."""
    params = [
        ("term", text),
        ("types[0]", "techdocs"),
        ("filters[entityRef]", site.ref or entity.ref),
        ("pageLimit", str(MOST_RESULTS)),
    ]
    answer = await visit.get(QUERY, params)
    results: list[Result] = [result_of(result) for result in answer["results"]]
    return visit.page(
        "docs/page.html",
        title=f"“{text}” in {site.title or entity.title}",
        nav="docs",
        crumbs=[("Docs", "/docs"), (site.title or entity.title, f"{site.base}/")],
        block="main" if visit.partial == "docs-main" else None,
        wide=True,
        entity=entity,
        site=site,
        article=None,
        diagram_frame="",
        find=text,
        results=results,
        total=int(answer.get("numberOfResults") or 0),
    )
