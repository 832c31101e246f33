"""The front door: sessions in browsers, other sites, health, contracts, settings."""

import json
import re
from time import process_time

import httpx
import jsonschema
import pytest

from deploy.embedded.rundata import SERVICES
from services.gateway.documents import asyncapi, schema
from services.gateway.model import SESSION_COOKIE
from services.gateway.status import ServiceStatus, report
from shared.contracts.envelope import Envelope
from shared.contracts.errors import NotFound
from shared.contracts.events import PAYLOADS
from shared.contracts.gateway import RepositoryPushed
from shared.contracts.topics import TOPICS
from tests.builders import user
from tests.costs import slowness
from tests.gateway.running import (
    STATIC,
    configuration,
    gateway_app,
    served,
    settings_for,
)

#: Processor time of one request, of the whole process; some hundredths are usual.
MOST_SECONDS = 0.8


@pytest.fixture
async def session(ask: httpx.AsyncClient, gateway: str) -> httpx.AsyncClient:
    """A browser that signed in as a guest through the portal."""
    answer = await ask.post(
        "/sign-in/guest", headers={"origin": gateway}, follow_redirects=False
    )
    assert answer.status_code in (302, 303), answer.text
    assert SESSION_COOKIE in ask.cookies
    return ask


async def test_a_session_reads_the_api(session) -> None:
    """The portal's pages may fetch with the cookie alone."""
    answer = await session.get("/api/catalog/entities")
    assert answer.json()["kind"] == "guest"


async def test_signing_out_ends_the_session(session, gateway) -> None:
    """A cookie that was copied before is refused afterwards."""
    cookie = session.cookies[SESSION_COOKIE]
    await session.post("/sign-out", headers={"origin": gateway})
    assert SESSION_COOKIE not in session.cookies
    old_cookie = {"cookie": f"{SESSION_COOKIE}={cookie}"}
    assert (
        await session.get("/api/catalog/entities", headers=old_cookie)
    ).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
    ],
)
async def test_another_site_cannot_use_a_session(session, headers, status) -> None:
    """A change with the cookie must come from a page of this site."""
    body = {"value": 1}
    path = "/api/user-settings/buckets/b/keys/csrf"
    answer = await session.put(path, json=body, headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["error"]["name"] == "NotAllowedError"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/auth/development/refresh"),
        ("POST", "/sign-in/as"),
        ("GET", "/api/catalog/entities"),
        ("GET", "/"),
        ("GET", "/api/openapi.json"),
    ],
)
async def test_a_dns_rebound_host_is_refused(ask, sign_in, method, path) -> None:
    """A browser takes a page whose name points here for the same origin."""
    headers = {
        **await sign_in("ann"),
        "host": "rebound.example",
        "origin": "http://rebound.example",
        "sec-fetch-site": "same-origin",
    }
    answer = await ask.request(method, path, headers=headers)
    assert answer.status_code == 421
    assert "backend.allowedHosts" in answer.json()["error"]["message"]


async def test_health_and_metrics_answer_under_any_host_name(ask) -> None:
    """An orchestrator requests it by the container's address."""
    for path in ("/healthz", "/metrics"):
        answer = await ask.get(path, headers={"host": "10.0.0.7:8080"})
        assert answer.status_code == 200


async def test_responses_forbid_caching_and_type_sniffing(ask, sign_in) -> None:
    """Those of services, of the gateway itself, and refusals."""
    headers = await sign_in("ann")
    for path in ("/api/catalog/entities", "/api/openapi.json", "/api/nothing"):
        for request_headers in (headers, {}):
            answer = await ask.get(path, headers=request_headers)
            assert answer.headers["x-content-type-options"] == "nosniff", path
            assert answer.headers["cache-control"] == "no-store", path


