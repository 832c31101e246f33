"""Search: one page of results that narrow by what they are, and what the box suggests.

The policy is inside the search service's query, so totals here are exact.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import urlencode

from fastapi import APIRouter
from markupsafe import Markup
from starlette.responses import Response

from services.portal.catalog_query import MOST_TICKED
from services.portal.entities import (
    KINDS,
    SPEC_FIELDS,
    Summary,
    kind_plural,
    kind_word,
    ref_title,
    spec_ref,
)
from services.portal.formats import safe_url
from services.portal.highlighting import highlight, snippet
from services.portal.tables import Facet, FacetChoice, Paging
from services.portal.visit import Visit, Visiting, gather, with_query
from shared.contracts.entity import Entity
from shared.contracts.errors import Unavailable

QUERY = "/api/search/query"
SUGGEST = "/api/search/suggest"
PAGE_SIZE = 20
LONGEST = 100
TYPES = (("", "Everything"), ("software-catalog", "Catalog"), ("techdocs", "Docs"))
SUGGESTIONS_SECONDS = 5
KIND_RANKS = {kind: rank for rank, kind in enumerate(KINDS)}

router = APIRouter()


@dataclass(frozen=True, slots=True)
class SearchParameters:
    """The parameters in the address of the search page."""

    text: str = ""
    type: str = ""
    kinds: tuple[str, ...] = ()
    lifecycles: tuple[str, ...] = ()
    cursor: str = ""

    @classmethod
    def of(cls, visit: Visit) -> Self:
        """Read from the address; what is unknown in it means nothing."""
        query = visit.request.query_params
        kind = query.get("type", "")
        return cls(
            text=query.get("query", "").strip()[:LONGEST],
            type=kind if kind in dict(TYPES) else "",
            kinds=_ticked_values(query.getlist("kind")),
            lifecycles=_ticked_values(query.getlist("lifecycle")),
            cursor=query.get("cursor", "")[:LONGEST],
        )

    def params(self, *, limit: int = PAGE_SIZE) -> list[tuple[str, str]]:
        """For the search API."""
        pairs = [("term", self.text), ("pageLimit", str(limit))]
        if self.type:
            pairs.append(("types[0]", self.type))
        pairs += [("filters[kind]", kind) for kind in self.kinds]
        pairs += [("filters[lifecycle]", lifecycle) for lifecycle in self.lifecycles]
        if self.cursor:
            pairs.append(("pageCursor", self.cursor))
        return pairs

    def address(self, cursor: str = "") -> str:
        """Of the page that shows this."""
        pairs = [("query", self.text), ("type", self.type), ("cursor", cursor)]
        pairs += [("kind", kind) for kind in self.kinds]
        pairs += [("lifecycle", lifecycle) for lifecycle in self.lifecycles]
        query = urlencode([(name, value) for name, value in pairs if value])
        return f"/search?{query}" if query else "/search"


def _ticked_values(values: Iterable[str]) -> tuple[str, ...]:
    """The values that an address ticks in one list, each once, up to the bound."""
    short = (value for value in values if len(value) <= LONGEST)
    return tuple(dict.fromkeys(short))[:MOST_TICKED]


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the list, the words that were searched for highlighted."""

    href: str
    title: Markup
    text: Markup
    kind: str
    icon: str
    within: str = ""
    lifecycle: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True)
class TypeChoice:
    """Everything, the catalog or the docs, with how many were found there."""

    value: str
    label: str
    count: int
    chosen: bool


@router.get("/search")
async def search(visit: Visiting) -> Response:
    """The results; of htmx only the part that changes."""
    parameters = SearchParameters.of(visit)
    answer, types, facets = await gather(
        visit.get(QUERY, parameters.params()),
        _types(visit, parameters),
        _facets(visit, parameters),
    )
    owners = await _owners(visit, answer["results"])
    response = visit.page(
        "search/search.html",
        title=f"Search: {parameters.text}" if parameters.text else "Search",
        nav="search",
        block="part" if visit.partial == "results" else None,
        search_text=parameters.text,
        parameters=parameters,
        types=types,
        facets=facets,
        results=[
            result_of(result, parameters.text, owners) for result in answer["results"]
        ],
        paging=_paging(parameters, answer),
    )
    response.headers["hx-push-url"] = parameters.address()
    return response


@router.get("/search/suggest")
async def suggest(visit: Visiting, term: str = "") -> Response:
    """The lines under the search box; none if the search does not answer."""
    items = await suggestions(visit, term, limit=8)
    html = visit.state.frame.fragment("search/suggestions.html", items=items)
    response = visit.state.frame.response(html)
    response.headers["cache-control"] = f"private, max-age={SUGGESTIONS_SECONDS}"
    return response


async def suggestions(visit: Visit, term: str, *, limit: int) -> list[dict[str, str]]:
    """Suggestions for a few letters; none if the search does not answer."""
    if not term.strip():
        return []
    params = {"term": term.strip()[:LONGEST], "limit": str(limit)}
    answer = await visit.ask("GET", SUGGEST, params=params)
    body = (answer.json() or {}) if answer.ok else {}
    return [_suggestion(suggestion) for suggestion in body.get("suggestions", ())]


