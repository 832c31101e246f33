"""The policy: its Rego tests, the route table, decisions, `/authorize`."""

import asyncio
import re
import time
from pathlib import Path
from typing import Any, cast

import pytest
from regopy import Interpreter

from services.gateway.model import Decision, Identity, PolicyInput
from services.gateway.policy.guard import PolicyGuard
from services.gateway.policy.handlers import AskedBatch
from services.gateway.policy.handlers import authorize as answer_to
from services.gateway.policy.question import Questions, decision_of
from services.gateway.policy.rego import RegoPolicy, interpreter, result_of
from services.gateway.settings import POLICIES
from shared.contracts.errors import Unavailable
from shared.contracts.permissions import need_of, permissions

ANN = PolicyInput(
    "user:default/ann", "user", ("user:default/ann", "group:default/a"), "x"
)
RULE = re.compile(r"^(test_\w+) if", re.MULTILINE)
PACKAGE = re.compile(r"^package ([\w.]+)", re.MULTILINE)


def rego(*platform_team: str) -> RegoPolicy:
    """The default policy."""
    return RegoPolicy(POLICIES, Questions(enabled=True, platform_team=platform_team))


def rego_tests() -> list[tuple[str, str]]:
    """Every rule named `test_…` in the policy folder."""
    found = []
    for file in sorted(POLICIES.rglob("*_test.rego")):
        text = file.read_text()
        package = PACKAGE.search(text)
        assert package is not None, file.name
        found += [(package[1], rule) for rule in RULE.findall(text)]
    return found


@pytest.fixture(scope="module")
def compiled() -> Interpreter:
    return interpreter(POLICIES, tests=True)


@pytest.mark.parametrize(("package", "rule"), rego_tests())
def test_rego(compiled: Interpreter, package: str, rule: str) -> None:
    """The rule holds."""
    output = compiled.query(f"holds = data.{package}.{rule}")
    assert result_of(output, "holds") is True, str(output)


def test_there_are_rego_tests() -> None:
    """None would pass silently."""
    assert len(rego_tests()) >= 15


@pytest.mark.parametrize(
    ("plugin", "method", "path", "permission"),
    [
        ("catalog", "GET", "/entities", "catalog.entity.read"),
        ("catalog", "HEAD", "/entities", "catalog.entity.read"),
        ("catalog", "POST", "/entities/by-query", "catalog.entity.read"),
        ("catalog", "POST", "/entities/by-refs", "catalog.entity.read"),
        ("catalog", "DELETE", "/entities/by-uid/1-2", "catalog.entity.delete"),
        ("catalog", "POST", "/refresh", "catalog.entity.refresh"),
        ("catalog", "POST", "/locations", "catalog.location.create"),
        ("catalog", "PUT", "/locations/x", "catalog.location.delete"),
        ("catalog", "DELETE", "/locations/x", "catalog.location.delete"),
        ("catalog", "GET", "/locations/by-entity/a/b/c", "catalog.entity.read"),
        ("catalog", "POST", "/validate-entity", "catalog.entity.validate"),
        ("catalog", "POST", "/analyze-location", "catalog.location.analyze"),
        ("catalog", "GET", "/snapshot/checksum", "callboard.snapshot.read"),
        ("catalog", "GET", "/metrics", "callboard.internal.read"),
        ("catalog", "POST", "/nope", "callboard.unlisted.change"),
        ("catalog", "PATCH", "/entities", "callboard.unlisted.change"),
        ("scaffolder", "POST", "/v2/tasks", "scaffolder.task.create"),
        ("scaffolder", "GET", "/v2/tasks/1/eventstream", "scaffolder.task.read"),
        ("scaffolder", "POST", "/v2/tasks/1/cancel", "scaffolder.task.cancel"),
        ("scaffolder", "POST", "/v2/tasks/1/retry", "scaffolder.task.create"),
        ("scaffolder", "POST", "/v2/dry-run", "scaffolder.template.dry-run"),
        ("scaffolder", "GET", "/v2/actions", "scaffolder.action.read"),
        (
            "scaffolder",
            "GET",
            "/v2/templates/d/template/x/parameter-schema",
            "scaffolder.template.parameter.read",
        ),
        ("techdocs", "GET", "/static/docs/a/b/c/", "catalog.entity.read"),
        ("techdocs", "GET", "/snapshot", "callboard.snapshot.read"),
        ("search", "GET", "/query", "catalog.entity.read"),
        ("search", "POST", "/rebuild", "callboard.search.rebuild"),
    ],
)
def test_what_a_route_needs(plugin, method, path, permission) -> None:
    """The table says which permission a request needs."""
    assert need_of(plugin, method, path).permission == permission


async def test_the_policy_knows_every_permission_of_the_table() -> None:
    """A typing error in the table or in the policy would lock everybody out."""
    policy = rego("group:default/a")
    for permission in sorted(permissions()):
        decision = await policy.decide(
            PolicyInput(ANN.subject, "user", ANN.ownership, permission)
        )
        services = permission.startswith(("callboard.snapshot", "callboard.internal"))
        assert (decision.result == "deny") is services, permission


