"""A mkdocs plugin that records the navigation and articles for the portal."""

import json
import os
import posixpath
from collections.abc import Collection, Iterable
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlunsplit

from jinja2 import BytecodeCache, Environment
from jinja2.bccache import Bucket
from mkdocs.config.base import Config
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import BasePlugin
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Link, Navigation, Section
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url
from pymdownx.superfences import fence_code_format

from services.techdocs.generator.article import (
    TITLE_CHARACTERS,
    FinishedArticle,
    finished,
)
from services.techdocs.generator.cleaning import LINK_SCHEMES
from services.techdocs.generator.front_matter import front_matter_problem
from services.techdocs.generator.html_pages import html_files, html_page
from services.techdocs.generator.job import PAGE_FILE, PAGES_FOLDER, Job
from services.techdocs.generator.markup import (
    PACKAGES,
    PROGRAMS,
    SiteMarkup,
    absent_programs,
)
from services.techdocs.generator.pages import key_of_url, page_file
from services.techdocs.generator.places import SAFE_IN_LINKS, Places
from services.techdocs.generator.site_summary import (
    NavigationItem,
    PageSummary,
    StoredPage,
    TocEntry,
)
from services.techdocs.generator.unpublished import UnpublishedFiles
from services.techdocs.mkdocs_file import SiteConfig
from shared.contracts.errors import Invalid, TooLarge
from shared.guards.addresses import split_address
from shared.guards.lfs_pointers import ADVICE, POINTER_BYTES, is_lfs_pointer

ENTRIES = 2000


class CompiledTemplates(BytecodeCache):
    """The theme's templates as Jinja2 compiled them, for the next builds.

    In memory only: what a build adds to its copy ends with its process.
    """

    def __init__(self) -> None:
        self._compiled: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bytecode = self._compiled.get(bucket.key)
        if bytecode is not None:
            bucket.bytecode_from_string(bytecode)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._compiled[bucket.key] = bucket.bytecode_to_string()


class RecorderConfig(Config):  # type: ignore[no-untyped-call]
    """The plugin has no options: no file names it."""


