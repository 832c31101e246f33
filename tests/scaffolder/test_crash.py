"""Processes that die: a run goes on at its step, and nothing happens twice."""

import asyncio
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from services.scaffolder.model import TakenOver
from services.scaffolder.settings import Settings
from shared.contracts.topics import TEMPLATE_RUN, dead
from shared.kit.events.bus import KafkaBus, LiveReader
from tests.builders import template
from tests.scaffolder.calls import create, messages, say, step, task, wait_for_status
from tests.waiting import until

ROOT = Path(__file__).parents[2]
#: Longer than a busy machine takes to see that a step waits and to end its process.
STEP_SECONDS = 5


def started(settings: Settings) -> subprocess.Popen[bytes]:
    """A scaffolder as a process of its own."""
    environment = {
        **os.environ,
        "CALLBOARD_KAFKA": settings.kafka,
        "CALLBOARD_MONGODB": settings.mongodb,
        "CALLBOARD_CONFIG": str(settings.config),
        "CALLBOARD_DATA": str(settings.data),
        "CALLBOARD_SERVICE_SECRET": settings.service_secret.get_secret_value(),
        "CALLBOARD_PORT": "0",
        "CALLBOARD_SCAFFOLDER_POLL_SECONDS": "0.2",
        **{
            f"CALLBOARD_{name.upper()}_URL": url
            for name, url in settings.urls().items()
        },
    }
    return subprocess.Popen(
        [sys.executable, "-m", "services.scaffolder.main"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def end(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGKILL) -> None:
    process.send_signal(how)
    process.wait(20)


async def test_a_killed_run_resumes_after_the_restart(
    start: Any,
    catalog: Any,
    principal_headers: Any,
    make_settings: Any,
    repositories: Path,
) -> None:
    """Kill -9 in the middle of a step: earlier steps are not repeated, secrets stay."""
    ann = principal_headers()
    steps = [
        step("catalog:write", "write", entity={"kind": "X"}, filePath="x.yaml"),
        step("debug:wait", "wait", seconds=STEP_SECONDS),
        step("publish:git", "publish", repoUrl="git.example.test?repo=new"),
        say("key ${{ secrets.key }} ${{ steps.publish.output.remoteUrl }}", "last"),
    ]
    catalog.add(template("t", steps=steps))
    worker = make_settings(slots=10, data="worker")
    async with start(slots=0) as client:
        task_id = await create(client, ann, "t", secrets={"key": "hunter2"})
        process = started(worker)
        try:

            async def waits() -> bool:
                return any("Waiting" in m for m in await messages(client, ann, task_id))

            await until(waits, condition="the worker is in the second step")
            end(process)
            assert (await task(client, ann, task_id))["status"] == "processing"
            process = started(worker)
            run = await wait_for_status(client, ann, task_id)
            log_texts = await messages(client, ann, task_id)
        finally:
            end(process)
    assert run["status"] == "completed", log_texts
    assert log_texts.count("Writing x.yaml") == 1
    assert log_texts.count("Beginning step debug:wait") == 2
    assert "Resuming the task where it was left" in log_texts
    assert "key *** https://git.example.test/new" in log_texts
    assert [path.name for path in repositories.iterdir()] == ["new.git"]


async def test_a_stopped_process_releases_its_runs(
    start: Any, catalog: Any, principal_headers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a rolling restart another process resumes at once, not after the lease."""
    monkeypatch.setattr("services.scaffolder.store.tasks.LEASE_SECONDS", 600.0)
    ann = principal_headers()
    steps = [
        say("first"),
        step("debug:wait", "wait", seconds=STEP_SECONDS),
        say("last"),
    ]
    catalog.add(template("t", steps=steps))
    async with start(slots=0, poll_seconds=0.1, data="api") as client:
        async with start(poll_seconds=0.1, data="one") as one:
            task_id = await create(one, ann, "t")

            async def waits() -> bool:
                return any("Waiting" in m for m in await messages(client, ann, task_id))

            await until(waits)
        assert (await task(client, ann, task_id))["status"] == "processing"
        async with start(poll_seconds=0.1, data="two"):
            await wait_for_status(client, ann, task_id, "completed")
        log_texts = await messages(client, ann, task_id)
    assert log_texts.count("first") == 1


async def test_a_step_that_ends_its_process_again_and_again_fails(
    start: Any, catalog: Any, principal_headers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be the reason: it is not resumed for ever."""
    monkeypatch.setattr("services.scaffolder.runs.running.MOST_RESUMED", 1)
    ann = principal_headers()
    catalog.add(template("t", steps=[step("debug:wait", "wait", seconds=600)]))
    async with start(slots=0, poll_seconds=0.1, data="api") as client:
        task_id = await create(client, ann, "t")

        async def waits(times: int) -> bool:
            log_texts = await messages(client, ann, task_id)
            return sum("Waiting" in m for m in log_texts) == times

        for times in (1, 2):
            async with start(poll_seconds=0.1, data="worker"):
                await until(partial(waits, times))
        async with start(poll_seconds=0.1, data="worker"):
            run = await wait_for_status(client, ann, task_id, "failed")
        log_texts = await messages(client, ann, task_id)
    assert run["status"] == "failed"
    assert any("ended 2 times in the middle of this step" in m for m in log_texts)


async def test_processes_share_runs_and_none_runs_twice(
    start: Any, catalog: Any, principal_headers: Any
) -> None:
    """Two processes and many runs: exactly one works on each run."""
    ann = principal_headers()
    catalog.add(template("t", steps=[say("once", "s")]))
    async with (
        start(slots=0, data="api") as client,
        start(slots=2, data="one", poll_seconds=0.1),
        start(slots=2, data="two", poll_seconds=0.1),
    ):
        ids = [await create(client, ann, "t") for _ in range(8)]
        for task_id in ids:
            await wait_for_status(client, ann, task_id, "completed")
        for task_id in ids:
            assert (await messages(client, ann, task_id)).count("once") == 1


async def test_a_process_that_lost_a_run_writes_nothing(
    start: Any, catalog: Any, principal_headers: Any
) -> None:
    """A frozen process that resumes finds that another one has its run."""
    ann = principal_headers()
    catalog.add(template("t"))
    async with start(slots=0) as client:
        task_id = await create(client, ann, "t")
        store = client.app.state.dependencies.store
        old = await store.claim(task_id, "frozen")
        assert await store.claim(task_id, "other") is None
        await store.release(old)
        new = await store.claim(task_id, "other")
        assert new.epoch == old.epoch + 1
        for late in (store.record(old, []), store.heartbeat(old), store.release(old)):
            with pytest.raises(TakenOver):
                await late
        await store.record(new, [])


async def test_a_cancel_reaches_the_process_of_the_run(
    start: Any, catalog: Any, principal_headers: Any
) -> None:
    """Requested at one process, done by the other."""
    ann = principal_headers()
    catalog.add(template("t", steps=[step("debug:wait", seconds=60)]))
    async with (
        start(slots=0, data="api") as client,
        start(data="worker", poll_seconds=0.1, heartbeat_seconds=0.2),
    ):
        task_id = await create(client, ann, "t")
        await wait_for_status(client, ann, task_id, "processing")
        answer = await client.post(f"/v2/tasks/{task_id}/cancel", headers=ann)
        assert answer.status_code == 200
        await wait_for_status(client, ann, task_id, "cancelled")


async def test_a_malformed_message_goes_to_the_dead_letters(
    start: Any, catalog: Any, principal_headers: Any, kafka: str
) -> None:
    """Runs go on."""
    ann = principal_headers()
    letters: list[bytes] = []

    async def read(records: Any) -> None:
        letters.extend(record.value for record in records)

    catalog.add(template("t"))
    async with start(consumes_events=True) as client, KafkaBus(kafka) as bus:
        async with LiveReader(kafka, [dead(TEMPLATE_RUN)], read) as reader:
            await asyncio.wait_for(reader.reading.wait(), 20)
            await bus.publish(TEMPLATE_RUN, "x", b"poison-of-the-scaffolder")
            await until(
                lambda: any(b"poison-of-the-scaffolder" in x for x in letters),
            )
        task_id = await create(client, ann, "t")
        await wait_for_status(client, ann, task_id, "completed")
