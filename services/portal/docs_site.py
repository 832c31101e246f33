"""Documentation sites as the reader's pages show them: navigation, state, article.

Reads what techdocs answers; sends no request. The articles come sanitised from
techdocs; here only what the portal's own frame needs is put into them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from services.portal.formats import safe_url

CHECKBOX = re.compile(r"<input\b(?=[^>]*type=\"checkbox\")([^>]*)>")
FIRST_HEADING = re.compile(r"<h1\b")
SHORT_COMMIT = 8
DEEPEST_CONTENTS = 3


@dataclass(frozen=True, slots=True)
class SiteState:
    """The state of a site; `build_error` is why its latest build failed, or ""."""

    base: str
    title: str
    status: str
    built_at: str
    commit: str
    repository: str
    build_error: str
    failed_at: str
    failed_commit: str
    log: Sequence[str]
    warnings: Sequence[str]
    nav: Sequence["NavItem"]
    edits: Mapping[str, str]
    ref: str

    @property
    def readable(self) -> bool:
        """Whether there is a site to read, old or new."""
        return bool(self.built_at)


@dataclass(frozen=True, slots=True)
class NavItem:
    """A line of the navigation: a page, a link elsewhere, or a heading over others."""

    title: str
    href: str = ""
    current: bool = False
    open: bool = False
    children: Sequence["NavItem"] = ()


@dataclass(frozen=True, slots=True)
class Neighbour:
    """The page before or after this one."""

    title: str
    href: str


@dataclass(frozen=True, slots=True)
class Article:
    """One page. `headed`: the text brings its own first heading."""

    title: str
    html: Markup
    headed: bool
    contents: Sequence[tuple[str, str, int]]
    previous: Neighbour | None
    next: Neighbour | None
    edit: str
    commit: str
    built_at: str


def page_href(base: str, path: str) -> str:
    """The address of a page of the site at `base`."""
    return f"{base}/{quote(path)}/" if path else f"{base}/"


def site_of(body: Mapping[str, Any], base: str, path: str) -> SiteState:
    """The site that techdocs describes, its navigation as seen from the page `path`."""
    pages = [page for page in body.get("pages") or () if isinstance(page, Mapping)]
    error = str(body.get("error") or "")
    return SiteState(
        base=base,
        title=str(body.get("title") or ""),
        status=str(body.get("status") or ""),
        built_at=str(body.get("built_at") or ""),
        commit=str(body.get("commit") or ""),
        repository=str(body.get("repository") or ""),
        build_error=error or ("It could not be built." if _failed(body) else ""),
        failed_at=str(body.get("failed_at") or ""),
        failed_commit=str(body.get("failed_commit") or ""),
        log=[str(line) for line in body.get("log") or ()],
        warnings=[str(line) for line in body.get("warnings") or ()],
        nav=list(_nav(body.get("nav") or (), base, path)),
        edits={
            str(page.get("path") or ""): safe_url(page.get("edit_url"))
            for page in pages
        },
        ref=str(body.get("entity_ref") or ""),
    )


def _failed(body: Mapping[str, Any]) -> bool:
    return body.get("status") == "failed"


def _nav(items: Sequence[Mapping[str, Any]], base: str, path: str) -> Iterator[NavItem]:
    for item in items:
        children = list(_nav(item.get("children") or (), base, path))
        page_path = item.get("path")
        href = safe_url(item.get("href"))
        if isinstance(page_path, str):
            href = page_href(base, page_path)
        current = isinstance(page_path, str) and page_path == path
        yield NavItem(
            title=str(item.get("title") or page_path or "Page"),
            href=href,
            current=current,
            open=any(child.current or child.open for child in children),
            children=children,
        )


def article_of(body: Mapping[str, Any], base: str) -> Article:
    """The page that techdocs answered."""
    html = str(body.get("html") or "")
    contents = [
        (
            str(heading.get("id") or ""),
            str(heading.get("title") or ""),
            int(heading["level"]),
        )
        for heading in body.get("toc") or ()
        if 1 < int(heading.get("level") or 0) <= DEEPEST_CONTENTS
    ]
    return Article(
        title=str(body.get("title") or "Documentation"),
        html=Markup(CHECKBOX.sub(_named_box, html)),  # noqa: S704 - techdocs cleaned it
        headed=bool(FIRST_HEADING.search(html)),
        contents=contents,
        previous=_neighbour(body.get("previous"), base),
        next=_neighbour(body.get("next"), base),
        edit=safe_url(body.get("edit_url")),
        commit=str(body.get("commit") or ""),
        built_at=str(body.get("built_at") or ""),
    )


def _named_box(match: re.Match[str]) -> str:
    attributes = match[1]
    word = "done" if "checked" in attributes else "to do"
    return f'<input aria-label="{word}"{attributes}>'


def _neighbour(page: object, base: str) -> Neighbour | None:
    if not isinstance(page, Mapping):
        return None
    path = str(page.get("path") or "")
    return Neighbour(str(page.get("title") or path), page_href(base, path))
