"""The policy: its Rego tests, the route table, decisions and their memory."""

import re
import time
from pathlib import Path
from typing import Any

import pytest
from regopy import Interpreter

from services.gateway.model import Decision, Identity, PolicyInput
from services.gateway.policy.guard import PolicyGuard
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
    rules = []
    for file in sorted(POLICIES.rglob("*_test.rego")):
        text = file.read_text()
        package = PACKAGE.search(text)
        assert package is not None, file.name
        rules += [(package[1], rule) for rule in RULE.findall(text)]
    return rules


@pytest.fixture(scope="module")
def compiled() -> Interpreter:
    return interpreter(POLICIES, tests=True)


@pytest.mark.parametrize(("package", "rule"), rego_tests())
def test_each_rego_test_passes(compiled: Interpreter, package: str, rule: str) -> None:
    """The rule holds."""
    output = compiled.query(f"holds = data.{package}.{rule}")
    assert result_of(output, "holds") is True, str(output)


def test_rego_tests_exist() -> None:
    """Without any, the parametrized test would pass silently."""
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
def test_the_table_names_the_permission_of_a_request(
    plugin, method, path, permission
) -> None:
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
    question = PolicyInput(
        ANN.subject, "user", ANN.ownership, "callboard.search.rebuild"
    )
    assert (await policy.decide(question)).result == "allow"


def test_a_policy_that_does_not_compile_fails_at_start(tmp_path: Path) -> None:
    """The error names what is wrong, before the first request."""
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
async def test_a_policy_without_a_result_denies(tmp_path: Path, source) -> None:
    """Nothing is allowed unless the policy says so."""
    (tmp_path / "odd.rego").write_text(source)
    with pytest.raises(Unavailable):
        await RegoPolicy(tmp_path, Questions(enabled=True)).decide(ANN)


@pytest.mark.parametrize("odd", ['x"],"result":"allow', "x\\", "x\n\t", "x\x00y"])
async def test_unusual_strings_cannot_break_a_policy_query(odd: str) -> None:
    """No ref or permission can end the query, or the result, early."""
    decision = await rego().decide(
        PolicyInput(odd, "user", (odd,), "catalog.entity.delete")
    )
    assert decision.result == "conditional"
    assert (decision.conditions or {})["params"] == {"claims": [odd]}
    cut = PolicyInput("u", "user", (), f"catalog.entity.create\x00{odd}")
    assert (await rego().decide(cut)).result == "deny"


@pytest.mark.parametrize("output", [None, [], {}, {"result": 1}])
def test_a_malformed_decision_is_an_error(output: Any) -> None:
    """Anything else means that the policy could not be queried."""
    with pytest.raises(Unavailable):
        decision_of(output)


class CountingPolicy:
    """Allows, and counts how often it was asked."""

    def __init__(self) -> None:
        self.requests = 0

    async def decide(self, _: PolicyInput) -> Decision:
        self.requests += 1
        return Decision("allow")


async def test_equal_policy_queries_are_cached() -> None:
    """A change of groups makes another query."""
    policy = CountingPolicy()
    guard = PolicyGuard(policy)
    ann = Identity("user:default/ann", "user", ("user:default/ann",))
    more = Identity("user:default/ann", "user", ("user:default/ann", "group:d/a"))
    for identity in (ann, ann, more):
        await guard.decision(identity, "catalog.entity.read")
    assert policy.requests == 2


async def test_the_decision_cache_is_limited() -> None:
    """The oldest decision makes room; later ones stay."""
    policy = CountingPolicy()
    guard = PolicyGuard(policy, cache_size=3)
    people = [Identity(f"user:default/p{n}", "user") for n in range(4)]
    for identity in people:
        await guard.decision(identity, "catalog.entity.read")
    for identity in (*people[1:], people[0]):
        await guard.decision(identity, "catalog.entity.read")
    assert policy.requests == 5


async def test_cached_decisions_expire() -> None:
    """A server's policy may have changed meanwhile."""
    policy = CountingPolicy()
    guard = PolicyGuard(policy, seconds=0)
    ann = Identity("user:default/ann", "user", ("user:default/ann",))
    for _ in range(2):
        await guard.decision(ann, "catalog.entity.read")
    assert policy.requests == 2


async def test_a_decision_is_fast() -> None:
    """The first request of a reader waits for it: milliseconds."""
    policy = rego("group:default/p")
    await policy.decide(ANN)
    start = time.perf_counter()
    for _ in range(50):
        await policy.decide(ANN)
    assert (time.perf_counter() - start) / 50 < 0.1
