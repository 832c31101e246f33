"""Lists, pages and facets as a client sees them."""

import base64
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from httpx import AsyncClient

from services.catalog.readmodel import ReadModel
from shared.kit.http.service_tokens import PrincipalTokens
from tests import builders
from tests.catalog.entities_app import ask, client_of, names, reading_app, refused
from tests.catalog.readmodels import stored

Headers = Callable[..., dict[str, str]]
#: More than any value has that entities are searched by.
LONG = "\u0e01" + "\u0e48\u0e38" * 501


async def test_entities_are_sorted_by_the_requested_field(client: AsyncClient) -> None:
    """By ref without a sort field; by every sort field otherwise."""
    entities = await ask(client, "/entities?filter=kind=component")
    assert names(entities) == ["audit", "billing", "cart", "search", "web"]
    path = (
        "/entities?filter=kind=component&order=desc:spec.type&order=desc:metadata.name"
    )
    entities = await ask(client, path)
    assert names(entities) == ["cart", "billing", "audit", "web", "search"]
    entities = await ask(
        client, "/entities?order=asc:spec.target&order=asc:metadata.name"
    )
    assert names(entities)[0] == "generated-1"
    assert len(entities) == 7


async def test_entities_page_by_links(client: AsyncClient) -> None:
    """Following `Link: rel=next` gives every entity once."""
    path: str | None = "/entities?filter=kind=component&limit=2"
    names_of_pages = []
    while path:
        answer = await client.get(path)
        names_of_pages += names(answer.json())
        link = answer.headers.get("link")
        path = link.partition("<")[2].partition(">")[0] if link else None
    assert names_of_pages == ["audit", "billing", "cart", "search", "web"]


async def test_a_list_is_made_once_until_something_changes(
    model: ReadModel, tokens: PrincipalTokens, principal_headers: Headers
) -> None:
    """The bytes are remembered, but not those of a page whose header leads on."""
    query, first_page = "fields=metadata.name", "fields=metadata.name&limit=2"
    app = reading_app(model, tokens)
    async with client_of(app, principal_headers()) as client:
        answers = [
            await client.get(f"/entities?{text}")
            for text in (query, first_page, query, first_page)
        ]
    remembered = app.state.reads.answers
    assert remembered.find(("entities", query.encode(), b"")) == answers[0].content
    assert remembered.find(("entities", first_page.encode(), b"")) is None
    assert [answer.headers.get("link") for answer in answers[:2]] == [
        answer.headers.get("link") for answer in answers[2:]
    ]
    assert answers[0].text == answers[2].text


async def test_cursors_page_in_both_directions(
    client: AsyncClient,
) -> None:
    """Next and previous pages join up, whatever the order."""
    for order in (
        "",
        "&orderField=metadata.name,desc",
        "&orderField=spec.type,desc&orderField=metadata.name,asc",
    ):
        path = f"/entities/by-query?filter=kind=component&limit=2{order}"
        first = await ask(client, path)
        assert "prevCursor" not in first["pageInfo"]
        pages = [first]
        while cursor := pages[-1]["pageInfo"].get("nextCursor"):
            pages.append(
                await ask(client, f"/entities/by-query?limit=2&cursor={cursor}")
            )
        assert [len(page["items"]) for page in pages] == [2, 2, 1]
        assert {page["totalItems"] for page in pages} == {5}
        back = [pages[-1]]
        while cursor := back[-1]["pageInfo"].get("prevCursor"):
            back.append(
                await ask(client, f"/entities/by-query?limit=2&cursor={cursor}")
            )
        backwards = [page["items"] for page in reversed(back)]
        assert backwards == [page["items"] for page in pages]
        assert len({n for page in pages for n in names(page["items"])}) == 5


async def test_a_cursor_stays_valid_when_its_entity_is_deleted(
    client: AsyncClient, model: ReadModel
) -> None:
    """Deleting the last entity of a page neither skips nor repeats others."""
    for order in ("metadata.name,asc", "spec.lifecycle,asc&orderField=metadata.name"):
        path = f"/entities/by-query?filter=kind=component&limit=2&orderField={order}"
        page = await ask(client, path)
        cursor = page["pageInfo"]["nextCursor"]
        deleted_entity = model.get("component:default/billing")
        assert deleted_entity is not None
        model.drop(deleted_entity.ref)
        page = await ask(client, f"/entities/by-query?limit=9&cursor={cursor}")
        assert names(page["items"]) == ["cart", "search", "web"]
        assert page["totalItems"] == 4
        model.put(deleted_entity)


async def test_offset_and_limit_page_and_the_total_is_optional(
    client: AsyncClient,
) -> None:
    """An offset skips, `limit=0` only counts, and counting can be left out."""
    path = "/entities/by-query?filter=kind=component"
    page = await ask(client, f"{path}&offset=3&limit=5")
    assert names(page["items"]) == ["search", "web"]
    assert page["pageInfo"] == {}
    page = await ask(client, f"{path}&limit=0")
    assert page == {"items": [], "totalItems": 5, "pageInfo": {}}
    page = await ask(client, f"{path}&limit=1&totalItems=exclude")
    assert page["totalItems"] == 0
    assert page["pageInfo"]["nextCursor"]


