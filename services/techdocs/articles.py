"""Cleans a page's article for the portal, and makes its links absolute.

The HTML is foreign: what is not on the lists is removed. Scripts, styles,
frames, forms and SVG never pass; pictures and files go through the assets route.
"""

import posixpath
from collections.abc import Callable, Container
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, unquote, urlunsplit

from services.techdocs.generator.cleaning import clean, with_media_addresses
from services.techdocs.generator.pages import page_key
from shared.contracts.errors import Invalid
from shared.guards.addresses import split_address

#: What is shown as text: a page of the docs is none of the portal.
HTML = (".html", ".htm", ".xhtml")
PICTURES = ("data:image/png", "data:image/jpeg", "data:image/gif", "data:image/svg+xml")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The place of a page: its `url` in the site, the roots of pages and files.

    `is_file` tests whether a path below the site's root is a file of the site; files
    of HTML are below `html_root`. `redirects` are former paths of pages.
    """

    url: str
    pages_root: str
    files_root: str
    pages: Container[str]
    is_file: Callable[[str], bool]
    html_root: str
    redirects: Container[str] = ()

    def link(self, value: str) -> str | None:
        """A link as the portal shows it; None if it leads nowhere.

        A folder without a page means the file `index.html` in it. A name
        that is neither page nor file leads to the site, which answers 404.
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
        place = self._place(self._joined(parts.path))
        return urlunsplit(("", "", place, parts.query, parts.fragment))

    def picture(self, value: str) -> str | None:
        """A picture's address as the portal shows it; None if it has none."""
        parts = _parts(value)
        if parts is None:
            return None
        if parts.scheme == "data":
            return value if value.lower().startswith(PICTURES) else None
        if parts.scheme not in ("", "http", "https"):
            return None
        if parts.scheme or parts.netloc or parts.path.startswith("/"):
            return value
        place = self.files_root + quote(self._joined(parts.path))
        # It may say the scheme of colours, a part of a drawing, a time in a film.
        return urlunsplit(("", "", place, "", parts.fragment))

    def _place(self, path: str) -> str:
        """The address of the page or file that a path within the site means."""
        key = page_key(path)
        if not key or key in self.pages or key in self.redirects:
            return self.pages_root + quote(page_path(key))
        name = path.rstrip("/")
        for file in (name, f"{name}/index.html"):
            if self.is_file(file):
                is_html = file.lower().endswith(HTML)
                return (self.html_root if is_html else self.files_root) + quote(file)
        return self.pages_root + quote(path)

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
        return with_media_addresses(tag, name, value, around.picture)

    return clean(html, attribute)
