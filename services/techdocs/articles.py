"""Cleans a page's article for the portal, and makes its links absolute.

The HTML is foreign: what is not on the lists is removed. Scripts, styles,
frames, forms and SVG never pass; pictures and files go through the assets route.
"""

import posixpath
from collections.abc import Callable, Container
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, unquote, urlunsplit

from services.techdocs.generator.cleaning import INPUTS, clean
from services.techdocs.generator.pages import page_key
from shared.contracts.errors import Invalid
from shared.guards.addresses import split_address

PICTURES = ("data:image/png", "data:image/jpeg", "data:image/gif", "data:image/svg+xml")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The place of a page: its `url` in the site, the roots of pages and files.

    `is_file` tests whether a path below the site's root is a file of the site.
    """

    url: str
    pages_root: str
    files_root: str
    pages: Container[str]
    is_file: Callable[[str], bool]

    def link(self, value: str) -> str | None:
        """A link as the portal shows it; None if it leads nowhere.

        A name that is neither page nor file leads to the site, which answers 404.
        """
        parts = _parts(value)
        if parts is None:
            return None
        if parts.scheme or parts.netloc:
            return None if parts.scheme == "data" else value
        if not parts.path:
            return value
        if parts.path.startswith("/"):
            return value
        path = self._joined(parts.path)
        key = page_key(path)
        root = self.pages_root
        if key in self.pages:
            path = page_path(key)
        elif self.is_file(path):
            root = self.files_root
        return urlunsplit(("", "", root + quote(path), parts.query, parts.fragment))

    def picture(self, value: str) -> str | None:
        """A picture's address as the portal shows it; None if it has none."""
        parts = _parts(value)
        if parts is None:
            return None
        if parts.scheme == "data":
            return value if value.lower().startswith(PICTURES) else None
        if parts.scheme or parts.netloc or parts.path.startswith("/"):
            return value
        return self.files_root + quote(self._joined(parts.path))

    def _joined(self, path: str) -> str:
        # A path above the site's root means the root, as in a browser.
        folder = posixpath.dirname("/" + unquote(self.url))
        joined = posixpath.normpath(posixpath.join(folder, unquote(path)))
        slash = "/" if path.endswith("/") and joined != "/" else ""
        return (joined + slash).lstrip("/")


def _parts(address: str) -> SplitResult | None:
    try:
        return split_address(address)
    except Invalid:
        return None


def page_path(key: str) -> str:
    """A page's path below its site's root, decoded: pages' addresses end with `/`."""
    return f"{key}/" if key else ""


def safe_article(html: str, around: Surroundings) -> str:
    """The article without harmful HTML, with absolute links."""

    def attribute(tag: str, name: str, value: str) -> str | None:
        if tag == "a" and name == "href":
            return around.link(value)
        if tag == "img" and name == "src":
            return around.picture(value)
        if tag == "input" and name == "type":
            return value if value in INPUTS else "checkbox"
        return value

    return clean(html, attribute)