async def test_entities_without_the_sort_field_are_left_out(
    client: AsyncClient,
) -> None:
    """As in Backstage, a page sorted by a field holds the entities that have it."""
    page = await ask(client, "/entities/by-query?orderField=metadata.title")
    assert page["totalItems"] == 5
    page = await ask(client, "/entities/by-query?orderField=spec.nothing")
    assert page["totalItems"] == 0


async def test_the_full_text_filter_searches_the_named_fields(
    client: AsyncClient,
) -> None:
    """A term is found inside values, in any case, in named or sort fields."""
    term = "/entities/by-query?fullTextFilterTerm=%20AR&filter=kind=component"
    page = await ask(client, f"{term}&fullTextFilterFields=metadata.name")
    assert names(page["items"]) == ["cart", "search"]
    page = await ask(client, f"{term}&orderField=metadata.title,desc")
    assert names(page["items"]) == ["search", "cart"]
    assert (await ask(client, term))["totalItems"] == 0
    body = {
        "query": {"kind": "component"},
        "fullTextFilter": {"term": "the c", "fields": ["metadata.title"]},
        "limit": 1,
    }
    page = await ask(client, "/entities/by-query", body)
    assert names(page["items"]) == ["cart"]


async def test_a_cursor_carries_its_predicate(client: AsyncClient) -> None:
    """A follow-up request sends the cursor alone."""
    body: dict[str, Any] = {
        "query": {"$not": {"spec.type": "library"}},
        "orderBy": [{"field": "metadata.name", "order": "desc"}],
        "fields": ["metadata.name"],
        "limit": 2,
    }
    page = await ask(client, "/entities/by-query", body)
    assert names(page["items"]) == ["team-a", "generated-1"]
    body = {"cursor": page["pageInfo"]["nextCursor"], "limit": 3}
    page = await ask(client, "/entities/by-query", body)
    assert names(page["items"]) == ["cart", "billing", "audit"]


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("cursor=not-a-cursor", "Malformed cursor"),
        ("cursor=eyJhIjoxfQ==", "Malformed cursor"),
        ("cursor=W10=", "Malformed cursor"),
        ("filter==x", "'=x' is not a valid statement"),
        ("filter=", "Empty value found for query parameter 'filter'"),
        ("limit=-1", "limit must be >= 0"),
        ("limit=x", "limit must be integer"),
        ("limit=1&limit=2", "limit must be string"),
        ("orderField=metadata.name,up", "must be asc or desc"),
        ("totalItems=maybe", "totalItems must be include or exclude"),
        ("fields=a[0]", "array type fields are not supported"),
        ("&".join("orderField=kind" for _ in range(9)), "at most 8 fields"),
    ],
)
async def test_an_invalid_listing_query_is_refused(
    client: AsyncClient, query: str, part: str
) -> None:
    """The message names the parameter and the rule."""
    error = await refused(client, f"/entities/by-query?{query}")
    assert error["status"] == 400
    assert error["name"] == "InputError"
    assert part in error["message"]


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ({"limit": "x"}, "limit must be number"),
        ({"limit": 1.5}, "limit must be integer"),
        ({"query": [1]}, "query must be object"),
        ({"orderBy": {"field": "kind"}}, "orderBy must be array"),
        ({"orderBy": [{"field": "kind", "order": "up"}]}, "must be asc or desc"),
        ({"orderBy": [{"field": "kind", "order": ["asc"]}]}, "must be asc or desc"),
        ({"orderBy": [{"field": "kind", "order": {}}]}, "must be asc or desc"),
        ({"orderBy": ["kind"]}, "orderBy/0 must be object"),
        ({"orderBy": [{}]}, "must have required property 'field'"),
        ({"fullTextFilter": "x"}, "fullTextFilter must be object"),
        ({"fullTextFilter": {"term": 1}}, "term must be string"),
        ({"cursor": 1}, "cursor must be string"),
    ],
)
async def test_an_invalid_listing_body_is_refused(
    client: AsyncClient, body: dict[str, Any], part: str
) -> None:
    """The message names the property and the rule."""
    error = await refused(client, "/entities/by-query", body)
    assert error["status"] == 400
    assert part in error["message"]


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("order=upward:kind", "Invalid order parameter"),
        ("after=!!!", "Malformed after cursor"),
        ("limit=0", "limit must be >= 1"),
        ("offset=-1", "offset must be >= 0"),
        ("fields=", "Empty value found for query parameter 'fields'"),
    ],
)
async def test_an_invalid_list_query_is_refused(
    client: AsyncClient, query: str, part: str
) -> None:
    """The message names the parameter and the rule."""
    error = await refused(client, f"/entities?{query}")
    assert error["status"] == 400
    assert part in error["message"]


