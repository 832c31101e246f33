"""Home: what the reader owns, what needs attention, what changed, where to begin."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from services.portal.api_paths import (
    BY_QUERY,
    ENTITY_FACETS,
    HAS_ERRORS,
    by_name_params,
)
from services.portal.docs_states import (
    FailedBuild,
    failed_builds_of,
    has_docs,
)
from services.portal.entities import (
    KINDS,
    Summary,
    counted_kind,
    docs_href,
    entities_of,
    errors_of,
    spec_ref,
    summarize,
    summary_of,
)
from services.portal.error_texts import error_text
from services.portal.formats import now
from services.portal.history import (
    TimelineEntry,
    actor_refs,
    by_commit,
    changed_entity,
    moment_of,
)
from services.portal.owned_sources import sources_to_mend
from services.portal.pages.catalog import ROW_FIELDS
from services.portal.pages.first_steps import first_steps
from services.portal.source_errors import first_seen, refused_documents
from services.portal.stars import starred_refs
from services.portal.visit import Visit, Visiting, gather
from shared.contracts.entity import Entity

OWN_READ = 200
OWN_SHOWN = 12
#: Annotations say which files own entities come from.
OWN_FIELDS = f"{ROW_FIELDS},metadata.annotations"
ATTENTION_SHOWN = 30
CHANGES_SHOWN = 6
CHANGES_READ = 100  # one commit may have changed many entities
CHANGES_PATH = "/api/catalog/changes"
STARS_SHOWN = 12
DOCS_SHOWN = 6
TEMPLATES_SHOWN = 4
DOCS_FILTER = "metadata.annotations.backstage.io/techdocs-ref"
GREETINGS = ((5, "Good night"), (12, "Good morning"), (18, "Good afternoon"))

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Attention:
    """Something that the reader should fix, and why.

    `same_error` counts the other entities with the same error. A source may have
    several `reasons`, and `more` than are shown. `since` is when the error was met
    first, "" if that is not known; `href` is where it is shown whole, the entity's page
    by default.
    """

    summary: Summary
    reasons: tuple[str, ...]
    same_error: int = 0
    more: int = 0
    since: str = ""
    href: str = ""


@dataclass(frozen=True, slots=True)
class KindCount:
    """How many of a kind there are, and where they are listed."""

    label: str
    count: int
    href: str


@router.get("/")
async def home(visit: Visiting) -> Response:
    """The reader's own page; a newcomer's is a tour."""
    owned = _own_filter(visit)
    reader, templates, stars, changes = await gather(
        _of_reader(visit, owned),
        _list(visit, "kind=template", TEMPLATES_SHOWN),
        _stars(visit),
        _changes(visit),
    )
    return visit.page(
        "home.html",
        title="Home",
        nav="home",
        greeting=_greeting(visit, now()),
        guest=visit.visitor.is_guest and visit.state.is_policy_enabled,
        stars=stars,
        changes=changes,
        templates=list(map(summary_of, entities_of(templates["items"]))),
        **reader,
    )


async def _of_reader(visit: Visit, owned: str) -> dict[str, Any]:
    """The parts of the page that follow from what the reader owns."""
    (own, broken, kinds), docs = await gather(
        _owned(visit, owned) if owned else _whole_catalog(visit),
        _list(visit, DOCS_FILTER, OWN_READ),
    )
    entities = entities_of(own["items"])
    summaries = list(map(summary_of, entities))
    sites = _own_first(docs["items"], {summary.ref for summary in summaries})[
        :DOCS_SHOWN
    ]
    documented = [str(entity.ref) for entity in entities if has_docs(entity)]
    attention, builds = await gather(
        _attention(visit, entities, broken),
        failed_builds_of(visit, [*documented, *(site.ref for site in sites)]),
    )
    failed = builds or {}
    return {
        "steps": None if owned else await first_steps(visit, kinds),
        "newcomer": not entities,
        "kinds": kinds,
        "own": summaries[:OWN_SHOWN],
        "own_total": own["totalItems"],
        "attention": attention + _failed_docs(summaries, failed),
        "knows_builds": builds is not None,
        "docs": [(site, docs_href(site.ref), site.ref in failed) for site in sites],
    }


def _own_filter(visit: Visit) -> str:
    """What belongs to the reader or to one of their groups; "" for guests."""
    refs = [ref for ref in visit.visitor.ownership if "," not in ref]
    if visit.visitor.is_guest or not refs:
        return ""
    return ",".join(f"relations.ownedBy={ref}" for ref in refs)


async def _owned(
    visit: Visit, owned: str
) -> tuple[Mapping[str, Any], list[Entity], list[KindCount]]:
    """What the reader owns, what of it has errors, and how many there are by kind.

    Of more than are read, the API is asked for errors and counts.
    """
    own = await _list(visit, owned, OWN_READ, OWN_FIELDS)
    entities = entities_of(own["items"])
    if own["totalItems"] > OWN_READ:
        broken, kinds = await gather(
            _list(visit, f"{owned},{HAS_ERRORS}", OWN_READ), _kind_counts(visit, owned)
        )
        return own, entities_of(broken["items"]), kinds
    with_errors = [entity for entity in entities if errors_of(entity)]
    counts = Counter(entity.kind.lower() for entity in entities)
    return own, with_errors, _shown_counts(counts, "&own=1")


async def _whole_catalog(
    visit: Visit,
) -> tuple[Mapping[str, Any], list[Entity], list[KindCount]]:
    """For a reader who owns nothing: the counts of the whole catalog by kind."""
    return {"items": [], "totalItems": 0}, [], await _kind_counts(visit, "")


async def _list(
    visit: Visit, conditions: str, limit: int, fields: str = ROW_FIELDS
) -> Any:
    params = by_name_params(conditions, fields=fields, limit=limit)
    return await visit.get(BY_QUERY, params)


async def _stars(visit: Visit) -> list[Summary]:
    """What the reader starred, the latest first; what is gone is left out."""
    refs = (await starred_refs(visit))[::-1][:STARS_SHOWN]
    summaries = await visit.summaries(refs)
    return [summaries[ref] for ref in refs if not summaries[ref].missing]


async def _kind_counts(visit: Visit, owned: str) -> list[KindCount]:
    """How many the reader owns by kind, or else the whole catalog has."""
    params = [("facet", "kind"), *([("filter", owned)] if owned else [])]
    answer = await visit.get(ENTITY_FACETS, params)
    counts = {
        str(item["value"]).lower(): int(item["count"])
        for item in answer["facets"]["kind"]
    }
    return _shown_counts(counts, "&own=1" if owned else "")


def _shown_counts(counts: Mapping[str, int], own: str) -> list[KindCount]:
    """The counts in the order of the kinds; locations are left out."""
    return [
        KindCount(
            counted_kind(kind, counts[kind]),
            counts[kind],
            f"/catalog?kind={kind}{own}",
        )
        for kind in KINDS
        if kind in counts and kind != "location"
    ]


async def _changes(visit: Visit) -> list[TimelineEntry] | None:
    """The latest changes by commit, newest first; those of locations are left out.

    None if they cannot be read now.
    """
    params = [("limit", str(CHANGES_READ))]
    answer = await visit.ask("GET", CHANGES_PATH, params=params, is_secondary=True)
    if not answer.ok:
        return None
    changes = answer.json()["items"]
    items = [item for item in changes if item["kind"].lower() != "location"]
    people = await visit.summaries(actor_refs(items))
    moments = (moment_of(item, people, changed_entity(item)) for item in items)
    return by_commit(moments)[:CHANGES_SHOWN]


async def _attention(
    visit: Visit, entities: Sequence[Entity], broken: Sequence[Entity]
) -> list[Attention]:
    """Own entities with errors, and those whose system is not in the catalog.

    Before these, refused documents and missing files of the reader's sources.
    """
    systems = {entity.ref: spec_ref(entity, "system", "system") for entity in entities}
    messages = {item.message for entity in broken for item in errors_of(entity)}
    summaries, refused, sources = await gather(
        visit.summaries(filter(None, systems.values())),
        refused_documents(visit, entities),
        sources_to_mend(visit, entities, messages),
    )
    refs = {source.ref for source in refused}
    refused += [source for source in sources if source.ref not in refs]
    attention = _with_errors(broken)
    attention += [
        Attention(
            replace(summarize(source.ref), title=source.name),
            source.messages,
            more=source.more,
        )
        for source in refused
    ]
    attention += [
        Attention(summary_of(entity), (f"Its system {system} is not in the catalog.",))
        for entity in entities
        for system in [systems[entity.ref]]
        if system and summaries[system].missing
    ]
    return attention[:ATTENTION_SHOWN]


def _with_errors(broken: Iterable[Entity]) -> list[Attention]:
    """One for each error: a file that cannot be read may have brought hundreds."""
    groups: dict[tuple[str, str], list[Entity]] = {}
    for entity in broken:
        for item in errors_of(entity)[:1]:
            key = item.message, first_seen(item)
            groups.setdefault(key, []).append(entity)
    return [
        Attention(
            summary_of(first),
            (error_text(errors_of(first)[0], first),),
            same_error=len(rest),
            since=since,
        )
        for (_, since), (first, *rest) in groups.items()
    ]


def _failed_docs(
    own: Iterable[Summary], failed: Mapping[str, FailedBuild]
) -> list[Attention]:
    """What the reader owns whose latest build of documentation failed."""
    builds = [
        (summary, failed[summary.ref]) for summary in own if summary.ref in failed
    ]
    return [
        Attention(
            replace(summary, title=f"Documentation of {summary.title}"),
            (build.error,),
            since=build.failed_at,
            href=build.href,
        )
        for summary, build in builds[:ATTENTION_SHOWN]
    ]


def _own_first(
    items: Iterable[Mapping[str, Any] | None], own: set[str]
) -> list[Summary]:
    summaries = map(summary_of, entities_of(items))
    return sorted(summaries, key=lambda summary: summary.ref not in own)


def _greeting(visit: Visit, at: datetime) -> str:
    """A greeting for the hour on the server, which need not be the reader's."""
    first = visit.person.name.partition(" ")[0]
    if visit.visitor.is_guest or visit.visitor.is_service:
        return f"Welcome to {visit.state.frame.organization}"
    hour = at.astimezone().hour
    words = next((text for limit, text in GREETINGS if hour < limit), "Good evening")
    return f"{words}, {first}"