async def test_the_sign_in_page_names_no_restricted_user(
    ask, stand_in, gateway
) -> None:
    """Of the catalog's users it lists those that a guest may see; names sign in."""
    restricted = {"annotations": {"callboard.dev/visibility": "restricted"}}
    stand_in.put(user("hildegard", restricted, memberOf=["stage"]))
    page = (await ask.get("/sign-in")).text
    assert 'value="user:default/ann"' in page
    assert "hildegard" not in page
    form = {"user": "user:default/hildegard"}
    answer = await ask.post("/sign-in/as", data=form, headers={"origin": gateway})
    assert SESSION_COOKIE in answer.cookies


@pytest.mark.parametrize("path", ["/sign-in/guest", "/preferences", "/nowhere"])
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": "https://127.0.0.1"},
        {"origin": "http://evil.example", "authorization": f"Bearer {STATIC}"},
    ],
)
async def test_forms_of_another_site_are_refused(ask, path, headers) -> None:
    """Also without a session, or with a token."""
    answer = await ask.post(path, data={"theme": "dark"}, headers=headers)
    assert answer.status_code == 403
    assert (
        answer.json()["error"]["message"] == "A page of another site sent this request"
    )


@pytest.mark.parametrize(
    "headers", [{"sec-fetch-site": "same-origin"}, {"origin": "own"}]
)
async def test_forms_of_this_site_are_accepted(session, gateway, headers) -> None:
    """To the gateway's own addresses and to the front end's."""
    page_headers = {
        name: gateway if value == "own" else value for name, value in headers.items()
    }
    for path in ("/sign-in/guest", "/preferences"):
        form = {"theme": "dark", "next": "/graph"}
        answer = await session.post(path, data=form, headers=page_headers)
        assert (answer.status_code, answer.headers["location"]) == (303, "/graph")


async def test_a_form_with_a_session_needs_an_origin(session) -> None:
    """Without an origin it is refused; without a session it may pass."""
    form = {"theme": "dark"}
    assert (await session.post("/preferences", data=form)).status_code == 403
    session.cookies.clear()
    assert (await session.post("/preferences", data=form)).status_code == 303


async def test_a_request_with_a_token_needs_no_origin(ask, sign_in) -> None:
    """Programs have no origin; a browser never adds the token by itself."""
    headers = {**await sign_in("ann"), "origin": "http://elsewhere.example"}
    answer = await ask.post("/api/catalog/refresh", json={}, headers=headers)
    assert answer.status_code == 200


async def test_a_forged_session_answers_401(ask) -> None:
    """As a request without any session does."""
    headers = {"cookie": f"{SESSION_COOKIE}=a.b.c"}
    assert (await ask.get("/api/catalog/entities", headers=headers)).status_code == 401


async def test_liveness_and_readiness(ask) -> None:
    """At Backstage's addresses."""
    for name in ("liveness", "readiness"):
        answer = await ask.get(f"/.backstage/health/v1/{name}")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        assert (await ask.head(f"/.backstage/health/v1/{name}")).status_code == 200


async def test_the_status_shows_every_service_and_engine(ask, sign_in) -> None:
    """For every caller who is signed in."""
    assert (await ask.get("/api/status")).status_code == 401
    answer = await ask.get("/api/status", headers=await sign_in("guest"))
    report = answer.json()
    assert report["status"] == "ok"
    names = {service["name"] for service in report["services"]}
    assert names == {*SERVICES}
    assert {engine["name"] for engine in report["engines"]} >= {"documents", "events"}


@pytest.mark.parametrize(
    ("who", "sees_counts"), [("guest", False), ("ann", False), ("kim", True)]
)
async def test_entity_counts_of_the_status_need_full_read_rights(
    ask, sign_in, who, sees_counts
) -> None:
    """The total number of entities would reveal restricted ones."""
    answer = await ask.get("/api/status", headers=await sign_in(who))
    figures = [service.get("figures") for service in answer.json()["services"]]
    assert any(service and service["outbox"] == 0 for service in figures)
    assert any(service and "entities" in service for service in figures) == sees_counts


