"""Home: one's own things, what needs attention, what changed, where to begin."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from services.portal.api_paths import BY_QUERY, ENTITY_FACETS, HAS_ERRORS
from services.portal.docs_states import (
    FailedBuild,
    failed_builds_of,
    has_docs,
)
from services.portal.entities import (
    KINDS,
    Entity,
    Summary,
    canonical,
    counted_kind,
    docs_href,
    errors_of,
    spec_ref,
    summarize,
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
from services.portal.source_errors import began_at, refused_documents
from services.portal.stars import starred
from services.portal.visit import Visit, Visiting, together

OWN_READ = 200
OWN_SHOWN = 12
#: Annotations say which files own entities come from.
OWN_FIELDS = f"{ROW_FIELDS},metadata.annotations"
ATTENTION_SHOWN = 30
CHANGES_SHOWN = 6
CHANGES_ASKED = 100  # one commit may have changed many entities
CHANGES_PATH = "/api/catalog/changes"
STARS_SHOWN = 12
DOCS_SHOWN = 6
TEMPLATES_SHOWN = 4
DOCS_FILTER = "metadata.annotations.backstage.io/techdocs-ref"
GREETINGS = ((5, "Good night"), (12, "Good morning"), (18, "Good afternoon"))

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Attention:
    """Something that waits for the reader, and why; `others` wait for the same.

    A source may have several `reasons`, and `more` than are shown. `began` is when the
    error was met first, "" if that is not known; `href` is where it is shown whole, the
    entity's page by default.
    """

    summary: Summary
    reasons: tuple[str, ...]
    others: int = 0
    more: int = 0
    began: str = ""
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
    (own, broken, kinds), docs, templates, stars, changes = await together(
        _own(visit, owned) if owned else _everything(visit),
        _list(visit, DOCS_FILTER, OWN_READ),
        _list(visit, "kind=template", TEMPLATES_SHOWN),
        _stars(visit),
        _changes(visit),
    )
    entities = [one for one in own["items"] if one]
    summaries = [summarize(canonical(one), one) for one in entities]
    steps = None if owned else await first_steps(visit, kinds)
    shelf = _own_first(docs["items"], {one.ref for one in summaries})[:DOCS_SHOWN]
    documented = [canonical(one) for one in entities if has_docs(one)]
    attention, failed = await together(
        _attention(visit, entities, broken),
        failed_builds_of(visit, [*documented, *(one.ref for one in shelf)]),
    )
    return visit.page(
        "home.html",
        steps=steps,
        title="Home",
        nav="home",
        greeting=_greeting(visit, now()),
        newcomer=not entities,
        guest=visit.visitor.is_guest and visit.state.is_policy_enabled,
        kinds=kinds,
        own=summaries[:OWN_SHOWN],
        stars=stars,
        own_total=own["totalItems"],
        attention=attention + _without_new_docs(summaries, failed),
        changes=changes,
        docs=[(one, docs_href(one.ref), one.ref in failed) for one in shelf],
        templates=[summarize(canonical(one), one) for one in templates["items"] if one],
    )


def _own_filter(visit: Visit) -> str:
    """What belongs to the reader or to one of their groups; "" for guests."""
    mine = [ref for ref in visit.visitor.ownership if "," not in ref]
    if visit.visitor.is_guest or not mine:
        return ""
    return ",".join(f"relations.ownedBy={ref}" for ref in mine)


async def _own(
    visit: Visit, owned: str
) -> tuple[Mapping[str, Any], list[Entity], list[KindCount]]:
    """What the reader owns, what of it has errors, and how many there are by kind.

    Of more than are read, the API is asked for errors and counts.
    """
    own = await _list(visit, owned, OWN_READ, OWN_FIELDS)
    entities = [one for one in own["items"] if one]
    if own["totalItems"] > OWN_READ:
        broken, kinds = await together(
            _list(visit, f"{owned},{HAS_ERRORS}", OWN_READ), _kind_counts(visit, owned)
        )
        return own, [one for one in broken["items"] if one], kinds
    with_errors = [one for one in entities if errors_of(one)]
    counts = Counter(str(one["kind"]).lower() for one in entities)
    return own, with_errors, _shown_counts(counts, "&own=1")


async def _everything(
    visit: Visit,
) -> tuple[Mapping[str, Any], list[Entity], list[KindCount]]:
    """For who owns nothing: how many the whole catalog has by kind."""
    return {"items": [], "totalItems": 0}, [], await _kind_counts(visit, "")


async def _list(visit: Visit, wanted: str, limit: int, fields: str = ROW_FIELDS) -> Any:
    params = [
        ("filter", wanted),
        ("fields", fields),
        ("orderField", "metadata.name,asc"),
        ("limit", str(limit)),
    ]
    return await visit.get(BY_QUERY, params)


async def _stars(visit: Visit) -> list[Summary]:
    """What the reader starred, the latest first; what is gone is left out."""
    refs = (await starred(visit))[::-1][:STARS_SHOWN]
    known = await visit.summaries(refs)
    return [known[ref] for ref in refs if not known[ref].missing]


async def _kind_counts(visit: Visit, owned: str) -> list[KindCount]:
    """What the reader owns by kind, or else what the house has."""
    params = [("facet", "kind"), *([("filter", owned)] if owned else [])]
    answer = await visit.get(ENTITY_FACETS, params)
    counts = {
        str(each["value"]).lower(): int(each["count"])
        for each in answer["facets"]["kind"]
    }
    return _shown_counts(counts, "&own=1" if owned else "")


def _shown_counts(counts: Mapping[str, int], own: str) -> list[KindCount]:
    """The counts in the kinds' order; locations are nobody's."""
    return [
        KindCount(
            counted_kind(kind, counts[kind]),
            counts[kind],
            f"/catalog?kind={kind}{own}",
        )
        for kind in KINDS
        if kind in counts and kind != "location"
    ]


async def _changes(visit: Visit) -> list[TimelineEntry]:
    """What changed lately, by commit, newest first; locations are nobody's news."""
    answer = await visit.get(CHANGES_PATH, [("limit", str(CHANGES_ASKED))])
    items = [item for item in answer["items"] if item["kind"].lower() != "location"]
    people = await visit.summaries(actor_refs(items))
    moments = (moment_of(item, people, changed_entity(item)) for item in items)
    return by_commit(moments)[:CHANGES_SHOWN]


