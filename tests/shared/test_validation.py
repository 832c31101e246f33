"""Requests that break their models' rules, and what plain routes keep of FastAPI."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import httpx
import pytest
from fastapi import APIRouter, Query
from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from shared.kit.http.apps import json_response, make_app
from shared.kit.http.bodies import BoundedRoute, body_as
from shared.kit.http.models import ClosedRequestModel, RequestModel
from shared.kit.http.openapi import ServiceApp


class Tool(ClosedRequestModel):
    name: Annotated[str, Field(min_length=1)]


class Chest(RequestModel):
    tool: Tool
    drawer_count: int = 0
    labels: list[str] = Field(default_factory=list, max_length=2)
    open: bool = False
    owner: str | list[str] = ""
    notes: dict[str, Any] = Field(default_factory=dict)


@pytest.fixture
def app() -> ServiceApp:
    """A route that FastAPI runs, and a plain one with the same model."""
    service_app = make_app("test", body_limit=1000)
    router = APIRouter(route_class=BoundedRoute)

    @router.post("/chests")
    async def create(
        body: Chest,
        limit: Annotated[int, Query(ge=1, le=9)] = 1,
        order: Literal["asc", "desc"] = "asc",
    ) -> Chest:
        """Put it there. It stays."""
        return body

    async def plain(request: Request) -> Response:
        body = await body_as(request, Chest)
        return json_response(body.model_dump(by_alias=True))

    service_app.include_router(router)
    service_app.add_plain_route("POST", "/plain", plain, answer=Chest, body=Chest)
    service_app.add_plain_route("GET", "/plain/{name}", answer_name, query=Tool)
    return service_app


async def answer_name(request: Request) -> Response:
    return json_response(request.path_params)


@pytest.fixture
async def http(app: ServiceApp) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        yield client


GOOD = {"tool": {"name": "saw"}}
WRONG_BODIES: list[tuple[Any, str]] = [
    ([], "request/body must be object"),
    ({}, "request/body must have required property 'tool'"),
    ({"tool": 5}, "request/body/tool must be object"),
    ({"tool": {}}, "request/body/tool must have required property 'name'"),
    ({"tool": {"name": 5}}, "request/body/tool/name must be string"),
    (
        {"tool": {"name": ""}},
        "request/body/tool/name must NOT have fewer than 1 characters",
    ),
    ({"tool": {"x": 1}}, "request/body/tool: unrecognized key 'x'"),
    ({**GOOD, "owner": 5}, "request/body/owner must be string"),
    ({**GOOD, "owner": {"str": 5}}, "request/body/owner must be string"),
    ({**GOOD, "drawerCount": "x"}, "request/body/drawerCount must be number"),
    ({**GOOD, "drawerCount": 1.5}, "request/body/drawerCount must be integer"),
    ({**GOOD, "labels": "x"}, "request/body/labels must be array"),
    ({**GOOD, "labels": ["a", 1]}, "request/body/labels/1 must be string"),
    ({**GOOD, "labels": ["a", "b", "c"]}, "request/body/labels must have at most 2"),
    ({**GOOD, "open": "maybe"}, "request/body/open must be boolean"),
    ({**GOOD, "notes": []}, "request/body/notes must be object"),
]


@pytest.mark.parametrize("path", ["/chests", "/plain"])
@pytest.mark.parametrize(("body", "text"), WRONG_BODIES)
async def test_an_invalid_body_has_backstages_error_message(
    http: httpx.AsyncClient, path: str, body: Any, text: str
) -> None:
    """400 with the sentence of AJV, for plain routes and others."""
    answer = await http.post(path, json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["name"] == "InputError"
    assert answer.json()["error"]["message"].startswith(text)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("limit=x", "request/query/limit must be integer"),
        ("limit=0", "request/query/limit must be >= 1"),
        ("limit=10", "request/query/limit must be <= 9"),
        ("order=up", "request/query/order must be asc or desc"),
    ],
)
async def test_an_invalid_parameter_has_backstages_error_message(
    http: httpx.AsyncClient, query: str, text: str
) -> None:
    """400 with the parameter and the rule."""
    answer = await http.post(f"/chests?{query}", json=GOOD)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == text


def test_many_unknown_keys_make_one_error() -> None:
    """An error of each would hold up the event loop for a second."""
    with pytest.raises(ValidationError) as caught:
        Tool.model_validate({f"k{number}": 1 for number in range(1000)})
    assert caught.value.error_count() == 1


async def test_a_long_key_makes_a_short_error(
    http: httpx.AsyncClient,
) -> None:
    """The error does not repeat the client's text at length."""
    answer = await http.post("/chests", json={"tool": {"name": "a", "x" * 900: 1}})
    assert len(answer.json()["error"]["message"]) == 500


@pytest.mark.parametrize("path", ["/chests", "/plain"])
@pytest.mark.parametrize("media", ["application/json", "text/plain"])
async def test_a_body_over_the_limit_is_refused_before_it_is_parsed(
    http: httpx.AsyncClient, path: str, media: str
) -> None:
    """413 also without a length, and for every content type."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"{" * 100

    headers = {"content-type": media}
    answer = await http.post(path, content=chunks(), headers=headers)
    assert answer.status_code == 413


async def test_a_plain_route_answers_head_requests(http: httpx.AsyncClient) -> None:
    """As Starlette's own routes do; another method is refused."""
    assert (await http.get("/plain/saw")).json() == {"name": "saw"}
    assert (await http.head("/plain/saw")).status_code == 200
    refused = await http.post("/plain/saw")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET")


def test_a_plain_route_is_documented_like_any_other(app: ServiceApp) -> None:
    """With its path, query, body and answer; a docstring's first sentence leads."""
    paths = app.openapi()["paths"]
    plain, run = paths["/plain"]["post"], paths["/chests"]["post"]
    assert plain["requestBody"] == run["requestBody"]
    assert plain["responses"] == run["responses"]
    assert (run["summary"], run["description"]) == ("Put it there", "It stays.")
    parameters = paths["/plain/{name}"]["get"]["parameters"]
    assert [(parameter["name"], parameter["in"]) for parameter in parameters] == [
        ("name", "path"),
        ("name", "query"),
    ]
