"""Each route of the catalog answers as its OpenAPI document says."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from services.catalog.main import create_app
from tests import builders
from tests.catalog.running import OPEN, Host, running, settings_of
from tests.documented import DocumentedApi, public_routes

NAME = "component/default/web"
PERMISSIONS = "/.well-known/backstage/permissions"
BY_NAME = "/entities/by-name/{kind}/{namespace}/{name}"
CHECK = {
    "id": "1",
    "resourceType": "catalog-entity",
    "resourceRef": ["component:default/web", "component:default/none"],
    "conditions": {"rule": "IS_ENTITY_KIND", "params": {"kinds": ["Component"]}},
}
PAGE = (
    "limit=1&orderField=metadata.name&fields=kind,metadata.name&totalItems=include"
    "&fullTextFilterTerm=web&fullTextFilterFields=metadata.name"
)
SPEC = {"type": "url", "target": "{url}"}
#: One good request to each route, in an order in which they can be asked.
REQUESTS: dict[tuple[str, str], tuple[str, Any]] = {
    ("post", "/locations"): ("/locations?onConflict=refresh", SPEC),
    ("post", "/analyze-location"): (
        "/analyze-location",
        {"location": SPEC, "catalogFilename": "catalog-info.yaml"},
    ),
    ("post", "/validate-entity"): (
        "/validate-entity",
        {"entity": builders.component(), "location": "url:{url}"},
    ),
    ("post", "/refresh"): ("/refresh", {"entityRef": "component:default/web"}),
    ("get", "/entities"): (
        "/entities?filter=kind=component&limit=1&offset=0&order=asc:metadata.name",
        None,
    ),
    ("get", "/entities/by-query"): (f"/entities/by-query?{PAGE}", None),
    ("post", "/entities/by-query"): (
        "/entities/by-query",
        {
            "query": {"kind": "component"},
            "limit": 1,
            "offset": 0,
            "fields": ["metadata"],
            "orderBy": [{"field": "metadata.name", "order": "desc"}],
            "fullTextFilter": {"term": "web", "fields": ["metadata.name"]},
            "totalItems": "exclude",
        },
    ),
    ("post", "/entities/by-refs"): (
        "/entities/by-refs?filter=kind=component",
        {
            "entityRefs": ["component:default/web", "component:default/none"],
            "query": {"kind": "component"},
        },
    ),
    ("get", BY_NAME): (f"/entities/by-name/{NAME}", None),
    ("get", "/entities/by-uid/{uid}"): ("/entities/by-uid/{uid}", None),
    ("get", f"{BY_NAME}/ancestry"): (f"/entities/by-name/{NAME}/ancestry", None),
    ("get", f"{BY_NAME}/history"): (f"/entities/by-name/{NAME}/history?limit=1", None),
    ("get", "/entity-facets"): (
        "/entity-facets?facet=kind&filter=kind=component&valueText=c&valueLimit=3",
        None,
    ),
    ("post", "/entity-facets"): (
        "/entity-facets",
        {"facets": ["kind"], "query": {"kind": "component"}},
    ),
    ("get", "/changes"): ("/changes?limit=1", None),
    ("get", "/locations"): ("/locations", None),
    ("post", "/locations/by-query"): (
        "/locations/by-query",
        {"query": {"type": "url"}, "limit": 1},
    ),
    ("get", "/locations/by-entity/{kind}/{namespace}/{name}"): (
        f"/locations/by-entity/{NAME}",
        None,
    ),
    ("get", "/locations/{location_id}"): ("/locations/{id}", None),
    ("get", "/locations/{location_id}/remaining"): ("/locations/{id}/remaining", None),
    ("post", "/sources/readable"): ("/sources/readable", {"locations": ["url:{url}"]}),
    ("get", f"{PERMISSIONS}/metadata"): (f"{PERMISSIONS}/metadata", None),
    ("post", f"{PERMISSIONS}/apply-conditions"): (
        f"{PERMISSIONS}/apply-conditions",
        {"items": [CHECK, {**CHECK, "resourceRef": "component:default/web"}]},
    ),
    ("put", "/locations/{location_id}"): ("/locations/{id}", SPEC),
    ("delete", "/entities/by-uid/{uid}"): ("/entities/by-uid/{uid}", None),
    ("delete", "/locations/{location_id}"): ("/locations/{id}", None),
}


def test_every_public_route_is_documented(data: Path) -> None:
    """A route without a description or without a request in this file fails."""
    app = create_app(settings_of(data, OPEN))
    assert DocumentedApi(app).operations == public_routes("catalog", app.routes)
    assert set(REQUESTS) == public_routes("catalog", app.routes)


async def test_each_route_answers_as_documented(database: Any, data: Path) -> None:
    """Parameters, bodies and responses are those of the OpenAPI document."""
    host = Host(data)
    document = builders.component("web", {"tags": ["java"]}, owner="group:default/a")
    host.commit("shop", {"catalog-info.yaml": document, "again.yaml": document})
    texts = {"url": host.url("shop")}
    async with running(database, data, host.config()) as catalog:
        api = DocumentedApi(catalog.app)
        for operation, (path, body) in REQUESTS.items():
            method = operation[0].upper()
            answer = await catalog.ask(method, filled(path, texts), filled(body, texts))
            assert answer.status_code < 300, (operation, answer.text)
            api.check(operation, answer)
            if operation == ("post", "/locations"):
                entity = await catalog.entity("component:default/web")
                assert entity is not None
                texts["id"] = answer.json()["location"]["id"]
                texts["uid"] = entity["metadata"]["uid"]
            if operation == ("post", "/refresh"):
                # What comes next has a second revision, with a difference, to show.
                changed = {**document, "spec": {**document["spec"], "type": "website"}}
                host.commit("shop", {"catalog-info.yaml": changed})
                await catalog.ask(method, path, body)


async def test_a_dry_run_answers_as_documented(database: Any, data: Path) -> None:
    """The response has the new entities and the existing providers of each."""
    host = Host(data)
    host.commit("shop", {"catalog-info.yaml": builders.component("web")})
    async with running(database, data, host.config()) as catalog:
        await catalog.register(host.url("shop"))
        answer = await catalog.register(host.url("shop"), "?dryRun=true&provided=true")
        assert len(answer.json()["provided"]) == 1
        DocumentedApi(catalog.app).check(("post", "/locations"), answer)


async def test_an_invalid_entity_is_answered_as_documented(
    database: Any, data: Path
) -> None:
    """400 lists the problems in the form that Backstage's clients read."""
    async with running(database, data, OPEN) as catalog:
        body = {"entity": {"kind": "Component"}, "location": f"file:{data}/x.yaml"}
        answer = await catalog.ask("POST", "/validate-entity", body)
        assert answer.status_code == 400
        DocumentedApi(catalog.app).check(("post", "/validate-entity"), answer)


@pytest.mark.parametrize("media", ["application/x-www-form-urlencoded", None])
async def test_a_body_is_read_as_json_whatever_its_content_type(
    database: Any, data: Path, media: str | None
) -> None:
    """`curl -d` without a content type, and a body without any header, work."""
    async with running(database, data, OPEN) as catalog:
        body = {"entity": builders.component(), "location": f"file:{data}/x.yaml"}
        headers = catalog.headers() | ({"content-type": media} if media else {})
        answer = await catalog.http.post(
            "/validate-entity", content=orjson.dumps(body), headers=headers
        )
        assert answer.status_code == 200, answer.text


async def test_read_routes_answer_head_requests(database: Any, data: Path) -> None:
    """Plain routes and others alike."""
    async with running(database, data, OPEN) as catalog:
        for path in ("/entities", "/locations", "/changes"):
            assert (await catalog.ask("HEAD", path)).status_code == 200


def filled(value: Any, texts: dict[str, str]) -> Any:
    """The value with the names in braces replaced by what is known."""
    if isinstance(value, str):
        for name, text in texts.items():
            value = value.replace(f"{{{name}}}", text)
        return value
    if isinstance(value, dict):
        return {key: filled(item, texts) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, texts) for item in value]
    return value