async def test_facets_count_values(client: AsyncClient) -> None:
    """Values are sorted and as written; a facet has the name of the request."""
    path = "/entity-facets?facet=KIND&facet=metadata.tags&facet=relations.ownedBy"
    facets = (await ask(client, path))["facets"]
    assert facets["KIND"] == [
        {"value": "Component", "count": 5},
        {"value": "Group", "count": 1},
        {"value": "Location", "count": 1},
    ]
    assert facets["metadata.tags"] == [{"value": "java", "count": 5}]
    assert facets["relations.ownedBy"] == [
        {"value": "group:default/team-a", "count": 5}
    ]
    narrowed = await ask(client, f"{path}&filter=spec.type=service")
    assert narrowed["facets"]["KIND"] == [{"value": "Component", "count": 3}]
    body = {"facets": ["spec.type"], "query": {"metadata.name": "web"}}
    answer = await ask(client, "/entity-facets", body)
    assert answer["facets"]["spec.type"] == [{"value": "library", "count": 1}]
    assert await ask(client, "/entity-facets?facet=spec.nope") == {
        "facets": {"spec.nope": []}
    }
    assert "'facet'" in (await refused(client, "/entity-facets"))["message"]
    assert (await refused(client, "/entity-facets", {"facets": []}))["status"] == 400


async def test_long_lists_are_streamed_whole(
    model: ReadModel, client: AsyncClient
) -> None:
    """A list of more than a chunk is one JSON array, complete and in order."""
    for number in range(1200):
        model.put(stored(builders.component(f"n{number:04}")))
    entities = await ask(client, "/entities?filter=kind=component")
    assert len(entities) == 1205
    assert names(entities) == sorted(names(entities))
    page = await ask(client, "/entities/by-query?limit=1100")
    assert len(page["items"]) == 1100
    assert page["totalItems"] == 1207
    refs = [f"component:default/n{number:04}" for number in range(1201)]
    items = (await ask(client, "/entities/by-refs", {"entityRefs": refs}))["items"]
    assert names(items[:-1]) == [f"n{number:04}" for number in range(1200)]
    assert items[-1] is None


async def test_a_malformed_cursor_is_refused(client: AsyncClient) -> None:
    """The content of a cursor is checked like any other input."""
    for content in (
        {"orderFields": [], "orderFieldValues": [], "isPrevious": False},
        {"orderFields": [{"field": 1}], "orderFieldValues": ["a", "b"]},
        {"orderFields": [], "orderFieldValues": ["r"], "isPrevious": "no"},
        {
            "orderFields": [],
            "orderFieldValues": ["r"],
            "isPrevious": False,
            "query": [1],
        },
    ):
        cursor = base64.b64encode(orjson.dumps(content)).decode()
        error = await refused(client, f"/entities/by-query?cursor={cursor}")
        assert error["status"] == 400


@pytest.mark.parametrize(
    ("path", "body", "rule"),
    [
        (
            "/entities/by-query",
            {"fullTextFilter": {"term": LONG}},
            "fullTextFilter.term",
        ),
        (
            "/entities/by-query",
            {"fullTextFilter": {"term": "a", "fields": [LONG]}},
            "fullTextFilterFields: a field",
        ),
        ("/entities/by-query", {"query": {"kind": LONG}}, "query.kind"),
        ("/entities/by-query", {"orderBy": [{"field": LONG}]}, "orderField: a field"),
        ("/entities/by-query", {"fields": [LONG]}, "fields: a path"),
        ("/entity-facets", {"facets": [LONG]}, "facets: a field"),
        ("/entity-facets", {"facets": ["kind"], "query": {"a": LONG}}, "query.a"),
        (f"/entities/by-query?fullTextFilterTerm={LONG}", None, "fullTextFilter.term"),
        (f"/entities/by-query?filter=kind={LONG}", None, "filter: kind"),
        (f"/entities?filter=kind={LONG}", None, "filter: kind"),
        (f"/entities?order=asc:{LONG}", None, "orderField: a field"),
        (f"/entity-facets?facet={LONG}", None, "facets: a field"),
        (f"/entity-facets?facet=kind&filter=kind={LONG}", None, "filter: kind"),
    ],
)
async def test_long_query_texts_are_refused(
    client: AsyncClient, path: str, body: dict[str, Any] | None, rule: str
) -> None:
    """The error names the field and the limit."""
    request = client.get(path) if body is None else client.post(path, json=body)
    answer = await request
    assert answer.status_code == 400
    assert f"{rule}: at most 1000 characters" in answer.json()["error"]["message"]


async def test_long_texts_in_cursors_are_refused(client: AsyncClient) -> None:
    """Cursors are not signed: their content is limited like a first request."""
    content = {
        "orderFields": [],
        "orderFieldValues": [""],
        "isPrevious": False,
        "fullTextFilter": {"term": LONG, "fields": ["metadata.name"]},
    }
    cursor = base64.b64encode(orjson.dumps(content)).decode()
    answer = await client.post("/entities/by-query", json={"cursor": cursor})
    assert answer.status_code == 400
    assert "fullTextFilter.term" in answer.json()["error"]["message"]
