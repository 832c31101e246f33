"""A mkdocs plugin that keeps what the portal shows: navigation and pages' articles."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jinja2 import BytecodeCache, Environment
from jinja2.bccache import Bucket
from mkdocs.config.base import Config
from mkdocs.plugins import BasePlugin
from mkdocs.structure.nav import Link, Navigation, Section
from mkdocs.structure.pages import Page

from services.techdocs.generator.job import PAGES_FOLDER
from services.techdocs.generator.pages import page_file, page_key

#: techdocs-core draws emoji as pictures of a foreign server; the character will do.
_EMOJI = re.compile(r'<img alt="([^"<>]{1,8})" class="emojione"[^>]*>')


class CompiledTemplates(BytecodeCache):
    """The theme's templates as Jinja2 compiled them, for the next builds.

    In memory on purpose: what a build writes into its copy ends with its process.
    """

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        found = self._kept.get(bucket.key)
        if found is not None:
            bucket.bytecode_from_string(found)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


class RecorderConfig(Config):  # type: ignore[no-untyped-call]
    """No options: it is never named in a file."""


class Recorder(BasePlugin[RecorderConfig]):  # type: ignore[no-untyped-call]
    """Collects while mkdocs builds; `summary` tells once it is done."""

    def __init__(self, record: Path, templates: CompiledTemplates) -> None:
        super().__init__()
        self._templates = templates
        self._folder = record / PAGES_FOLDER
        self._nav: Navigation | None = None
        self.pages: list[dict[str, Any]] = []

    def on_env(self, env: Environment, **_: Any) -> Environment:
        env.bytecode_cache = self._templates
        return env

    def on_nav(self, nav: Navigation, **_: Any) -> Navigation:
        self._nav = nav
        return nav

    def on_page_content(self, html: str, *, page: Page, **_: Any) -> str:
        key = page_key(page.url)
        summary = {
            "path": key,
            "url": "" if page.url == "./" else page.url,
            "title": str(page.title),
            "source": page.file.src_uri,
            "edit_url": page.edit_url,
        }
        self.pages.append(summary)
        toc = [entry for item in page.toc.items for entry in _toc(item)]
        article = _EMOJI.sub(r"\1", html)
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / page_file(key)).write_text(
            json.dumps({**summary, "html": article, "toc": toc})
        )
        return html

    def navigation(self) -> list[dict[str, Any]]:
        """The tree that the site's `nav` gives, titles as the pages have them."""
        return [_item(item) for item in (self._nav.items if self._nav else ())]

    def order(self) -> list[str]:
        """The pages' paths in reading order."""
        return [page_key(page.url) for page in (self._nav.pages if self._nav else ())]


def _toc(item: Any) -> Iterable[dict[str, Any]]:
    yield {"id": item.id, "title": item.title, "level": item.level}
    for child in item.children:
        yield from _toc(child)


def _item(item: Any) -> dict[str, Any]:
    if isinstance(item, Section):
        return {
            "title": str(item.title),
            "path": None,
            "children": [_item(child) for child in item.children],
        }
    if isinstance(item, Link):
        return {
            "title": str(item.title),
            "path": None,
            "href": item.url,
            "children": [],
        }
    return {"title": str(item.title), "path": page_key(item.url), "children": []}
