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


async def test_five_thousand_questions_have_the_same_answers(
    pairs: list[Pair],
) -> None:
    """Result, reason and conditions, whatever is asked of whom."""
    questions = list(made.questions(SEED, COUNT))
    answers = await both(pairs, questions)
    for question, (embedded, server) in zip(questions, answers, strict=True):
        assert whole(embedded) == whole(server), question
    results = Counter(embedded.result for embedded, _ in answers)
    assert min(results[result] for result in ("allow", "deny", "conditional")) > 300


async def test_conditions_let_the_same_entities_through(pairs: list[Pair]) -> None:
    """What services make of an answer, of one's own, restricted and foreign ones."""
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


def test_the_questions_are_the_same_each_time() -> None:
    """A seed names a run; every permission is asked of every kind of subject."""
    questions = list(made.questions(SEED, COUNT))
    assert questions == list(made.questions(SEED, COUNT))
    assert len(set(questions)) > COUNT * 0.9
    common = {(one.permission, one.kind) for one in questions}
    assert common >= {(name, kind) for name in PERMISSIONS for kind in KINDS}


def test_opas_own_test_runner_is_content(opa: str) -> None:
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


async def test_a_switched_off_policy_is_switched_off_there_too(opa: str) -> None:
    """The configuration goes with the question; the server needs none of it."""
    question = PolicyInput("user:default/x", "guest", (), "catalog.entity.delete")
    for enabled, result in ((True, "deny"), (False, "allow")):
        async with OpaPolicy(opa, Questions(enabled=enabled)) as policy:
            assert (await policy.decide(question)).result == result
