"""Callboard's Markdown extension: resolved links, diagrams without their program.

mkdocs resolves links after it; what it turns into a page's file is a page for mkdocs.
"""

import html
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from markdown import Markdown
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor
from markdown.treeprocessors import Treeprocessor

from services.techdocs.generator.cleaning import with_media_addresses

#: Extensions that run a program, and what to install for it.
PROGRAMS = {"plantuml_markdown": "plantuml", "markdown_inline_graphviz": "dot"}
PACKAGES = {"plantuml": "plantuml", "dot": "graphviz"}
#: A tag with links in raw HTML, and its links; tags in code are escaped.
_RAW_TAG = re.compile(r"<(a|img|video|audio|source|track)\s[^<>]*")
_RAW_LINK = re.compile(r'(\s(href|src|poster|srcset)=")([^"<>]{1,2000})"')
_FENCE = re.compile(r"[ ]*(`{3,}|~{3,})[ ]*(.*)$")
_PLANTUML = re.compile(r"\{?\.?((?:c4)?(?:plant)?uml|puml)\b")
_GRAPHVIZ = re.compile(r"graphviz[ ]+\w+[ ]+\S+")
_PLANTUML_BLOCK = re.compile(r"[ ]*::uml::(?:\s.*)?$")
_GRAPHVIZ_BLOCK = re.compile(r"[ ]*\{%[ ]+(?:dot|neato|fdp|sfdp|twopi|circo)\s+\S+\s*$")

Resolve = Callable[[str], str]


def absent_programs() -> list[str]:
    """The programs that draw diagrams and are not installed here."""
    return [name for name in PACKAGES if shutil.which(name) is None]


class SiteMarkup(Extension):  # type: ignore[misc]
    """Resolves links by `resolve`; shows the source of diagrams without a program.

    `resolve_raw` gives the address of a link in raw HTML, which mkdocs leaves alone.
    `on_source` is called with the program that a page's diagram needs.
    """

    def __init__(
        self,
        resolve: Resolve,
        resolve_raw: Resolve,
        absent: Iterable[str],
        on_source: Callable[[str], None],
    ) -> None:
        super().__init__()
        self.resolve = resolve
        self.resolve_raw = resolve_raw
        self.absent = frozenset(absent)
        self.on_source = on_source

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - Markdown's name
        # After snippets (32), before the extensions that draw (30) and fences (25).
        md.preprocessors.register(_Sources(md, self), "callboard-diagrams", 31)
        # After inline patterns (20), before mkdocs resolves links (0).
        md.treeprocessors.register(_Links(md, self), "callboard-links", 2)


class _Links(Treeprocessor):  # type: ignore[misc]
    def __init__(self, md: Markdown, markup: SiteMarkup) -> None:
        super().__init__(md)
        self._markup = markup

    def run(self, root: Any) -> None:
        for element in root.iter():
            name = {"a": "href", "img": "src"}.get(element.tag)
            if name is not None and element.get(name):
                element.set(name, self._markup.resolve(element.get(name)))
        blocks = self.md.htmlStash.rawHtmlBlocks
        for number, block in enumerate(blocks):
            if isinstance(block, str):
                blocks[number] = _RAW_TAG.sub(self._resolved_tag, block)

    def _resolved_tag(self, tag: re.Match[str]) -> str:
        resolve = self._markup.resolve_raw

        def resolved(match: re.Match[str]) -> str:
            before, name, value = match[1], match[2], html.unescape(match[3])
            link = (
                resolve(value)
                if name == "href"
                else with_media_addresses(tag[1], name, value, resolve)
            )
            return f'{before}{html.escape(link or "")}"'

        return _RAW_LINK.sub(resolved, tag[0])


class _Sources(Preprocessor):  # type: ignore[misc]
    def __init__(self, md: Markdown, markup: SiteMarkup) -> None:
        super().__init__(md)
        self._markup = markup

    def run(self, lines: list[str]) -> list[str]:
        if not self._markup.absent:
            return lines
        return list(self._visible_lines(lines))

    def _visible_lines(self, lines: list[str]) -> Iterator[str]:
        fence = ""  # what ends the fence that this line is in
        block = ""  # what ends the diagram that this line is in
        for line in lines:
            opened = _FENCE.match(line)
            if block:
                ends = line.strip().startswith(block)
                block = "" if ends else block
                yield "```" if ends else line
            elif fence:
                if opened and opened[1].startswith(fence) and not opened[2]:
                    fence = ""
                yield line
            elif opened:
                fence = opened[1]
                yield self._fence(line, opened)
            elif program := self._block(line):
                self._markup.on_source(program)
                block = "::end-uml::" if program == "plantuml" else "%}"
                yield from ("", "```text")
            else:
                yield line

    def _fence(self, line: str, opened: re.Match[str]) -> str:
        """A fence without options, so that it is shown as code."""
        for program, pattern in (("plantuml", _PLANTUML), ("dot", _GRAPHVIZ)):
            if program in self._markup.absent and pattern.match(opened[2]):
                self._markup.on_source(program)
                return line[: opened.start(2)].rstrip() + "text"
        return line

    def _block(self, line: str) -> str:
        """The program that a block of an absent one needs, "" if it is none."""
        for program, pattern in (
            ("plantuml", _PLANTUML_BLOCK),
            ("dot", _GRAPHVIZ_BLOCK),
        ):
            if program in self._markup.absent and pattern.match(line):
                return program
        return ""
