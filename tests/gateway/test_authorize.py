"""Questions about permissions over HTTP, and what follows from the answers."""

import asyncio
import time
from typing import Any, cast

import pytest

from services.gateway.model import Identity
from services.gateway.policy.guard import PolicyGuard
from services.gateway.policy.handlers import PermissionBatch
from services.gateway.policy.handlers import authorize as answer_to
from tests.costs import slowness
from tests.gateway.test_policy import ANN, rego


def entity_permission(action: str) -> dict[str, Any]:
    return {
        "type": "resource",
        "name": f"catalog.entity.{action}",
        "attributes": {"action": action},
        "resourceType": "catalog-entity",
    }


CREATE = {
    "type": "basic",
    "name": "catalog.location.create",
    "attributes": {"action": "create"},
}


async def authorize(ask, headers, *items: dict[str, Any]) -> Any:
    body = {"items": [{"id": str(n), **item} for n, item in enumerate(items)]}
    return await ask.post("/api/permission/authorize", json=body, headers=headers)


async def test_users_may_register_and_guests_may_not(ask, sign_in) -> None:
    """Users register; guests do not."""
    for who, result in (("ann", "ALLOW"), ("guest", "DENY")):
        answer = await authorize(ask, await sign_in(who), {"permission": CREATE})
        assert answer.json() == {"items": [{"id": "0", "result": result}]}


async def test_conditions_are_resolved_for_given_resources(ask, sign_in) -> None:
    """Owners may delete; what is hidden from the reader may not be read."""
    tickets = "component:default/tickets"
    deleting = {"permission": entity_permission("delete"), "resourceRef": tickets}
    answer = await authorize(
        ask,
        await sign_in("bob"),
        {
            "permission": entity_permission("read"),
            "resourceRef": [tickets, "component:default/merger"],
        },
        deleting,
    )
    assert answer.json()["items"] == [
        {"id": "0", "result": ["ALLOW", "DENY"]},
        {"id": "1", "result": "DENY"},
    ]
    answer = await authorize(ask, await sign_in("ann"), deleting)
    assert answer.json()["items"] == [{"id": "0", "result": "ALLOW"}]


async def test_permission_queries_are_batched_for_the_catalog(ask, sign_in) -> None:
    """One request per permission, for a thousand resources at a time."""
    refs = ["component:default/tickets", "component:default/merger"]
    items = [
        {"permission": entity_permission("read"), "resourceRef": refs[n % 2]}
        for n in range(3000)
    ]
    start = time.process_time()
    answer = await authorize(ask, await sign_in("bob"), *items)
    assert time.process_time() - start < 3 * slowness()
    results = [item["result"] for item in answer.json()["items"]]
    assert results == ["ALLOW", "DENY"] * 1500
    too_many = {"permission": entity_permission("read"), "resourceRef": refs * 10_001}
    answer = await authorize(ask, await sign_in("bob"), too_many)
    assert answer.status_code == 400
    assert "items.resourceRef: more than 20000" in answer.json()["error"]["message"]


async def test_a_batch_of_too_many_permissions_is_refused(ask, sign_in) -> None:
    """The policy is queried for each, so more than there are is refused."""
    ann = await sign_in("ann")
    items = [
        {"permission": {"type": "basic", "name": f"odd.name.{n}", "attributes": {}}}
        for n in range(101)
    ]
    answer = await authorize(ask, ann, *items)
    assert answer.status_code == 400
    assert "items.permission.name: more than 100" in answer.json()["error"]["message"]
    answer = await authorize(ask, ann, *items[:100])
    assert {item["result"] for item in answer.json()["items"]} == {"DENY"}


async def test_other_requests_run_between_policy_queries() -> None:
    """The embedded policy never waits, so a batch of queries yields explicitly."""
    items = [
        {
            "id": str(n),
            "permission": {"type": "basic", "name": f"odd.{n}", "attributes": {}},
        }
        for n in range(100)
    ]
    batch = PermissionBatch.model_validate({"items": items})
    ann = Identity(ANN.subject, "user", ANN.ownership)
    guard = PolicyGuard(rego())
    answering = asyncio.create_task(answer_to(batch, ann, guard, cast("Any", None)))
    turns = 0
    while not answering.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns >= 100


async def test_deep_large_and_malformed_bodies_are_refused(ask, sign_in) -> None:
    """The response is 400 and names the limit, or says that it is not JSON."""
    path, headers = "/api/permission/authorize", await sign_in("ann")
    headers = {**headers, "content-type": "application/json"}
    for body, words in (
        (b'{"items":' + b"[" * 200 + b"]" * 200 + b"}", "nested deeper than 100"),
        (b'{"items":[' + b"1," * 200_001 + b"1]}", "more than 100000 elements"),
        (b'{"items":' + b"[" * 100_000, "nested deeper than 100"),
        (b'{"items":NaN}', "not JSON"),
    ):
        answer = await ask.post(path, content=body, headers=headers)
        assert answer.status_code == 400
        assert words in answer.json()["error"]["message"]


async def test_users_must_name_resources_in_permission_queries(
    ask, sign_in, robot
) -> None:
    """400 in Backstage's words; services may ask in general."""
    item = {"permission": entity_permission("read")}
    answer = await authorize(ask, await sign_in("ann"), item)
    assert answer.status_code == 400
    assert answer.json()["request"]["url"] == "/authorize"
    assert "require a resourceRef" in answer.json()["error"]["message"]
    assert (await authorize(ask, robot, item)).json()["items"][0]["result"] == "ALLOW"


async def test_malformed_permission_queries_are_refused(ask, sign_in) -> None:
    """400 naming the field; without credentials only 401."""
    body = {"items": [{"permission": {"name": "x"}}]}
    path = "/api/permission/authorize"
    answer = await ask.post(path, json=body, headers=await sign_in("ann"))
    assert answer.status_code == 400
    assert answer.json()["error"]["name"] == "InputError"
    assert (await ask.post(path, json=body)).status_code == 401


@pytest.mark.parametrize(
    ("who", "method", "path", "status"),
    [
        ("guest", "POST", "/api/catalog/locations", 403),
        ("guest", "POST", "/api/scaffolder/v2/tasks", 403),
        ("guest", "DELETE", "/api/catalog/entities/by-uid/1", 403),
        ("guest", "POST", "/api/catalog/refresh", 403),
        ("ann", "POST", "/api/catalog/locations", 200),
        ("ann", "POST", "/api/scaffolder/v2/tasks", 200),
        ("ann", "POST", "/api/catalog/nope", 403),
        ("ann", "POST", "/api/search/rebuild", 403),
        ("kim", "POST", "/api/search/rebuild", 200),
        ("kim", "GET", "/api/catalog/snapshot", 403),
        ("kim", "GET", "/api/catalog/metrics", 403),
        ("guest", "GET", "/api/search/query", 200),
    ],
)
async def test_the_default_policy_permits_by_role(
    ask, sign_in, who, method, path, status
) -> None:
    """The default policy, seen through the gateway's routes."""
    answer = await ask.request(method, path, headers=await sign_in(who), json={})
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["error"]["name"] == "NotAllowedError"
        assert answer.json()["error"]["message"]


async def test_ownership_conditions_are_passed_to_the_service(ask, sign_in) -> None:
    """The service decides about a delete, with the owner's refs."""
    answer = await ask.delete(
        "/api/catalog/entities/by-uid/1", headers=await sign_in("ann")
    )
    assert answer.json()["conditions"] == {
        "rule": "IS_ENTITY_OWNER",
        "resourceType": "catalog-entity",
        "params": {"claims": ["user:default/ann", "group:default/box-office"]},
    }
