"""The HTTP face, with Backstage's shapes."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from fastapi import FastAPI

from services.search.main import create_app
from services.search.model import PageSection
from tests.builders import component, template, user
from tests.documented import DocumentedApi, public_routes
from tests.search.conftest import settings_of
from tests.search.fakes import MemoryOwners
from tests.search.test_index import PUBLIC_OR_OWNED, RESTRICTED
from tests.waiting import until

Headers = Callable[..., dict[str, str]]
DOCS = {"annotations": {"backstage.io/techdocs-ref": "dir:."}}


@pytest.fixture
async def filled(
    app: FastAPI, http: httpx.AsyncClient, owners: MemoryOwners
) -> httpx.AsyncClient:
    for number in range(7):
        owners.put(component(f"shop-{number}", {"description": "Sells things"}))
    owners.put(component("web", {**DOCS, "title": "Web Site"}))
    owners.put(component("merger", RESTRICTED, owner="board"))
    owners.put(template("service", {"title": "New Service"}))
    owners.put(
        user("ann", profile={"displayName": "Ann Lee", "email": "a@example.com"})
    )
    pages = (
        PageSection("g/", "Guide", "xylophone"),
        PageSection("g/#guide", "Guide", "bells"),
    )
    owners.publish("component:default/web", "s1", *pages)

    async def held() -> bool:
        sums = await app.state.alias.live.checksums()
        return bool(sums["entities"].count == 11 and sums["sites"].count)

    await until(held, condition="the index")
    return http


async def test_a_results_page_has_ranks_highlights_total_and_cursors(
    filled: httpx.AsyncClient, principal_headers: Headers
) -> None:
    """A page has documents, ranks, highlights, the total and cursors both ways."""
    headers = principal_headers()
    url = "/query?term=shop&types[0]=software-catalog&pageLimit=3"
    first = (await filled.get(url, headers=headers)).json()
    assert first["numberOfResults"] == 7
    assert first["nextPageCursor"] == "MQ=="
    assert "previousPageCursor" not in first
    assert [result["rank"] for result in first["results"]] == [1, 2, 3]
    result = first["results"][0]
    name = result["document"]["title"]
    assert result["type"] == "software-catalog"
    assert result["document"] == {
        "title": name,
        "text": "Sells things",
        "componentType": "service",
        "type": "service",
        "namespace": "default",
        "kind": "Component",
        "lifecycle": "production",
        "owner": "team-a",
        "location": f"/catalog/default/component/{name}",
    }
    mark = result["highlight"]
    assert mark["fields"]["title"] == name.replace(
        "shop", f"{mark['preTag']}shop{mark['postTag']}"
    )
    assert re.fullmatch(r"</[0-9a-f]+>", mark["postTag"])
    last = (await filled.get(f"{url}&pageCursor=Mg==", headers=headers)).json()
    assert [result["rank"] for result in last["results"]] == [7]
    assert last["previousPageCursor"] == "MQ=="
    assert "nextPageCursor" not in last


async def test_a_page_of_size_zero_has_the_total_only(
    filled: httpx.AsyncClient, principal_headers: Headers
) -> None:
    """The response has the number of results and an empty list."""
    answer = await filled.get(
        "/query?term=shop&pageLimit=0", headers=principal_headers()
    )
    assert answer.json() == {"numberOfResults": 7, "results": []}


async def test_people_show_contact_data_and_pages_their_entity(
    filled: httpx.AsyncClient, principal_headers: Headers
) -> None:
    """People are described by name and address, pages by their entity."""
    headers = principal_headers()
    (result,) = (await filled.get("/query?term=lee", headers=headers)).json()["results"]
    assert result["document"]["text"] == "Ann Lee : a@example.com"
    answer = await filled.get("/query?term=xylophone", headers=headers)
    (result,) = answer.json()["results"]
    assert result["document"] == {
        "kind": "component",
        "namespace": "default",
        "annotations": DOCS["annotations"],
        "name": "web",
        "title": "Guide",
        "text": "xylophone",
        "path": "g/",
        "componentType": "service",
        "type": "service",
        "lifecycle": "production",
        "owner": "team-a",
        "location": "/docs/default/component/web/g/",
        "entityTitle": "Web Site",
    }


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("pageLimit=1000", '"1000" is greater than "100"'),
        ("pageLimit=x", "pageLimit"),
        ("pageCursor=zzz", "pageCursor"),
        ("term=" + "a" * 101, "term"),
    ],
)
async def test_invalid_parameters_are_refused_by_name(
    filled: httpx.AsyncClient, principal_headers: Headers, query: str, named: str
) -> None:
    """Input that breaks a rule is refused, naming the parameter."""
    answer = await filled.get(f"/query?{query}", headers=principal_headers())
    assert answer.status_code == 400
    assert answer.json()["error"]["name"] == "InputError"
    assert named in answer.json()["error"]["message"]


async def test_every_route_requires_a_principal(filled: httpx.AsyncClient) -> None:
    """Without a principal from the gateway every route answers 401."""
    for path in ("/query", "/suggest", "/snapshot/checksum"):
        answer = await filled.get(path)
        assert answer.status_code == 401
        assert answer.json()["error"]["message"] == "Missing credentials"


async def test_policy_conditions_filter_results_totals_and_suggestions(
    filled: httpx.AsyncClient, principal_headers: Headers
) -> None:
    """Conditions of the caller's decision apply to results, totals, suggestions."""
    stranger: dict[str, Any] = {"anyOf": [PUBLIC_OR_OWNED["anyOf"][0]]}
    for conditions, expected in ((PUBLIC_OR_OWNED, 1), (stranger, 0), (None, 1)):
        headers = principal_headers(conditions=conditions)
        page = (await filled.get("/query?term=merger", headers=headers)).json()
        assert page["numberOfResults"] == len(page["results"]) == expected
        body = (await filled.get("/suggest?term=merg", headers=headers)).json()
        assert len(body["suggestions"]) == expected