async def test_a_switched_off_policy_allows_everything() -> None:
    """`permission.enabled: false`."""
    policy = RegoPolicy(POLICIES, Questions(enabled=False))
    assert (await policy.decide(ANN)).result == "allow"


async def test_the_platform_team_is_compared_without_case() -> None:
    """As all refs."""
    policy = rego("Group:default/A")
    asked = PolicyInput(ANN.subject, "user", ANN.ownership, "callboard.search.rebuild")
    assert (await policy.decide(asked)).result == "allow"


def test_a_policy_that_does_not_compile_is_told_at_start(tmp_path: Path) -> None:
    """With the name of what is wrong, before the first request."""
    with pytest.raises(Unavailable, match="No policy files"):
        RegoPolicy(tmp_path, Questions(enabled=True))
    (tmp_path / "broken.rego").write_text("package callboard.authz\n\ndecision := {")
    with pytest.raises(Unavailable, match=r"broken|compile"):
        RegoPolicy(tmp_path, Questions(enabled=True))


@pytest.mark.parametrize(
    "source",
    [
        "package callboard.authz\n",
        'package callboard.authz\n\ndecision := "yes"\n',
        'package callboard.authz\n\ndecision := {"result": "maybe"}\n',
        'package callboard.authz\n\ndecision := {"result": "conditional"}\n',
        "package callboard.authz\n\ndecision := 1 if input.kind\ndecision := 2\n",
    ],
)
async def test_a_policy_without_an_answer_means_no(tmp_path: Path, source) -> None:
    """Nothing is allowed by a policy that does not say so."""
    (tmp_path / "odd.rego").write_text(source)
    with pytest.raises(Unavailable):
        await RegoPolicy(tmp_path, Questions(enabled=True)).decide(ANN)


@pytest.mark.parametrize("odd", ['x"],"result":"allow', "x\\", "x\n\t", "x\x00y"])
async def test_odd_strings_stay_what_they_are(odd: str) -> None:
    """Nothing in a ref or a permission can end it, or the answer, early."""
    found = await rego().decide(
        PolicyInput(odd, "user", (odd,), "catalog.entity.delete")
    )
    assert found.result == "conditional"
    assert (found.conditions or {})["params"] == {"claims": [odd]}
    cut = PolicyInput("u", "user", (), f"catalog.entity.create\x00{odd}")
    assert (await rego().decide(cut)).result == "deny"


@pytest.mark.parametrize("found", [None, [], {}, {"result": 1}])
def test_only_a_decision_is_a_decision(found: Any) -> None:
    """Anything else means that the policy could not be asked."""
    with pytest.raises(Unavailable):
        decision_of(found)


class CountingPolicy:
    """Allows, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def decide(self, _: PolicyInput) -> Decision:
        self.asked += 1
        return Decision("allow")


async def test_the_same_question_is_asked_once() -> None:
    """A change of groups is another question."""
    policy = CountingPolicy()
    guard = PolicyGuard(policy)
    ann = Identity("user:default/ann", "user", ("user:default/ann",))
    more = Identity("user:default/ann", "user", ("user:default/ann", "group:d/a"))
    for identity in (ann, ann, more):
        await guard.decision(identity, "catalog.entity.read")
    assert policy.asked == 2


async def test_no_more_answers_are_remembered_than_may_be() -> None:
    """The oldest makes room; those that came after it stay."""
    policy = CountingPolicy()
    guard = PolicyGuard(policy, remembered=3)
    people = [Identity(f"user:default/p{n}", "user") for n in range(4)]
    for identity in people:
        await guard.decision(identity, "catalog.entity.read")
    for identity in (*people[1:], people[0]):
        await guard.decision(identity, "catalog.entity.read")
    assert policy.asked == 5


async def test_the_gateways_own_questions_are_not_asked() -> None:
    """Nobody who says to be the gateway gains by it."""
    policy = CountingPolicy()
    own = Identity("service:gateway", "service")
    guard = PolicyGuard(policy, own=own)
    assert (await guard.decision(own, "anything")).result == "allow"
    assert policy.asked == 0
    await guard.decision(Identity("service:gateway", "service"), "anything")
    assert policy.asked == 1


async def test_an_old_answer_is_asked_again() -> None:
    """A server's policy may have changed meanwhile."""
    policy = CountingPolicy()
    guard = PolicyGuard(policy, seconds=0)
    ann = Identity("user:default/ann", "user", ("user:default/ann",))
    for _ in range(2):
        await guard.decision(ann, "catalog.entity.read")
    assert policy.asked == 2


async def test_a_decision_is_fast() -> None:
    """The first request of a reader waits for it: milliseconds."""
    policy = rego("group:default/p")
    await policy.decide(ANN)
    began = time.perf_counter()
    for _ in range(50):
        await policy.decide(ANN)
    assert (time.perf_counter() - began) / 50 < 0.1


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


