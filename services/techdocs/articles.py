"""A page's article made safe to stand inside the portal, its links made absolute.

The text is other people's: what is not on the lists is removed. Scripts, styles,
frames, forms and SVG never pass; pictures and files go through the assets route.
"""

import posixpath
from collections.abc import Container
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import nh3

from services.techdocs.generator.pages import page_key

_ALLOWED = """
    a abbr b blockquote br button caption center code col colgroup dd del details dfn
    div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i img input ins kbd label li
    mark ol p picture pre q s samp small span strong sub summary sup table tbody td
    tfoot th thead tr tt u ul var
"""
TAGS = set(_ALLOWED.split())
ATTRIBUTES: dict[str, set[str]] = {
    "*": {"class", "id", "title", "dir", "lang", "role", "aria-label", "aria-hidden"},
    "a": {"href", "name"},
    "col": {"span"},
    "colgroup": {"span"},
    "details": {"open"},
    "img": {"src", "alt", "width", "height", "loading"},
    "input": {"type", "checked", "disabled", "name"},
    "label": {"for"},
    "li": {"value"},
    "ol": {"start", "type", "reversed"},
    "td": {"colspan", "rowspan", "align", "headers"},
    "th": {"colspan", "rowspan", "align", "scope", "headers"},
}
INPUTS = frozenset({"checkbox", "radio"})
SCHEMES = {"http", "https", "mailto", "tel", "data"}
PICTURES = ("data:image/png", "data:image/jpeg", "data:image/gif", "data:image/svg+xml")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a page stands: `url` within its site, the roots of pages and of files."""

    url: str
    pages_root: str
    files_root: str
    pages: Container[str]

    def link(self, value: str) -> str | None:
        """A link as the portal shows it."""
        parts = urlsplit(value)
        if parts.scheme or parts.netloc:
            return None if parts.scheme == "data" else value
        if not parts.path:
            return value
        if parts.path.startswith("/"):
            return value
        path = self._joined(parts.path)
        key = page_key(path)
        root = self.files_root
        if key in self.pages:
            root, path = self.pages_root, f"{key}/" if key else ""
        return urlunsplit(("", "", root + quote(path), parts.query, parts.fragment))

    def picture(self, value: str) -> str | None:
        """A picture's address as the portal shows it."""
        parts = urlsplit(value)
        if parts.scheme == "data":
            return value if value.lower().startswith(PICTURES) else None
        if parts.scheme or parts.netloc or parts.path.startswith("/"):
            return value
        return self.files_root + quote(self._joined(parts.path))

    def _joined(self, path: str) -> str:
        # The site's top is the end of every way up, as in a browser.
        folder = posixpath.dirname("/" + self.url)
        joined = posixpath.normpath(posixpath.join(folder, unquote(path)))
        slash = "/" if path.endswith("/") and joined != "/" else ""
        return (joined + slash).lstrip("/")


def safe_article(html: str, around: Surroundings) -> str:
    """The article without what could do harm; a relative link is made absolute."""

    def attribute(tag: str, name: str, value: str) -> str | None:
        if tag == "a" and name == "href":
            return around.link(value)
        if tag == "img" and name == "src":
            return around.picture(value)
        if tag == "input" and name == "type":
            return value if value in INPUTS else "checkbox"
        return value

    return nh3.clean(
        html,
        tags=TAGS,
        attributes=ATTRIBUTES,
        attribute_filter=attribute,
        url_schemes=SCHEMES,
        clean_content_tags={"script", "style", "svg", "math", "template"},
    )