class Recorder(BasePlugin[RecorderConfig]):  # type: ignore[no-untyped-call]
    """Records while mkdocs builds; the result is read after the build.

    `page` is the source that mkdocs reads, which the error of a failed build names;
    `titles` are those of pages and headings, by their addresses within the site.
    """

    def __init__(self, job: Job, places: Places, templates: CompiledTemplates) -> None:
        super().__init__()
        self._job = job
        self._places = places
        self._templates = templates
        self._record = Path(job.record)
        self._nav: Navigation | None = None
        self._files: Files | None = None
        self._current: Page | None = None
        self._output_bytes = 0
        self._sources: dict[str, set[str]] = {}
        self._lfs_files: list[str] = []
        self._cut_files: list[str] = []
        self._foreign: dict[str, set[str]] = {}
        self._unpublished = UnpublishedFiles()
        self.page = ""
        self.pages: list[PageSummary] = []
        self.titles: dict[str, str] = {}
        self.warnings: list[str] = []

    def on_config(self, config: MkDocsConfig, **_: Any) -> MkDocsConfig:
        absent = absent_programs()
        unusable = {name for name, program in PROGRAMS.items() if program in absent}
        markup = SiteMarkup(self._resolved, self._resolved_raw, absent, self._on_source)
        extensions: list[Any] = config.markdown_extensions
        extensions[:] = [name for name in extensions if name not in unusable]
        extensions.append(markup)
        _mark_mermaid_fences(config.mdx_configs)
        return config

    def on_files(self, files: Files, *, config: MkDocsConfig, **_: Any) -> Files:
        count = len(files.documentation_pages())
        if count > self._job.pages:
            raise TooLarge(
                f"docs: {count} pages are over the limit of {self._job.pages}"
            )
        self._unpublished.take_out(files)
        self._files = files
        self._lfs_files = [file.src_uri for file in files if _is_lfs_pointer(file)]
        monorepo = config.plugins.get("monorepo")
        for alias, site in getattr(monorepo, "aliases", {}).items():
            folder = os.path.relpath(site["docs_dir"], self._job.source)
            self._places.roots = [*self._places.roots, (folder, alias)]
        return files

    def on_env(self, env: Environment, **_: Any) -> Environment:
        env.bytecode_cache = self._templates
        return env

    def on_nav(self, nav: Navigation, **_: Any) -> Navigation:
        self._nav = nav
        return nav

    def on_page_read_source(self, *, page: Page, **_: Any) -> str | None:
        self._name_page(page.file)
        if page.file.src_uri in self._lfs_files:
            return f"This page is {ADVICE}."
        return None

    def on_page_markdown(self, markdown: str, *, page: Page, **_: Any) -> str:
        self._current = page
        problem = front_matter_problem(page.markdown or "") if not page.meta else None
        if problem is not None:
            self.warnings.append(
                f"{page.file.src_uri}: its front matter cannot be read: {problem}"
            )
        if page.meta.get("title") in (None, ""):
            # mkdocs would name the page so, in place of its heading.
            page.meta.pop("title", None)
        edit_url = self._places.edit_url(self._source(page.file))
        own = _with_escaped_name(page.edit_url, page.file.edit_uri)
        page.edit_url = own if edit_url is None else edit_url
        return markdown

    def on_page_content(self, html: str, *, page: Page, **_: Any) -> str:
        key = key_of_url(page.url)
        article = finished(html, page.file.src_uri)
        self.warnings += article.warnings
        summary: PageSummary = {
            "path": key,
            "url": "" if page.url == "./" else page.url,
            "title": _page_title(page),
            "source": page.file.src_uri,
            "edit_url": page.edit_url,
        }
        toc = [entry for item in page.toc.items for entry in _toc(item)][:ENTRIES]
        self.titles[page.url] = summary["title"]
        self.titles |= {f"{page.url}#{entry['id']}": entry["title"] for entry in toc}
        self._store(summary, article, toc)
        return html

    def on_page_context(self, context: Any, *, page: Page, **_: Any) -> Any:
        self._name_page(page.file)
        return context

    def on_post_page(self, output: str, **_: Any) -> str:
        self._output_bytes += len(output)
        if self._output_bytes > self._job.output_bytes:
            limit = self._job.output_bytes // 1024**2
            raise TooLarge(f"the site is larger than {limit} MB")
        return output

    def record_html_pages(self) -> None:
        """Record what authors wrote as HTML, once mkdocs has read the other pages."""
        paths = {page["path"] for page in self.pages}
        for file in html_files(self._files or (), self._job.pages - len(paths)):
            key = key_of_url(file.url)
            if key in paths or file.src_uri in self._lfs_files:
                continue
            self._name_page(file)
            try:
                title, article = html_page(file)
            except Invalid as error:
                self.warnings.append(error.message)
                continue
            source = self._source(file) if file.abs_src_path else None
            summary: PageSummary = {
                "path": key,
                "url": "" if file.url == "./" else file.url,
                "title": title,
                "source": file.src_uri,
                "edit_url": self._places.edit_url(source) if source else None,
            }
            self._store(summary, article, [])
            if article.warnings:
                self._cut_files.append(file.src_uri)

    def all_warnings(self) -> list[str]:
        """The warnings about the pages, once mkdocs has read them all."""
        drawn = [
            f"{PACKAGES[program]} is not installed where docs are built: diagrams are "
            f"shown as their source on {_first_names(pages, 'pages')}"
            for program, pages in sorted(self._sources.items())
        ]
        names = _first_names(self._lfs_files, "files")
        lfs = [f"{names}: {ADVICE}"] if names else []
        foreign = [
            f"{_first_names(pages, 'pages')}: pictures, films and sounds of {host} "
            "are not shown, as pages load nothing from other hosts: keep them beside "
            "the pages"
            for host, pages in sorted(self._foreign.items())
        ]
        names = _first_names(self._cut_files, "files")
        cut = [f"{names}: scripts, forms and frames are not shown"] if names else []
        unpublished = [
            f"{file}: is linked from {_first_names(pages, 'pages')}, but not "
            "published: names that begin with a dot, `templates/` at the top and what "
            "`exclude_docs` says are left out"
            for file, pages in self._unpublished.links()
        ]
        return [*self.warnings, *drawn, *lfs, *foreign, *cut, *unpublished]

    def navigation(self) -> list[NavigationItem]:
        """The tree that the site's `nav` gives, titles as the pages have them."""
        return [self._item(item) for item in (self._nav.items if self._nav else ())]

    def order(self) -> list[str]:
        """The pages' keys in reading order."""
        return [key_of_url(page.url) for page in (self._nav.pages if self._nav else ())]

    def _item(self, item: Any) -> NavigationItem:
        if isinstance(item, Section):
            children = [self._item(child) for child in item.children]
            return {"title": _short(item.title), "path": None, "children": children}
        if isinstance(item, Link):
            title, address = _short(item.title, item.url), self._address(item.url)
            if address is None:
                return {"title": title, "path": None, "children": []}
            return {"title": title, "path": None, "href": address, "children": []}
        key = key_of_url(item.url)
        return {"title": _page_title(item), "path": key, "children": []}

    def _address(self, link: str) -> str | None:
        """The address of a link of the navigation: a page's name is not its address.

        mkdocs takes a name with an anchor or a query for a link. None for a link that
        pages may not have, such as one of a script.
        """
        try:
            parts = split_address(link)
        except Invalid:
            return quote(link, safe=SAFE_IN_LINKS)
        if parts.scheme and parts.scheme not in LINK_SCHEMES:
            return None
        if parts.scheme or parts.netloc or self._files is None:
            return link
        path = unquote(parts.path)
        file = self._files.get_file_from_path(path) if path else None
        if file is None or not file.is_documentation_page():
            return link
        return urlunsplit(("", "", file.url, parts.query, parts.fragment))

    def _store(
        self, summary: PageSummary, article: FinishedArticle, toc: list[TocEntry]
    ) -> None:
        self.pages.append(summary)
        for host in article.foreign_hosts:
            self._foreign.setdefault(host, set()).add(summary["source"])
        folder = self._record / PAGES_FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        stored: StoredPage = {**summary, "html": article.html, "toc": toc}
        text = json.dumps(stored, ensure_ascii=False)
        (folder / page_file(summary["path"])).write_text(text, errors="replace")

    def _name_page(self, file: File) -> None:
        # A file, as the service that stops this process names the page.
        self.page = file.src_uri
        (self._record / PAGE_FILE).write_text(self.page)

    def _on_source(self, program: str) -> None:
        self._sources.setdefault(program, set()).add(self.page)

    def _source(self, file: File) -> str:
        """A page's source, relative to the place that the docs are of."""
        path = os.path.relpath(file.abs_src_path or "", self._job.source)
        first = posixpath.normpath(f"{self._places.roots[0][0]}/index.md")
        return self._places.readme or path if path == first else path

    def _resolved(self, link: str) -> str:
        page, files = self._current, self._files
        if page is None or files is None:
            return link
        absent: list[str] = []

        def has(uri: str) -> bool:
            is_there = files.get_file_from_path(uri) is not None
            absent.extend(() if is_there else (uri,))
            return is_there

        target = self._places.target(
            link, page=page.file.src_uri, source=self._source(page.file), has=has
        )
        if target == link:
            self._unpublished.note(page.file.src_uri, absent)
        return target

    def _resolved_raw(self, link: str) -> str:
        """The link of raw HTML, which mkdocs does not resolve: that of the README."""
        page, files = self._current, self._files
        if page is None:
            return link
        if self._source(page.file) != self._places.readme:
            self._unpublished.note_address(page.file.src_uri, page.url, link)
            return link
        parts = split_address(self._resolved(link))
        path = unquote(parts.path)
        file = files.get_file_from_path(path) if files and path else None
        if file is None:
            return urlunsplit(parts)
        url = get_relative_url(file.url, page.file.url)
        return urlunsplit(("", "", url, parts.query, parts.fragment))


