"""One run from an empty folder to the verdict."""

import asyncio
import random
import time
from dataclasses import dataclass

import yaml

from shared.contracts.topics import GIT_PUSH
from shared.kit.events.bus import KafkaBus
from tests.builders import component
from tests.e2e.running import Portal
from tests.faults.driver.deployment import Deployment
from tests.faults.driver.faults import Faults
from tests.faults.driver.host import GitHost
from tests.faults.driver.ledger import Ledger
from tests.faults.driver.recorder import Recorder
from tests.faults.driver.verdict import Verdict
from tests.faults.driver.watch import Fault, Watch
from tests.faults.driver.work import Worker
from tests.waiting import until_now

WORKERS = 3
READY_SECONDS = 120.0
POISON = "driver-poison"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the table shows."""

    seed: int
    seconds: float
    ledger: Ledger
    faults: list[Fault]
    settled: dict[str, float]


def run(deployment: Deployment, *, seed: int, seconds: float, faults: int) -> Outcome:
    """Work and faults for so long, then the verdict. The deployment is up."""
    ledger = Ledger()
    portal = deployment.portal
    recorder = Recorder(deployment.event_log)
    host = GitHost(portal.data, portal.url, ledger)
    watch = Watch(portal.url, portal.token)
    try:
        workers = _begin(deployment, host, ledger, seed)
        watch.start()
        started_at = time.monotonic()
        for worker in workers:
            worker.start()
        _strike(deployment, watch, ledger, seed=seed, seconds=seconds, count=faults)
        for worker in workers:
            worker.ending.set()
        for worker in workers:
            worker.join()
        _until_well(watch, portal)
        verdict = Verdict(portal, host, ledger, recorder, deployment.documents())
        settled = verdict.reach()
    finally:
        watch.close()
        host.close()
        recorder.close()
    for worker in workers:
        if worker.failure is not None:
            raise worker.failure
    return Outcome(seed, time.monotonic() - started_at, ledger, watch.faults, settled)


def _until_well(watch: Watch, portal: Portal) -> None:
    try:
        until_now(lambda: watch.well, seconds=READY_SECONDS)
    except AssertionError:
        report = f"{watch.last}\n{portal.run}\n{portal.logs()}"
        raise AssertionError(f"Not all is well in the end: {report}") from None


def _begin(
    deployment: Deployment, host: GitHost, ledger: Ledger, seed: int
) -> list[Worker]:
    """What the work needs: a template, the workers' repositories."""
    portal = deployment.portal
    host.create("driver-template")
    host.push("driver-template", {"catalog-info.yaml": _template()}, "Begin")
    workers = [Worker(n, seed, portal, host, ledger) for n in range(WORKERS)]
    for worker in workers:
        worker.prepare()
    until_now(
        lambda: portal.known("template:default/driver-run"),
        "the driver's template",
        seconds=READY_SECONDS,
    )
    return workers


def _strike(
    deployment: Deployment,
    watch: Watch,
    ledger: Ledger,
    *,
    seed: int,
    seconds: float,
    count: int,
) -> None:
    faults = Faults(seed, deployment, watch)
    chance = random.Random(f"{seed}/poison")
    started_at = time.monotonic()
    poisons = {chance.randrange(max(count, 1)) for _ in range(2)}
    for number in range(count):
        if number in poisons:
            plant(deployment, ledger, number)
        faults.strike()
        following = started_at + seconds * (number + 1) / count
        time.sleep(max(0.0, following - time.monotonic()))
    time.sleep(max(0.0, started_at + seconds - time.monotonic()))
    faults.end()


def plant(deployment: Deployment, ledger: Ledger, number: int) -> None:
    """A message that nobody can handle, and that must end among the dead."""
    text = f"{POISON}-{number}"

    async def send() -> None:
        async with KafkaBus(deployment.event_log()) as bus:
            await bus.publish(GIT_PUSH, "nobody/nothing", text.encode())

    try:
        asyncio.run(asyncio.wait_for(send(), 10))
    except Exception:  # noqa: BLE001 - the log may be the one that is ill just now
        ledger.count("poison", "no answer")
        return
    ledger.planted.add(text)
    ledger.count("poison", "done")


def _template() -> str:
    steps = [
        {"id": "say", "name": "Say", "action": "debug:log", "input": {"message": "go"}},
        {
            "id": "wait",
            "name": "Wait",
            "action": "debug:wait",
            "input": {"milliseconds": 300},
        },
        {
            "id": "entry",
            "name": "Entry",
            "action": "catalog:write",
            "input": {
                "entity": component(
                    "${{ parameters.name }}", owner="booking", lifecycle="experimental"
                )
            },
        },
        {
            "id": "publish",
            "name": "Publish",
            "action": "publish:git",
            "input": {"repoUrl": "git.playhouse.example?repo=${{ parameters.name }}"},
        },
        {
            "id": "register",
            "name": "Register",
            "action": "catalog:register",
            "input": {"repoContentsUrl": "${{ steps.publish.output.repoContentsUrl }}"},
        },
    ]
    return yaml.safe_dump(
        {
            "apiVersion": "scaffolder.backstage.io/v1beta3",
            "kind": "Template",
            "metadata": {"name": "driver-run", "title": "Driver's run"},
            "spec": {
                "type": "service",
                "owner": "booking",
                "parameters": [
                    {"title": "Name", "properties": {"name": {"type": "string"}}}
                ],
                "steps": steps,
            },
        },
        sort_keys=False,
    )