async def _attention(
    visit: Visit, entities: Sequence[Entity], broken: Sequence[Entity]
) -> list[Attention]:
    """Own descriptors with errors, and those whose system is not in the catalog.

    And what is refused of their files, which is no entity yet, and what is missing.
    """
    wholes = {canonical(one): spec_ref(one, "system", "system") for one in entities}
    shown = {str(each.get("message")) for one in broken for each in errors_of(one)}
    known, refused, sources = await together(
        visit.summaries(ref for ref in wholes.values() if ref),
        refused_documents(visit, entities),
        sources_to_mend(visit, entities, shown),
    )
    refs = {source.ref for source in refused}
    refused += [source for source in sources if source.ref not in refs]
    found = _with_errors(broken)
    found += [
        Attention(
            replace(summarize(source.ref), title=source.name),
            source.messages,
            more=source.more,
        )
        for source in refused
    ]
    found += [
        Attention(summarize(ref, one), (f"Its system {system} is not in the catalog.",))
        for one in entities
        for ref in [canonical(one)]
        for system in [wholes[ref]]
        if system and known[system].missing
    ]
    return found[:ATTENTION_SHOWN]


def _with_errors(broken: Iterable[Entity]) -> list[Attention]:
    """One for each error: a file that cannot be read may have brought hundreds."""
    groups: dict[tuple[str, str], list[Entity]] = {}
    for one in broken:
        for error in errors_of(one)[:1]:
            key = str(error.get("message") or ""), began_at(error)
            groups.setdefault(key, []).append(one)
    return [
        Attention(
            summarize(canonical(first), first),
            (error_text(errors_of(first)[0], first),),
            others=len(more),
            began=began,
        )
        for (_, began), (first, *more) in groups.items()
    ]


def _without_new_docs(
    own: Iterable[Summary], failed: Mapping[str, FailedBuild]
) -> list[Attention]:
    """What the reader owns whose latest build of documentation failed."""
    builds = [(one, failed[one.ref]) for one in own if one.ref in failed]
    return [
        Attention(
            replace(one, title=f"Documentation of {one.title}"),
            (build.error,),
            began=build.failed_at,
            href=build.href,
        )
        for one, build in builds[:ATTENTION_SHOWN]
    ]


def _own_first(items: Iterable[Entity | None], own: set[str]) -> list[Summary]:
    summaries = [summarize(canonical(one), one) for one in items if one]
    return sorted(summaries, key=lambda one: one.ref not in own)


def _greeting(visit: Visit, at: datetime) -> str:
    """The server's hour is a guess at the reader's: only the name is certain."""
    first = visit.person.name.partition(" ")[0]
    if visit.visitor.is_guest or visit.visitor.is_service:
        return f"Welcome to {visit.state.frame.organization}"
    hour = at.astimezone().hour
    words = next((text for limit, text in GREETINGS if hour < limit), "Good evening")
    return f"{words}, {first}"