def _with_escaped_name(url: str | None, name: str | None) -> str | None:
    """An address that mkdocs made of `edit_uri` and a file's name as it is."""
    if not url or not name or not url.endswith(name):
        return url
    return url.removesuffix(name) + quote(name)


def _mark_mermaid_fences(options: SiteConfig) -> None:
    """Make fences of Mermaid keep their class, by which the portal draws them."""
    extra = options.setdefault("pymdownx.extra", {})
    fences = extra.setdefault("pymdownx.superfences", {})
    custom = fences.get("custom_fences")
    if not isinstance(custom, list):
        custom = fences["custom_fences"] = []
    if not any(isinstance(f, dict) and f.get("name") == "mermaid" for f in custom):
        mermaid = {"name": "mermaid", "class": "mermaid", "format": fence_code_format}
        custom.append(mermaid)


def _is_lfs_pointer(file: File) -> bool:
    path = Path(file.abs_src_path or "")
    is_short = path.is_file() and path.stat().st_size < POINTER_BYTES
    return is_short and is_lfs_pointer(path.read_bytes())


def _first_names(names: Collection[str], noun: str) -> str:
    more = f" and {len(names) - 5} more {noun}" if len(names) > 5 else ""
    return ", ".join(sorted(names)[:5]) + more


def _short(text: object, otherwise: str = "") -> str:
    return str(otherwise if text is None else text)[:TITLE_CHARACTERS]


def _page_title(page: Page) -> str:
    """A page's title as text: only what mkdocs takes from a heading is HTML."""
    is_written = "title" in vars(page) or "title" in page.meta
    # mkdocs has no other name for it.
    heading = "" if is_written else page._title_from_render  # noqa: SLF001
    # A page of the navigation that is left out of the site has no title.
    return _short(unescape(heading) if heading else page.title, page.file.src_uri)


def _toc(item: Any) -> Iterable[TocEntry]:
    yield {"id": item.id, "title": _short(unescape(item.title)), "level": item.level}
    for child in item.children:
        yield from _toc(child)
