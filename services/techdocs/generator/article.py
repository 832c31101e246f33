"""A page's article for the portal: with its drawings, of bounded size and depth.

It is made in the confined process, as foreign HTML may take much work. The service
cleans the article again before a reader gets it.
"""

import base64
import re
from collections.abc import Iterator
from typing import NamedTuple

from services.techdocs.generator.cleaning import (
    clean,
    removed_elements,
    with_media_addresses,
)
from services.techdocs.generator.foreign_pictures import (
    foreign_host,
    with_links_to_pictures,
)
from shared.contracts.errors import Invalid

#: Emoji extensions draw pictures of a foreign server; the character is shown instead.
_EMOJI = re.compile(r'<img\b[^<>]*\bclass="(?:emojione|twemoji|gemoji)"[^<>]*>')
_EMOJI_ALT = re.compile(r'\balt="([^"<>]{1,16})"')
_EMOJI_CODE = re.compile(r"/([0-9a-f]{2,6}(?:-[0-9a-f]{2,6}){0,9})\.(?:svg|png)\"")
#: How Markdown says the side of a column; styles of elements are refused by pages.
_SIDE = re.compile(
    r'(<t[dh]\b[^<>]*?) style="\s*text-align:\s*(left|center|right);?\s*"',
    re.IGNORECASE,
)
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
#: Elements that end by themselves, or hold nothing: they do not nest.
_FLAT = frozenset({"area", "base", "br", "col", "colgroup", "dd", "dt", "embed", "hr"})
_FLAT |= {"img", "input", "li", "link", "meta", "option", "p", "source", "tbody", "td"}
_FLAT |= {"tfoot", "th", "thead", "tr", "track", "wbr"}
DEPTH = 200
CHARACTERS = 2_000_000
DRAWINGS = 200
DRAWING_CHARACTERS = 500_000
TITLE_CHARACTERS = 300


class FinishedArticle(NamedTuple):
    """An article that is cleaned, and warnings of what was left out.

    From `foreign_hosts` it has pictures, films or sounds, which readers' browsers
    refuse.
    """

    html: str
    warnings: list[str]
    foreign_hosts: set[str]


def finished(html: str, page: str) -> FinishedArticle:
    """The article of `page`.

    Raises:
        Invalid: if its elements nest deeper than `DEPTH` levels.
    """
    warnings: list[str] = []
    if len(html) > CHARACTERS:
        html = html[:CHARACTERS].rpartition("<")[0]
        warnings.append(
            f"{page}: is longer than {CHARACTERS:,} characters of HTML; "
            "only its beginning is shown"
        )
    if deepest(html) > DEPTH:
        raise Invalid(f"{page}: elements are nested deeper than {DEPTH} levels")
    html = _SIDE.sub(r'\1 align="\2"', _EMOJI.sub(_character, html))
    html = "".join(_drawings_as_pictures(html))
    if names := removed_elements(html):
        elements = ", ".join(f"<{name}>" for name in names)
        warnings.append(f"{page}: pages of the portal do not show {elements}")
    hosts: set[str] = set()

    def note(address: str) -> str:
        hosts.add(foreign_host(address))
        return address

    cleaned = clean(
        html, lambda tag, name, value: with_media_addresses(tag, name, value, note)
    )
    return FinishedArticle(with_links_to_pictures(cleaned), warnings, hosts - {""})


def deepest(html: str) -> int:
    """How deep elements nest, at most; counted without building a tree."""
    depth = most = 0
    for match in _TAG.finditer(html):
        if match[2].lower() not in _FLAT:
            depth = max(0, depth + (-1 if match[1] else 1))
            most = max(most, depth)
    return most


def _character(match: re.Match[str]) -> str:
    alt = _EMOJI_ALT.search(match[0])
    if alt is not None and not alt[1].startswith(":"):
        return alt[1]
    code = _EMOJI_CODE.search(match[0])
    if code is None:
        return alt[1] if alt is not None else ""
    try:
        return "".join(chr(int(part, 16)) for part in code[1].split("-"))
    except ValueError:
        return ""


def _drawings_as_pictures(html: str) -> Iterator[str]:
    """Inline SVG may hold scripts; the same drawing as a picture runs none."""
    start, count = 0, 0
    while (opened := html.find("<svg", start)) >= 0 and count < DRAWINGS:
        closed = html.find("</svg>", opened)
        if closed < 0:
            break
        end = closed + len("</svg>")
        yield html[start:opened]
        yield _picture(html[opened:end])
        start, count = end, count + 1
    yield html[start:]


def _picture(drawing: str) -> str:
    if len(drawing) > DRAWING_CHARACTERS:
        return ""
    head, mark, rest = drawing.partition(">")
    if "xmlns=" not in head:
        drawing = f'{head} xmlns="http://www.w3.org/2000/svg"{mark}{rest}'
    data = base64.b64encode(drawing.encode()).decode()
    return f'<img class="drawing" alt="" src="data:image/svg+xml;base64,{data}">'
