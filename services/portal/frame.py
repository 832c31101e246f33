"""What stands around every page: templates, navigation, the reader, safety headers.

Not the pages. A page gives a template's name, a title and its own values; the frame
adds the rest and renders the whole page, or only one of its blocks for htmx.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from services.portal.assets import Assets
from services.portal.formats import FILTERS
from services.portal.preferences import DisplayPreferences
from shared.contracts.headers import NOSNIFF

TEMPLATES = Path(__file__).parent / "templates"

# Everything comes from here: no inline script or style, no foreign host, no frames.
SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " media-src 'self'; font-src 'self'; connect-src 'self'; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'"
    ),
    **NOSNIFF,
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "vary": "Cookie, HX-Request",
    "cache-control": "private, no-cache",
}


@dataclass(frozen=True, slots=True)
class NavigationEntry:
    """An entry of the bar at the left; `key` is what pages name as their `nav`."""

    key: str
    href: str
    label: str
    icon: str
    foot: bool = False


@dataclass(frozen=True, slots=True)
class Crumb:
    """A step of the breadcrumbs; the last one has no address."""

    label: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """Who reads, as the corner of the frame shows them."""

    name: str
    note: str
    href: str = ""


#: Icons are drawn once: a list of fifty entities shows two hundred of them.
MOST_ICONS = 200

PLACES = (
    NavigationEntry("home", "/", "Home", "home"),
    NavigationEntry("catalog", "/catalog", "Catalog", "catalog"),
    NavigationEntry("docs", "/docs", "Docs", "docs"),
    NavigationEntry("create", "/create", "Create", "create"),
    NavigationEntry("graph", "/graph", "Graph", "graph"),
    NavigationEntry("search", "/search", "Search", "search"),
    NavigationEntry("insights", "/insights", "Insights", "insights"),
    NavigationEntry("status", "/status", "Status", "status", foot=True),
    NavigationEntry("settings", "/settings", "Settings", "settings", foot=True),
)


class Frame:
    """Renders pages; made once, with all templates compiled before the first visit."""

    def __init__(
        self,
        organization: str,
        *,
        assets: Assets | None = None,
        places: Sequence[NavigationEntry] = PLACES,
        development: bool = False,
    ) -> None:
        self.assets = assets or Assets()
        self.organization = organization
        self.development = development
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters.update(FILTERS)
        self._environment.globals.update(
            asset=self.assets.url,
            integrity=self.assets.integrity,
            has_asset=self.assets.__contains__,
            organization=organization,
            places=places,
            development=development,
        )
        for name in self._environment.list_templates(extensions=["html"]):
            self._environment.get_template(name)
        icons: Any = self._environment.get_template("components/icons.html").module
        icons.icon = lru_cache(MOST_ICONS)(icons.icon)

    def render(
        self,
        template: str,
        values: Mapping[str, Any],
        *,
        path: str,
        person: Person | None,
        preferences: DisplayPreferences,
        block: str | None = None,
    ) -> str:
        """The page, or one block of it, as HTML."""
        page_template = self._environment.get_template(template)
        context = {
            "crumbs": (),
            "nav": "",
            "wide": False,
            "search_text": "",
            "since": "",
            "stale": 0,
            **values,
            "path": path,
            "person": person,
            "preferences": preferences,
        }
        if block is None:
            return page_template.render(context)
        template_context = page_template.new_context(context)
        # The imports at a template's top run when the template begins, not its blocks.
        next(page_template.root_render_func(template_context), None)
        return "".join(page_template.blocks[block](template_context))

    def fragment(self, template: str, **values: Any) -> str:
        """A piece of HTML without the frame, for scripts that ask for one."""
        return self._environment.get_template(template).render(values)

    def response(self, html: str, status: int = 200) -> HTMLResponse:
        """The HTML with the headers that every page carries."""
        return HTMLResponse(html, status, dict(SECURITY_HEADERS))
