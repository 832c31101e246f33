"""Status: what an operator opens first. Every service, every engine, every Git host.

The facts are the gateway's report; the page puts them in words and refreshes itself.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from services.portal.api_paths import BY_QUERY, HAS_ERRORS, by_name_params
from services.portal.docs_states import latest_failed_builds
from services.portal.entities import (
    entities_of,
    entity_href,
    errors_of,
    title_of,
)
from services.portal.error_texts import error_texts
from services.portal.source_errors import (
    ERRORS_SHOWN,
    first_seen,
)
from services.portal.visit import Visit, Visiting, gather
from shared.contracts.checks import check_name, check_order
from shared.contracts.entity import Entity, mapping_of

ROLES = {
    "portal": "These pages, made of the public API's answers",
    "gateway": "The front door: identity, policy, streams",
    "catalog": "Entities, their relations and history",
    "scaffolder": "Templates and their runs",
    "techdocs": "Documentation sites",
    "search": "The index of everything that can be found",
    "analytics": "Counts of changes, runs, builds and pushes",
}
FIGURES = {
    "outbox": "Unpublished events",
    "entities": "Entities",
    "roots": "Locations and sources",
    "records": "Records in the index",
    "running": "Runs in progress",
    "waiting": "Sites to check",
}
#: What the checks that services report are for.
CHECK_PURPOSES = {
    "documents": "Stores entities, runs and builds",
    "events": "Carries changes from one service to the others",
    "index": "Answers searches",
    "gateway": "Answers the requests of pages",
    "policy": "Decides who may do what",
    "catalog loaded": "Holds all entities for queries",
    "pushes": "Git hosts report changes by them",
    "tables": "Hold what analytics counted",
    "open": "A service is connected to all that it needs",
    "builders": "Processes that build documentation",
    "rights": "Withdraws documentation that became hidden",
    "runs": "Processes that run templates",
}

SENDERS = {
    "github": "GitHub",
    "gitea": "Gitea",
    "gitlab": "GitLab",
    "bitbucket": "Bitbucket",
}
OUTCOMES = {
    "accepted": "Accepted",
    "duplicate": "Sent again: nothing to do",
    "ignored": "No push: nothing to do",
    "refused": "Refused",
}
SOURCES_SHOWN = 20
SOURCE_FIELDS = "kind,metadata.name,metadata.namespace,metadata.title,spec,status"

router = APIRouter()


@dataclass(frozen=True, slots=True)
class StatusLine:
    """A service, engine or host: `state` says in words what is wrong, "" if nothing."""

    name: str
    ready: bool
    about: str = ""
    state: str = ""
    figures: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class FailingLocation:
    """A location with errors: what it names, the first errors, how many more.

    `since` is when the first of them was met, "" if that is not known.
    """

    name: str
    href: str
    errors: tuple[str, ...]
    more: int = 0
    since: str = ""


@router.get("/status")
async def status(visit: Visiting) -> Response:
    """The report as tables; of htmx only the part that changes."""
    report = await visit.get("/api/status")
    (sources, total), builds = await gather(
        _sources(visit), latest_failed_builds(visit)
    )
    services = [service_line(service) for service in report.get("services", ())]
    engines = [engine_line(engine) for engine in _in_order(report.get("engines", ()))]
    not_ready = [line.name for line in (*services, *engines) if not line.ready]
    return visit.page(
        "status.html",
        title="Status",
        nav="status",
        block="part" if visit.partial == "status" else None,
        well=report.get("status") == "ok",
        not_ready=not_ready,
        services=services,
        engines=engines,
        sources=sources,
        sources_total=total,
        builds=builds,
        webhooks=list(webhook_lines(mapping_of(report.get("webhooks")))),
    )


async def _sources(visit: Visit) -> tuple[list[FailingLocation], int]:
    """The locations with errors that the reader may see, and how many there are.

    None while the catalog does not answer: the page says so of the catalog itself.
    """
    params = by_name_params(
        f"kind=location,{HAS_ERRORS}", fields=SOURCE_FIELDS, limit=SOURCES_SHOWN
    )
    answer = await visit.ask("GET", BY_QUERY, params=params, is_secondary=True)
    if not answer.ok:
        return [], 0
    body = answer.json()
    locations = entities_of(body["items"])
    return [_source(location) for location in locations], int(body["totalItems"])


def _source(location: Entity) -> FailingLocation:
    items = errors_of(location)
    errors = error_texts(location)
    messages = tuple(errors[:ERRORS_SHOWN])
    return FailingLocation(
        title_of(location),
        entity_href(str(location.ref)),
        messages,
        len(errors) - len(messages),
        since=min(filter(None, map(first_seen, items)), default=""),
    )


def service_line(service: Mapping[str, Any]) -> StatusLine:
    """A service, its dependencies that are not ok, and its figures."""
    checks = mapping_of(service.get("checks"))
    problems = _problems(checks)
    if service.get("error"):
        problems.insert(0, str(service["error"]))
    name = str(service.get("name") or "")
    return StatusLine(
        name=name,
        ready=bool(service.get("ready")),
        about=ROLES.get(name, ""),
        state="; ".join(problems),
        figures=tuple(_figures(mapping_of(service.get("figures")))),
    )


def _in_order(engines: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(engines, key=lambda engine: check_order(str(engine.get("name"))))


def engine_line(engine: Mapping[str, Any]) -> StatusLine:
    """A dependency, the services that report on it, and the states that they see."""
    states = mapping_of(engine.get("seen_by"))
    problems = _problems(states)
    name = str(engine.get("name") or "")
    about = CHECK_PURPOSES.get(name, "")
    reporters = f"reported by {', '.join(map(str, states))}" if states else ""
    return StatusLine(
        name=check_name(name),
        ready=bool(engine.get("ready")),
        about="; ".join(filter(None, (about, reporters))),
        state="; ".join(problems),
    )


def _problems(states: Mapping[str, Any]) -> list[str]:
    """The checks that are not ok, each with its state."""
    return [
        f"{check_name(name)}: {state}"
        for name, state in states.items()
        if state != "ok"
    ]


def webhook_lines(webhooks: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The kind of host that sent it, the time of its last delivery, what came of it."""
    for sender, delivery in webhooks.items():
        last = mapping_of(delivery)
        outcome = str(last.get("outcome") or "")
        at = str(last.get("at") or ("" if last else delivery) or "")
        yield SENDERS.get(sender, sender), at, OUTCOMES.get(outcome, outcome)


def _figures(figures: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in figures.items():
        yield FIGURES.get(key, key.replace("_", " ").capitalize()), f"{value:,.10g}"
