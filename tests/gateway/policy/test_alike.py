"""The embedded policy and an OPA server: the same files, the same answers."""

import asyncio
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest

from services.gateway.model import Decision, PolicyInput
from services.gateway.policy.opa import OpaPolicy
from services.gateway.policy.question import Questions
from services.gateway.policy.rego import RegoPolicy
from services.gateway.ports import Policy
from shared.contracts.entity import Entity
from shared.kit.http.conditions import matches
from tests.gateway.policy import questions as made
from tests.gateway.policy.opa_server import RULES, program
from tests.gateway.policy.questions import ENTITIES, KINDS, PERMISSIONS, settings

SEED = 20_260_101
COUNT = 5_000
AT_ONCE = 32

Pair = tuple[RegoPolicy, OpaPolicy]


@pytest.fixture
async def pairs(opa: str) -> AsyncIterator[list[Pair]]:
    """Both policies, once for each thing a configuration may say."""
    async with AsyncExitStack() as stack:
        policies = []
        for questions in settings():
            server = OpaPolicy(opa, questions, seconds=20)
            await stack.enter_async_context(server)
            policies.append((RegoPolicy(RULES, questions), server))
        yield policies


async def both(
    pairs: Sequence[Pair], questions: Sequence[PolicyInput]
) -> list[tuple[Decision, Decision]]:
    """The answers of the embedded policy and of the server, in order."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def ask(policy: Policy, question: PolicyInput) -> Decision:
        async with turn:
            return await policy.decide(question)

    pair = [pairs[number % len(pairs)] for number in range(len(questions))]
    embedded_decisions = [
        await embedded.decide(question)
        for (embedded, _), question in zip(pair, questions, strict=True)
    ]
    server_decisions = await asyncio.gather(
        *(
            ask(server, question)
            for (_, server), question in zip(pair, questions, strict=True)
        )
    )
    return list(zip(embedded_decisions, server_decisions, strict=True))


def whole(decision: Decision) -> tuple[Any, ...]:
    """All of it: decisions compare without their conditions."""
    return (decision.result, decision.reason, decision.conditions)


async def test_opa_and_the_embedded_policy_decide_alike(
    pairs: list[Pair],
) -> None:
    """Five thousand queries have the same result, reason and conditions in both."""
    questions = list(made.questions(SEED, COUNT))
    answers = await both(pairs, questions)
    for question, (embedded, server) in zip(questions, answers, strict=True):
        assert whole(embedded) == whole(server), question
    results = Counter(embedded.result for embedded, _ in answers)
    assert min(results[result] for result in ("allow", "deny", "conditional")) > 300


async def test_conditions_of_both_policies_allow_the_same_entities(
    pairs: list[Pair],
) -> None:
    """For the subject's own entities, for restricted ones, and for those of others."""
    questions = [
        question
        for question in made.questions(SEED + 1, 1_000)
        if question.permission.startswith("catalog.entity.")
    ]
    counts: Counter[bool] = Counter()
    for question, (embedded, server) in zip(
        questions, await both(pairs, questions), strict=True
    ):
        if embedded.conditions is None or server.conditions is None:
            assert embedded.conditions is server.conditions
            continue
        for entity in ENTITIES:
            matched = matches(embedded.conditions, Entity(entity))
            assert matched is matches(server.conditions, Entity(entity)), (
                question,
                entity,
            )
            counts[matched] += 1
    assert min(counts[True], counts[False]) > 30


def test_generated_policy_queries_are_reproducible() -> None:
    """A seed determines a run; every permission is queried for every subject kind."""
    questions = list(made.questions(SEED, COUNT))
    assert questions == list(made.questions(SEED, COUNT))
    assert len(set(questions)) > COUNT * 0.9
    common = {(one.permission, one.kind) for one in questions}
    assert common >= {(name, kind) for name in PERMISSIONS for kind in KINDS}


def test_the_policies_pass_opas_own_checks(opa: str) -> None:
    """`opa test` and `opa check --strict`, as an author of rules would run them."""
    for command in (["test"], ["check", "--strict"], ["fmt", "--fail", "--list"]):
        done = subprocess.run(
            [program(), *command, RULES], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        if command == ["test"]:
            assert "PASS: " in done.stdout
            passed, _, all_tests = done.stdout.strip().rpartition(" ")[2].partition("/")
            assert passed == all_tests
            assert int(passed) >= 15


async def test_a_disabled_policy_is_disabled_in_opa_too(opa: str) -> None:
    """The query carries the configuration; the OPA server needs none of it."""
    question = PolicyInput("user:default/x", "guest", (), "catalog.entity.delete")
    for enabled, result in ((True, "deny"), (False, "allow")):
        async with OpaPolicy(opa, Questions(enabled=enabled)) as policy:
            assert (await policy.decide(question)).result == result