def _suggestion(suggestion: Mapping[str, Any]) -> dict[str, str]:
    docs = suggestion.get("type") == "techdocs"
    within = str(suggestion.get("entityTitle") or "")
    return {
        "href": safe_url(suggestion.get("location")) or "/search",
        "title": str(suggestion.get("title") or ""),
        "kind": "Docs" if docs else kind_word(str(suggestion.get("kind") or "")),
        "text": f"in {within}" if docs and within else "",
    }


async def _types(visit: Visit, parameters: SearchParameters) -> list[TypeChoice]:
    """How many were found of each type, whatever is chosen among them."""
    bare = replace(parameters, cursor="")
    counts = await gather(
        *(
            visit.get(QUERY, replace(bare, type=value).params(limit=0))
            for value, _ in TYPES
        )
    )
    return [
        TypeChoice(
            value,
            label,
            int(count.get("numberOfResults") or 0),
            value == parameters.type,
        )
        for (value, label), count in zip(TYPES, counts, strict=True)
    ]


async def _facets(visit: Visit, parameters: SearchParameters) -> list[Facet]:
    """The most frequent kinds and lifecycles of the reader's catalog."""
    answer = await visit.ask(
        "GET",
        "/api/catalog/entity-facets",
        params=[
            ("facet", "kind"),
            ("facet", "spec.lifecycle"),
            ("valueLimit", str(MOST_TICKED)),
        ],
    )
    values = (answer.json() or {}).get("facets", {}) if answer.ok else {}
    kinds = {str(item["value"]).lower() for item in values.get("kind", ())}
    lifecycles = {str(item["value"]) for item in values.get("spec.lifecycle", ())}
    return [
        Facet(
            "kind",
            "Kind",
            _choices(kinds | set(parameters.kinds), parameters.kinds, plural=True),
        ),
        Facet(
            "lifecycle",
            "Lifecycle",
            _choices(lifecycles | set(parameters.lifecycles), parameters.lifecycles),
        ),
    ]


def _choices(
    values: set[str], chosen: tuple[str, ...], *, plural: bool = False
) -> tuple[FacetChoice, ...]:
    """The values in the order of the catalog's tabs, else of the alphabet."""
    return tuple(
        FacetChoice(
            value, kind_plural(value) if plural else value, chosen=value in chosen
        )
        for value in sorted(
            values - {"location"} | set(chosen),
            key=lambda value: (KIND_RANKS.get(value, len(KINDS)), value),
        )
    )


async def _owners(
    visit: Visit, results: Iterable[Mapping[str, Any]]
) -> Mapping[str, Summary]:
    """The owners of the results; none while the catalog does not answer."""
    refs = filter(None, (_owner_ref(result) for result in results))
    try:
        return await visit.summaries(refs)
    except Unavailable:
        return {}


def _owner_ref(result: Mapping[str, Any]) -> str:
    """The canonical ref of an entity's owner; "" of a page of documentation."""
    document = result.get("document") or {}
    if result.get("type") == "techdocs":
        return ""
    entity = Entity({"metadata": document, "spec": document})
    return spec_ref(entity, *SPEC_FIELDS["ownedBy"])


def result_of(
    result: Mapping[str, Any],
    term: str = "",
    owners: Mapping[str, Summary] | None = None,
) -> Result:
    """A result of the search API as a line of the page.

    An API without a highlighted word was found by its operations: the result leads to
    those that match `term`.
    """
    document = result.get("document") or {}
    marks = result.get("highlight") or {}
    fields = marks.get("fields") or {}
    pre, post = str(marks.get("preTag", "")), str(marks.get("postTag", ""))
    docs = result.get("type") == "techdocs"
    kind = str(document.get("kind") or "").lower()
    text = str(fields.get("text") or document.get("text") or "")
    if kind in ("user", "group") and not docs:
        # The search API joins description, name and address as Backstage does.
        text = text.replace(" : ", " · ")
    owner = _owner_ref(result)
    href = safe_url(document.get("location")) or "/search"
    is_marked = bool(pre) and any(pre in str(field) for field in fields.values())
    if kind == "api" and not docs and term.strip() and not is_marked:
        href = with_query(f"{href}/api", {"find": term.strip()})
    return Result(
        href=href,
        title=highlight(
            str(fields.get("title") or document.get("title") or ""), pre, post
        ),
        text=snippet(text, pre, post),
        kind="Docs" if docs else kind_word(kind),
        icon="docs" if docs else kind,
        within=str(document.get("entityTitle") or "") if docs else "",
        lifecycle="" if docs else str(document.get("lifecycle") or ""),
        owner=_title(owner, owners or {}),
    )


def _title(ref: str, summaries: Mapping[str, Summary]) -> str:
    summary = summaries.get(ref)
    return summary.title if summary else ref_title(ref) if ref else ""


def _paging(parameters: SearchParameters, answer: Mapping[str, Any]) -> Paging:
    total = int(answer.get("numberOfResults") or 0)
    count = len(answer["results"])
    first = int(answer["results"][0].get("rank") or 1) if count else 0
    following = str(answer.get("nextPageCursor") or "")
    before = str(answer.get("previousPageCursor") or "")
    return Paging(
        first=first,
        last=first + count - 1 if count else 0,
        total=total,
        previous=parameters.address(before) if before else "",
        next=parameters.address(following) if following else "",
    )
