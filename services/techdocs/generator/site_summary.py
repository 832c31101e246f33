"""What the generator writes of a site for the service: its pages and its navigation.

The names are those of the JSON files in a site's record.
"""

from typing import NotRequired, TypedDict


class PageSummary(TypedDict):
    """A page; `url` is its address within the site, `path` the same decoded.

    `previous` and `next` are paths of pages, None at either end.
    """

    path: str
    url: str
    title: str
    source: str
    edit_url: str | None
    previous: NotRequired[str | None]
    next: NotRequired[str | None]


class TocEntry(TypedDict):
    """A heading of a page."""

    id: str
    title: str
    level: int


class StoredPage(PageSummary):
    """A page with its article and its headings."""

    html: str
    toc: list[TocEntry]


class NavigationItem(TypedDict):
    """A page, a section or a link of the navigation; `path` is that of a page."""

    title: str
    path: str | None
    href: NotRequired[str]
    children: "list[NavigationItem]"


class Redirect(TypedDict):
    """The page that a renamed page is now, and the heading in it, "" for none."""

    path: str
    anchor: str


class SiteSummary(TypedDict):
    """A site: its pages in reading order, its navigation and its warnings.

    `redirects` have the former paths of pages; sites of earlier versions have none.
    """

    title: str
    description: str
    pages: list[PageSummary]
    nav: list[NavigationItem]
    warnings: list[str]
    redirects: NotRequired[dict[str, Redirect]]