async def test_the_status_names_services_that_are_not_ready() -> None:
    """With the engine that such a service misses."""

    async def ready():
        checks = {"documents": "ok"}
        return ServiceStatus(name="catalog", ready=True, checks=checks)

    async def not_ready():
        checks = {"documents": "no answer"}
        return ServiceStatus(name="search", ready=False, checks=checks)

    status = await report([ready, not_ready], {})
    assert status.status == "not ready"
    (engine,) = status.engines
    assert (engine.name, engine.ready) == ("documents", False)
    assert engine.seen_by == {"catalog": "ok", "search": "no answer"}


async def test_requests_to_an_unavailable_service_answer_503(
    mongodb, kafka, data
) -> None:
    """503 with Retry-After; the status names the service, and still answers."""
    settings = settings_for(
        "http://127.0.0.1:9", mongodb=mongodb, kafka=kafka, data=data
    )
    with served(gateway_app(settings, configuration())) as address:
        async with httpx.AsyncClient(base_url=address) as client:
            guest = (await client.get("/api/auth/guest/refresh")).json()
            token = guest["backstageIdentity"]["token"]
            headers = {"authorization": f"Bearer {token}"}
            answer = await client.get("/api/catalog/entities", headers=headers)
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "1"
            assert answer.json()["error"]["name"] == "ServiceUnavailableError"
            status = (await client.get("/api/status", headers=headers)).json()
            states = {item["name"]: item["ready"] for item in status["services"]}
            assert states["catalog"] is False


async def test_tokens_survive_a_restart(services, mongodb, kafka, data) -> None:
    """The keys are in the data folder; so is the operator's token."""
    (data / "token").write_text("the-operators-token\n")
    settings = settings_for(services, mongodb=mongodb, kafka=kafka, data=data)
    settings.gateway_url = "http://callboard.example"
    config = configuration(permission={"enabled": False})
    tokens = ["the-operators-token"]
    for _ in range(2):
        with served(gateway_app(settings, config)) as address:
            async with httpx.AsyncClient(
                base_url=address, headers={"host": "callboard.example"}
            ) as client:
                guest = (await client.get("/api/auth/guest/refresh")).json()
                tokens.append(guest["backstageIdentity"]["token"])
                for token in tokens:
                    headers = {"authorization": f"Bearer {token}"}
                    answer = await client.delete(
                        "/api/catalog/entities/by-uid/1", headers=headers
                    )
                    # With permissions switched off even a guest deletes.
                    assert answer.json()["decision"] == "allow"


async def test_user_settings_answer_as_in_backstage(ask, sign_in, robot) -> None:
    """Kept by person, bucket and key, as Backstage answers."""
    ann, bob = await sign_in("ann"), await sign_in("bob")
    path = "/api/user-settings/buckets/b1/keys/k1"
    answer = await ask.put(path, json={"value": {"a": 1}}, headers=ann)
    setting = {"bucket": "b1", "key": "k1", "value": {"a": 1}}
    assert answer.json() == setting
    assert (await ask.get(path, headers=ann)).json() == setting
    assert (await ask.get(path, headers=bob)).status_code == 404
    body = {"items": [{"bucket": "b1", "key": "k1"}, {"bucket": "b1", "key": "no"}]}
    multi = "/api/user-settings/multiget"
    answer = await ask.post(multi, json=body, headers=ann)
    assert answer.json() == {"items": [{"value": {"a": 1}}, None]}
    assert (await ask.delete(path, headers=ann)).status_code == 204
    assert (await ask.get(path, headers=ann)).status_code == 404
    assert (await ask.get(path, headers=robot)).status_code == 403
    assert (await ask.get(path)).status_code == 401


