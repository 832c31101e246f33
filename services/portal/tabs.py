"""The tabs of an entity's page: which an entity has, and where each one is.

What a tab shows is fetched by its page in `pages/`; this only says what there is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from services.portal.entities import (
    annotation,
    docs_href,
    entity_href,
    related_refs,
)
from shared.contracts.annotations import TECHDOCS_ENTITY, TECHDOCS_REF
from shared.contracts.entity import Entity

DOCS_PATH = "backstage.io/techdocs-entity-path"
API_RELATIONS = ("providesApi", "consumesApi")


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab; `key` is the end of its address, `shown` says for which entities."""

    key: str
    label: str
    is_shown: Callable[[Entity], bool]


@dataclass(frozen=True, slots=True)
class TabLink:
    """A tab of one entity."""

    key: str
    label: str
    href: str
    current: bool


def docs_of(entity: Entity) -> str:
    """Where an entity's documentation is read, "" if it has none."""
    elsewhere = annotation(entity, TECHDOCS_ENTITY).lower()
    if elsewhere.count(":") == 1 and elsewhere.count("/") == 1:
        return docs_href(elsewhere) + _page_path(entity)
    if not annotation(entity, TECHDOCS_REF):
        return ""
    return docs_href(str(entity.ref)) + _page_path(entity)


def _page_path(entity: Entity) -> str:
    """The page of the site at which this entity's part of it begins."""
    path, hash_sign, section = annotation(entity, DOCS_PATH).partition("#")
    steps = [step for step in path.split("/") if step not in ("", ".", "..")]
    if not steps:
        return ""
    return f"/{'/'.join(map(quote, steps))}/{hash_sign}{quote(section)}"


def _always(_: Entity) -> bool:
    return True


def _has_api(entity: Entity) -> bool:
    return entity.kind == "API" or bool(related_refs(entity, *API_RELATIONS))


TABS = (
    Tab("overview", "Overview", _always),
    Tab(
        "dependencies", "Dependencies", lambda entity: bool(entity.raw.get("relations"))
    ),
    Tab("api", "API", _has_api),
    Tab("docs", "Docs", lambda entity: bool(docs_of(entity))),
    Tab("activity", "Activity", _always),
    Tab("raw", "Raw", _always),
)


def tabs_of(entity: Entity, current: str) -> list[TabLink]:
    """The tabs that an entity has."""
    href = entity_href(str(entity.ref))

    def address(tab: Tab) -> str:
        if tab.key == "docs":
            return docs_of(entity)
        return href if tab.key == "overview" else f"{href}/{tab.key}"

    return [
        TabLink(tab.key, tab.label, address(tab), tab.key == current)
        for tab in TABS
        if tab.is_shown(entity)
    ]
