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
        found = []
        for questions in settings():
            server = OpaPolicy(opa, questions, seconds=20)
            await stack.enter_async_context(server)
            found.append((RegoPolicy(RULES, questions), server))
        yield found


async def both(
    pairs: Sequence[Pair], asked: Sequence[PolicyInput]
) -> list[tuple[Decision, Decision]]:
    """The answers of the embedded policy and of the server, in order."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def ask(policy: Policy, question: PolicyInput) -> Decision:
        async with turn:
            return await policy.decide(question)

    pair = [pairs[number % len(pairs)] for number in range(len(asked))]
    here = [
        await embedded.decide(question)
        for (embedded, _), question in zip(pair, asked, strict=True)
    ]
    there = await asyncio.gather(
        *(
            ask(server, question)
            for (_, server), question in zip(pair, asked, strict=True)
        )
    )
    return list(zip(here, there, strict=True))


def whole(decision: Decision) -> tuple[Any, ...]:
    """All of it: decisions compare without their conditions."""
    return (decision.result, decision.reason, decision.conditions)


async def test_five_thousand_questions_have_the_same_answers(
    pairs: list[Pair],
) -> None:
    """Result, reason and conditions, whatever is asked of whom."""
    asked = list(made.questions(SEED, COUNT))
    answers = await both(pairs, asked)
    for question, (here, there) in zip(asked, answers, strict=True):
        assert whole(here) == whole(there), question
    results = Counter(here.result for here, _ in answers)
    assert min(results[each] for each in ("allow", "deny", "conditional")) > 300


async def test_conditions_let_the_same_entities_through(pairs: list[Pair]) -> None:
    """What services make of an answer, of one's own, restricted and foreign ones."""
    asked = [
        question
        for question in made.questions(SEED + 1, 1_000)
        if question.permission.startswith("catalog.entity.")
    ]
    seen: Counter[bool] = Counter()
    for question, (here, there) in zip(asked, await both(pairs, asked), strict=True):
        if here.conditions is None or there.conditions is None:
            assert here.conditions is there.conditions
            continue
        for entity in ENTITIES:
            yes = matches(here.conditions, Entity(entity))
            assert yes is matches(there.conditions, Entity(entity)), (question, entity)
            seen[yes] += 1
    assert min(seen[True], seen[False]) > 30


def test_the_questions_are_the_same_each_time() -> None:
    """A seed names a run; every permission is asked of every kind of subject."""
    asked = list(made.questions(SEED, COUNT))
    assert asked == list(made.questions(SEED, COUNT))
    assert len(set(asked)) > COUNT * 0.9
    common = {(one.permission, one.kind) for one in asked}
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
