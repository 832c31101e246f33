"""The whole API's OpenAPI document: valid, complete, and honest about what is away."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import orjson
import pytest
from fastapi import FastAPI

from services.analytics.main import create_app as analytics_app
from services.analytics.settings import Settings as AnalyticsSettings
from services.catalog.main import create_app as catalog_app
from services.catalog.settings import Settings as CatalogSettings
from services.gateway.main import create_app as gateway_app
from services.gateway.model import ServiceAnswer
from services.gateway.openapi import ApiDocument, merged
from services.gateway.settings import Settings as GatewaySettings
from services.scaffolder.main import create_app as scaffolder_app
from services.scaffolder.settings import Settings as ScaffolderSettings
from services.search.main import create_app as search_app
from services.search.settings import Settings as SearchSettings
from services.techdocs.main import create_app as techdocs_app
from services.techdocs.settings import Settings as TechdocsSettings
from tests.documented import DocumentedApi, public_routes
from tests.gateway.openapi_rules import DOCUMENT
from tests.gateway.running import SECRET, configuration

NOWHERE = "http://127.0.0.1:1"
PLUGINS = {
    "catalog": (catalog_app, CatalogSettings),
    "scaffolder": (scaffolder_app, ScaffolderSettings),
    "techdocs": (techdocs_app, TechdocsSettings),
    "search": (search_app, SearchSettings),
    "analytics": (analytics_app, AnalyticsSettings),
}


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FastAPI]:
    """Every service's app as it would run, not started."""
    data: Path = tmp_path_factory.mktemp("apps")
    config = data / "app-config.yaml"
    config.write_text("organization:\n  name: Playhouse\n")
    names = ("gateway", *PLUGINS)
    values: dict[str, Any] = {
        "kafka": "127.0.0.1:1",
        "mongodb": "mongodb://127.0.0.1:1",
        "config": config,
        "data": data,
        "service_secret": SECRET,
        "port": 0,
        **{f"{name}_url": NOWHERE for name in names},
    }
    services = {name: make(kind(**values)) for name, (make, kind) in PLUGINS.items()}
    own = GatewaySettings(portal_url=NOWHERE, **values)
    gateway = gateway_app(own, config=configuration())
    return {**services, "gateway": gateway}


@pytest.fixture(scope="module")
def whole(apps: dict[str, FastAPI]) -> dict[str, Any]:
    """The document of a house that is all there, as it goes over the wire."""
    parts = {name: apps[name].openapi() for name in PLUGINS}
    return orjson.loads(orjson.dumps(merged(apps["gateway"].openapi(), parts)))


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def refs_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, one in value.items():
            if key == "$ref":
                yield one
            else:
                yield from refs_in(one)
    elif isinstance(value, list):
        for one in value:
            yield from refs_in(one)


def test_the_document_is_valid_openapi(whole: dict[str, Any]) -> None:
    """Every object has its required fields and no unknown ones."""
    jsonschema.Draft202012Validator(DOCUMENT).validate(whole)


def test_the_openapi_rules_notice_mistakes(whole: dict[str, Any]) -> None:
    """A misspelt field and an unknown parameter location are errors."""
    validator = jsonschema.Draft202012Validator(DOCUMENT)
    assert not validator.is_valid({**whole, "path": {}})
    parameter = {"name": "x", "in": "body", "schema": {}}
    operation = {
        "summary": "x",
        "operationId": "x",
        "responses": {"200": {"description": "x"}},
        "parameters": [parameter],
    }
    assert not validator.is_valid({**whole, "paths": {"/x": {"get": operation}}})


def test_every_reference_resolves_in_the_document(whole: dict[str, Any]) -> None:
    """Whatever is referred to is in the document, the parts' schemas included."""
    for ref in set(refs_in(whole)):
        at: Any = whole
        for step in ref.removeprefix("#/").split("/"):
            assert step in at, ref
            at = at[step]
    assert {"DryRun", "ErrorBody"} <= set(whole["components"]["schemas"])


def test_models_of_one_name_are_equal_in_every_part(apps: dict[str, FastAPI]) -> None:
    """Parts are joined by the names of their models: none hides another."""
    schemas: dict[str, Any] = {}
    for app in apps.values():
        for name, schema in app.openapi()["components"]["schemas"].items():
            assert schemas.setdefault(name, schema) == schema, name