@pytest.mark.parametrize(
    "text",
    [
        '{"a\\u0000b":{"$set":1}}',
        '{"$ref":"x","$id":2,"c.d":[null]}',
        '{"":{"n":9223372036854775808}}',
    ],
)
async def test_settings_keep_any_json(ask, sign_in, text) -> None:
    """Keys that mean something to the store, and numbers beyond its own."""
    bob = await sign_in("bob")
    path = "/api/user-settings/buckets/odd/keys/k"
    request_headers = {**bob, "content-type": "application/json"}
    answer = await ask.put(path, content=f'{{"value":{text}}}', headers=request_headers)
    assert answer.status_code == 200, answer.text
    assert (await ask.get(path, headers=bob)).json()["value"] == json.loads(text)


async def test_a_response_of_many_settings_is_limited(ask, sign_in) -> None:
    """One large value that is requested many times makes no large response."""
    bob = await sign_in("bob")
    path = "/api/user-settings/buckets/large/keys/k"
    await ask.put(path, json={"value": "x" * 200_000}, headers=bob)
    body = {"items": [{"bucket": "large", "key": "k"}] * 1000}
    answer = await ask.post("/api/user-settings/multiget", json=body, headers=bob)
    assert answer.status_code == 400
    assert "ask for fewer" in answer.json()["error"]["message"]


def test_schemas_describe_real_events() -> None:
    """An event as it is published is valid by its published schema."""
    for event_type in PAYLOADS:
        jsonschema.Draft202012Validator.check_schema(schema(event_type))
    payload = RepositoryPushed(
        provider="gitea",
        host="h",
        repository="r",
        url="https://h/r",
        ref="refs/heads/main",
        before="0",
        after="1",
        pusher="ann",
        delivery="1",
    )
    event = Envelope.of(payload, source="/gateway", subject="h/r").document()
    validator = jsonschema.Draft202012Validator(schema(payload.TYPE))
    validator.validate(event)
    assert list(validator.iter_errors({**event, "type": "other"}))
    with pytest.raises(NotFound):
        schema("callboard.nothing.v1")


def test_asyncapi_documents_every_topic_and_event_type() -> None:
    """Every published event is in the document."""
    document = asyncapi({"events": "127.0.0.1:9092"})
    assert set(document["channels"]) == set(TOPICS)
    assert set(document["components"]["messages"]) == set(PAYLOADS)
    named = [name for c in document["channels"].values() for name in c["messages"]]
    assert sorted(named) == sorted(PAYLOADS)


async def test_contracts_are_served(ask) -> None:
    """Without signing in: they are public."""
    assert (await ask.get("/api/asyncapi.json")).json()["asyncapi"] == "3.0.0"
    paths = (await ask.get("/api/openapi.json")).json()["paths"]
    assert {"/api/events/stream", "/api/permission/authorize"} <= set(paths)
    types = (await ask.get("/api/schemas")).json()["types"]
    answer = await ask.get(f"/api/schemas/{types[0]}.json")
    assert answer.json()["properties"]["type"] == {"const": types[0]}
    assert (await ask.get("/api/schemas/nope.json")).status_code == 404


async def test_unknown_pages_are_not_found(ask) -> None:
    """Whoever asks."""
    answer = await ask.get("/no/such/path", headers={"accept": "application/json"})
    assert answer.status_code == 404


async def test_metrics_are_in_prometheus_format(ask) -> None:
    """The endpoint serves Prometheus' text format."""
    text = (await ask.get("/metrics")).text
    assert re.search(r"^callboard_gateway_requests_total\{", text, re.MULTILINE)


@pytest.mark.parametrize(
    "path", ["/", "/sign-in", "/api/catalog/entities", "/api/status", "/healthz", "/no"]
)
async def test_a_cookie_of_escaped_quotes_is_read_fast(ask, path) -> None:
    """A reader that handles the escapes in quadratic time takes seconds."""
    headers = {"cookie": 'a="' + '\\"' * 15_000 + '"'}
    start = process_time()
    answer = await ask.get(path, headers=headers, follow_redirects=False)
    assert process_time() - start < MOST_SECONDS * slowness()
    assert answer.status_code < 500
