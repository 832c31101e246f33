"""What a decision costs: `python -m tests.bench.policy`.

Prints the median and the 99th percentile of one decision, embedded and by an OPA server
(fetched if it is not there), then requests a second through a gateway on either.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import aiohttp

from deploy.engines import opa
from deploy.engines.cache import CannotFetch
from services.gateway.model import PolicyInput
from services.gateway.policy.opa import OpaPolicy
from services.gateway.policy.question import Questions
from services.gateway.policy.rego import RegoPolicy
from services.gateway.ports import Policy
from services.gateway.settings import POLICIES
from tests.bench.portal import BenchPortal

RULES = POLICIES / "callboard"
PORT = 17029
COUNT, ROUNDS, SECONDS = 2_000, 3, 3.0
QUESTION = PolicyInput(
    "user:default/ann",
    "user",
    ("user:default/ann", "group:default/box-office", "group:default/stage"),
    "catalog.entity.read",
)

Once = Callable[[], Awaitable[object]]


async def times(once: Once, count: int, at_once: int) -> list[float]:
    """How long each of `count` took, so many at once; in milliseconds."""
    took: list[float] = []

    async def worker() -> None:
        for _ in range(count // at_once):
            started_at = time.perf_counter()
            await once()
            took.append((time.perf_counter() - started_at) * 1000)

    await asyncio.gather(*(worker() for _ in range(at_once)))
    return sorted(took)


async def decisions(title: str, policy: Policy, at_once: int) -> None:
    """Print one line: medians of the rounds."""

    async def once() -> object:
        return await policy.decide(QUESTION)

    await times(once, COUNT // 4, at_once)
    rounds = [await times(once, COUNT, at_once) for _ in range(ROUNDS)]
    half, late = (
        statistics.median(durations[int(len(durations) * part)] for durations in rounds)
        for part in (0.5, 0.99)
    )
    print(f"{title:40} p50 {half:7.3f} ms   p99 {late:7.3f} ms")


async def decide(address: str) -> None:
    """Both forms, one question at a time and several."""
    questions = Questions(enabled=True, platform_team=["group:default/platform"])
    await decisions("a decision, embedded", RegoPolicy(RULES, questions), 1)
    async with OpaPolicy(address, questions) as server:
        await decisions("a decision, OPA", server, 1)
        await decisions("a decision, OPA, 16 at once", server, 16)


async def rate(portal: BenchPortal, path: str, at_once: int) -> float:
    """Requests a second."""
    headers = {"Authorization": f"Bearer {portal.token}"}
    done, until = 0, time.perf_counter() + SECONDS
    async with aiohttp.ClientSession(headers=headers) as session:

        async def worker() -> None:
            nonlocal done
            while time.perf_counter() < until:
                async with session.get(portal.url + path) as answer:
                    await answer.read()
                    answer.raise_for_status()
                done += 1

        await asyncio.gather(*(worker() for _ in range(at_once)))
    return done / SECONDS


def requests(title: str, folder: Path, environment: Mapping[str, str]) -> None:
    """Start a portal, ask for an entity by name, print one line."""
    os.environ.update(environment)
    portal = BenchPortal(folder, PORT, "playhouse")
    try:
        portal.up()
        page = portal.ask("/api/catalog/entities/by-query?filter=kind=component")
        name = page["items"][0]["metadata"]["name"]
        path = f"/api/catalog/entities/by-name/component/default/{name}"
        asyncio.run(rate(portal, path, 16))
        rates = [
            statistics.median(
                asyncio.run(rate(portal, path, at_once)) for _ in range(ROUNDS)
            )
            for at_once in (1, 16)
        ]
        one, many = rates
        print(f"{title:40} {one:7.0f} /s at 1   {many:7.0f} /s at 16")
    finally:
        portal.down()
        for name in environment:
            del os.environ[name]


def main() -> None:
    """Decisions, then requests, with and without remembered decisions."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        server = opa.start(root / "opa", root / "opa.log", policies=RULES)
        environment = {"CALLBOARD_OPA": server.address}
        off = {**environment, "CALLBOARD_GATEWAY_DECISION_SECONDS": "0"}
        try:
            asyncio.run(decide(server.address))
            requests("by name, embedded policy", root / "embedded", {})
            requests("by name, OPA", root / "remembered", environment)
            requests("by name, OPA, nothing remembered", root / "asked", off)
        finally:
            server.stop()


if __name__ == "__main__":
    try:
        main()
    except CannotFetch as error:
        print(error)
        sys.exit(1)