async def test_suggestions_complete_titles_with_and_without_typos(
    filled: httpx.AsyncClient, principal_headers: Headers
) -> None:
    """A term in progress completes to titles; an empty one suggests nothing."""
    headers = principal_headers()
    body = (await filled.get("/suggest?term=we", headers=headers)).json()
    assert body["suggestions"][0] == {
        "title": "Web Site",
        "highlight": f"{body['preTag']}Web{body['postTag']} Site",
        "type": "software-catalog",
        "kind": "Component",
        "entityRef": "component:default/web",
        "entityTitle": "Web Site",
        "location": "/catalog/default/component/web",
    }
    body = (await filled.get("/suggest?term=servcie", headers=headers)).json()
    assert body["suggestions"][0]["title"] == "New Service"
    assert (await filled.get("/suggest", headers=headers)).json()["suggestions"] == []
    body = (await filled.get("/suggest?term=guide", headers=headers)).json()
    assert [suggestion["title"] for suggestion in body["suggestions"]] == ["Guide"]
    answer = await filled.get("/suggest?term=shop&limit=3", headers=headers)
    assert len(answer.json()["suggestions"]) == 3
    assert (await filled.get("/suggest?limit=99", headers=headers)).status_code == 400


async def test_checksum_and_rebuild_routes_are_for_services_only(
    filled: httpx.AsyncClient, principal_headers: Headers, owners: MemoryOwners
) -> None:
    """Users are refused; a rebuild returns its proof."""
    assert (
        await filled.post("/rebuild", headers=principal_headers())
    ).status_code == 403
    service = principal_headers("service:cli", kind="service")
    answer = (await filled.get("/snapshot/checksum", headers=service)).json()
    checksum = await owners.entity_checksum()
    assert answer["entities"] == {
        "count": checksum.count,
        "checksum": checksum.checksum,
    }
    proof = (await filled.post("/rebuild", headers=service)).json()
    assert proof["equal"] is True
    assert proof["entities"] == proof["live"]["entities"] == answer["entities"]


async def test_each_route_answers_as_documented(
    app: FastAPI, filled: httpx.AsyncClient, principal_headers: Headers
) -> None:
    """Parameters and responses are those of the OpenAPI document, and no others."""
    service = principal_headers("service:cli", kind="service")
    requests = {
        ("get", "/query"): "/query?term=shop&types[0]=software-catalog&pageLimit=2"
        "&pageCursor=MQ==&filters[kind]=Component",
        ("get", "/suggest"): "/suggest?term=we&limit=3",
        ("post", "/rebuild"): "/rebuild",
    }
    api = DocumentedApi(app)
    assert api.operations == set(requests) == public_routes("search", app.routes)
    for operation, path in requests.items():
        answer = await filled.request(operation[0].upper(), path, headers=service)
        assert answer.status_code == 200, answer.text
        api.check(operation, answer)


async def test_a_rebuild_streams_its_progress(
    filled: httpx.AsyncClient, principal_headers: Headers, owners: MemoryOwners
) -> None:
    """The stream ends with the proof, or with the reason of the failure."""
    headers = {
        **principal_headers("service:cli", kind="service"),
        "accept": "text/event-stream",
    }
    text = (await filled.post("/rebuild", headers=headers)).text
    events = [frame.split("\n") for frame in text.strip().split("\n\n")]
    assert events[0][0] == "event: progress"
    assert events[-1][0] == "event: done"
    assert orjson.loads(events[-1][1].removeprefix("data: "))["equal"] is True
    owners.away = True
    text = (await filled.post("/rebuild", headers=headers)).text
    assert "event: error" in text
    assert "does not answer" in text


async def test_queries_answer_503_while_the_first_index_is_built(
    data: Path,
    principal_headers: Headers,
    owners: MemoryOwners,
    index_settings: dict[str, object],
) -> None:
    """Until the index can answer, the response asks to come again soon."""
    owners.away = True
    app = create_app(
        settings_of(data, **index_settings), owners=owners, consumes_events=False
    )
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://s") as http:
            answer = await http.get("/query", headers=principal_headers())
            assert answer.status_code == 503
            assert answer.headers["retry-after"]
            ready = (await http.get("/readyz")).json()
            assert "being built" in ready["checks"]["index"]
            owners.away = False
            owners.put(component("web"))

            async def answers() -> bool:
                response = await http.get("/query", headers=principal_headers())
                return (
                    response.status_code == 200
                    and response.json()["numberOfResults"] == 1
                )

            await until(answers, condition="the first index")
