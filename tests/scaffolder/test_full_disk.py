"""No room on the disk: a run waits for it as for anything else that is away."""

from typing import Any

import pytest

from services.scaffolder.runs import retries
from shared.kit.resilience.retries import Backoff
from tests.builders import component, template
from tests.disk import SmallDisk
from tests.scaffolder.calls import create, messages, step, wait_for_status
from tests.waiting import until


async def test_a_step_waits_while_the_disk_is_full(
    start: Any,
    catalog: Any,
    ann: Any,
    small_disk: SmallDisk,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The log says so; with room the run goes on by itself."""
    monkeypatch.setattr(retries, "STEP_BACKOFF", Backoff(0.05, 10.0, within=120.0))
    entity = component("web", {"description": "wordy " * 9000})
    steps = [
        step("debug:wait", milliseconds=200),
        step("catalog:write", entity=entity),
    ]
    catalog.add(template("t", steps=steps))
    async with start(data="disk/data") as client:
        task_id = await create(client, ann, "t")
        with small_disk.filled():

            async def waits() -> bool:
                log_texts = await messages(client, ann, task_id)
                return any("The disk is full" in message for message in log_texts)

            await until(waits, condition="the step to wait")
        run = await wait_for_status(client, ann, task_id)
    assert run["status"] == "completed"