def test_schemas_are_valid_json_schemas(whole: dict[str, Any]) -> None:
    """They are JSON Schema 2020-12, which OpenAPI 3.1 takes as it is."""
    for schema in whole["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("name", [*PLUGINS, "gateway"])
def test_every_public_route_is_in_the_document(
    apps: dict[str, FastAPI], whole: dict[str, Any], name: str
) -> None:
    """At its public address; routes for services and operators only are not."""
    api = DocumentedApi(apps[name])
    assert api.operations == public_routes(name, apps[name].routes)
    paths = {(method, path) for path, method, _ in operations(whole)}
    assert {(method, f"{api.root}{path}") for method, path in api.operations} <= paths
    assert whole["servers"] == [{"url": "/"}]


def test_path_parameters_are_documented(whole: dict[str, Any]) -> None:
    """Each name in braces once, as the specification demands."""
    for path, method, operation in operations(whole):
        named = [
            p["name"] for p in operation.get("parameters", []) if p["in"] == "path"
        ]
        assert sorted(named) == sorted(re.findall(r"{(\w+)}", path)), (method, path)


def test_streams_and_files_are_no_json(whole: dict[str, Any]) -> None:
    """A generated client must not try to parse them."""
    for path, media in [
        ("/api/events/stream", "text/event-stream"),
        ("/api/scaffolder/v2/tasks/{task_id}/eventstream", "text/event-stream"),
        ("/api/techdocs/sync/{namespace}/{kind}/{name}", "text/event-stream"),
        ("/api/techdocs/static/docs/{namespace}/{kind}/{name}/{path}", "*/*"),
    ]:
        answer = whole["paths"][path]["get"]["responses"]["200"]
        assert list(answer["content"]) == [media]


def test_every_json_response_has_a_schema(apps: dict[str, FastAPI]) -> None:
    """No operation of the gateway leaves open what it answers."""
    for path, method, operation in operations(apps["gateway"].openapi()):
        for status, response in operation["responses"].items():
            for media, content in response.get("content", {}).items():
                if media == "application/json":
                    assert content["schema"], (method, path, status)


def test_operation_ids_are_unique(whole: dict[str, Any]) -> None:
    """Generated clients call their functions by them."""
    names = Counter(operation["operationId"] for *_, operation in operations(whole))
    assert [name for name, count in names.items() if count > 1] == []


def test_errors_have_one_schema(whole: dict[str, Any]) -> None:
    """Every operation refers to it, and FastAPI's own is nowhere."""
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}}
    for path, _, operation in operations(whole):
        assert operation["responses"]["default"]["content"] == error, path
        assert "422" not in operation["responses"], path
    assert "ValidationError" not in orjson.dumps(whole).decode()


def test_operations_name_their_security_schemes(whole: dict[str, Any]) -> None:
    """Credentials are the rule; the exceptions are named, and schemes exist."""
    schemes = set(whole["components"]["securitySchemes"])
    assert whole["security"] == [{"token": []}, {"session": []}]
    for path, _, operation in operations(whole):
        names = {name for one in operation.get("security", []) for name in one}
        assert names <= schemes, path
    paths = whole["paths"]
    assert paths["/api/webhooks/{provider}"]["post"]["security"] == [{}]
    assert "security" not in paths["/api/auth/v1/userinfo"]["get"]
    assert "security" not in paths["/api/catalog/entities"]["get"]


def test_the_part_of_an_unavailable_service_is_left_out(
    apps: dict[str, FastAPI],
) -> None:
    """The other parts stay, and the description names the missing one."""
    parts = {"catalog": apps["catalog"].openapi(), "search": None}
    document = merged(apps["gateway"].openapi(), parts)
    assert "/api/catalog/entities" in document["paths"]
    assert not [path for path in document["paths"] if path.startswith("/api/search/")]
    assert "did not answer: search" in document["info"]["description"]


class TwoServices:
    """The services behind the gateway, of which one is away."""

    def __init__(self, away: set[str]) -> None:
        self.away = away
        self.calls: list[str] = []

    async def probe(self, service: str, path: str) -> ServiceAnswer:
        self.calls.append(f"{service}{path}")
        if service in self.away:
            return ServiceAnswer(503, None, "The service does not answer")
        return ServiceAnswer(200, {"paths": {}, "components": {"schemas": {}}}, "")


async def test_documents_of_services_are_cached(apps: dict[str, FastAPI]) -> None:
    """They are not requested for every request, available or not."""
    own = apps["gateway"].openapi()
    services = TwoServices({"search"})
    served = ApiDocument(services, ["catalog", "search"])
    first = await served.body(own)
    assert await served.body(own) is first
    assert services.calls == ["catalog/openapi.json", "search/openapi.json"]
    assert "did not answer: search" in orjson.loads(first)["info"]["description"]


@pytest.mark.parametrize("name", PLUGINS)
async def test_a_service_serves_its_document_before_it_is_ready(
    apps: dict[str, FastAPI], name: str
) -> None:
    """Without credentials, as the document has no secrets."""
    transport = httpx.ASGITransport(apps[name])
    async with httpx.AsyncClient(transport=transport, base_url=NOWHERE) as client:
        answer = await client.get("/openapi.json")
    assert answer.status_code == 200
    assert answer.json()["paths"]


async def test_the_document_is_served_without_credentials(ask) -> None:
    """Where services offer no document, the gateway's own part is served."""
    document = (await ask.get("/api/openapi.json")).json()
    jsonschema.Draft202012Validator(DOCUMENT).validate(document)
    assert "/api/events/stream" in document["paths"]
    assert "catalog, scaffolder, techdocs, search" in document["info"]["description"]