async def test_basic_permissions(ask, sign_in) -> None:
    """Users register; guests do not."""
    for who, result in (("ann", "ALLOW"), ("guest", "DENY")):
        answer = await authorize(ask, await sign_in(who), {"permission": CREATE})
        assert answer.json() == {"items": [{"id": "0", "result": result}]}


async def test_conditions_are_resolved_for_given_resources(ask, sign_in) -> None:
    """Owners may delete; what is hidden from the reader may not be read."""
    answer = await authorize(
        ask,
        await sign_in("bob"),
        {
            "permission": entity_permission("read"),
            "resourceRef": ["component:default/tickets", "component:default/merger"],
        },
        {
            "permission": entity_permission("delete"),
            "resourceRef": "component:default/tickets",
        },
    )
    assert answer.json()["items"] == [
        {"id": "0", "result": ["ALLOW", "DENY"]},
        {"id": "1", "result": "DENY"},
    ]
    answer = await authorize(
        ask,
        await sign_in("ann"),
        {
            "permission": entity_permission("delete"),
            "resourceRef": "component:default/tickets",
        },
    )
    assert answer.json()["items"] == [{"id": "0", "result": "ALLOW"}]


async def test_thousands_of_questions_are_few_for_the_catalog(ask, sign_in) -> None:
    """It is asked once a permission, for a thousand resources at a time."""
    refs = ["component:default/tickets", "component:default/merger"]
    items = [
        {"permission": entity_permission("read"), "resourceRef": refs[n % 2]}
        for n in range(3000)
    ]
    begun = time.process_time()
    answer = await authorize(ask, await sign_in("bob"), *items)
    assert time.process_time() - begun < 3
    results = [item["result"] for item in answer.json()["items"]]
    assert results == ["ALLOW", "DENY"] * 1500
    too_many = {"permission": entity_permission("read"), "resourceRef": refs * 10_001}
    answer = await authorize(ask, await sign_in("bob"), too_many)
    assert answer.status_code == 400
    assert "items.resourceRef: more than 20000" in answer.json()["error"]["message"]


async def test_a_batch_of_permissions_that_nobody_knows(ask, sign_in) -> None:
    """More than there are is refused: the policy is asked about each."""
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


async def test_others_have_their_turn_between_questions() -> None:
    """A policy in this process waits for nothing; a batch of questions must."""
    asked = [
        {
            "id": str(n),
            "permission": {"type": "basic", "name": f"odd.{n}", "attributes": {}},
        }
        for n in range(100)
    ]
    batch = AskedBatch.model_validate({"items": asked})
    ann = Identity(ANN.subject, "user", ANN.ownership)
    guard = PolicyGuard(rego())
    answering = asyncio.create_task(answer_to(batch, ann, guard, cast("Any", None)))
    turns = 0
    while not answering.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns >= 100


async def test_bodies_are_bounded_before_they_are_read(ask, sign_in) -> None:
    """Depth, elements and what is no JSON: 400 that names the rule."""
    path, headers = "/api/permission/authorize", await sign_in("ann")
    headers = {**headers, "content-type": "application/json"}
    for body, words in (
        (b'{"items":' + b"[" * 200 + b"]" * 200 + b"}", "nested deeper than 100"),
        (b'{"items":[' + b"1," * 500_001 + b"1]}", "more than 500000 elements"),
        (b'{"items":' + b"[" * 100_000, "not JSON"),
        (b'{"items":NaN}', "not JSON"),
    ):
        answer = await ask.post(path, content=body, headers=headers)
        assert answer.status_code == 400
        assert words in answer.json()["error"]["message"]


async def test_people_ask_about_given_resources_only(ask, sign_in, robot) -> None:
    """400 in Backstage's words; services may ask in general."""
    item = {"permission": entity_permission("read")}
    answer = await authorize(ask, await sign_in("ann"), item)
    assert answer.status_code == 400
    assert answer.json()["request"]["url"] == "/authorize"
    assert "require a resourceRef" in answer.json()["error"]["message"]
    assert (await authorize(ask, robot, item)).json()["items"][0]["result"] == "ALLOW"


async def test_malformed_questions(ask, sign_in) -> None:
    """400 naming the field; nobody is told so before they signed in."""
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
async def test_who_may_do_what(ask, sign_in, who, method, path, status) -> None:
    """The default policy at the front door."""
    answer = await ask.request(method, path, headers=await sign_in(who), json={})
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["error"]["name"] == "NotAllowedError"
        assert answer.json()["error"]["message"]


async def test_owners_conditions_travel_to_the_service(ask, sign_in) -> None:
    """Deleting is decided by the service, with the owner's refs."""
    answer = await ask.delete(
        "/api/catalog/entities/by-uid/1", headers=await sign_in("ann")
    )
    assert answer.json()["conditions"] == {
        "rule": "IS_ENTITY_OWNER",
        "resourceType": "catalog-entity",
        "params": {"claims": ["user:default/ann", "group:default/box-office"]},
    }
