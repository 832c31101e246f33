"""Runs that end early, and runs that are tried again."""

from typing import Any

from tests.builders import component, template
from tests.scaffolder.calls import (
    create,
    log,
    messages,
    say,
    step,
    task,
    wait_for_status,
)
from tests.waiting import until

BO = "user:default/bo"


async def test_an_open_run_is_cancelled_at_once(
    start: Any, catalog: Any, ann: Any
) -> None:
    """A run that nobody took never begins."""
    catalog.add(template("t"))
    async with start(slots=0) as client:
        task_id = await create(client, ann, "t")
        assert (await task(client, ann, task_id))["status"] == "open"
        answer = await client.post(f"/v2/tasks/{task_id}/cancel", headers=ann)
        assert answer.json() == {"status": "cancelled"}
        assert (await task(client, ann, task_id))["status"] == "cancelled"
        kinds = [line["type"] for line in await log(client, ann, task_id)]
        again = await client.post(f"/v2/tasks/{task_id}/cancel", headers=ann)
    assert kinds == ["cancelled", "completion"]
    assert again.status_code == 409


async def test_a_running_step_is_cancelled(start: Any, catalog: Any, ann: Any) -> None:
    """The action stops, later steps do not run, and it can be tried again."""
    steps = [say("before"), step("debug:wait", "wait", seconds=60), say("after")]
    catalog.add(template("t", steps=steps))
    async with start() as client:
        task_id = await create(client, ann, "t")

        async def waits() -> bool:
            return any("Waiting" in m for m in await messages(client, ann, task_id))

        await until(waits)
        answer = await client.post(f"/v2/tasks/{task_id}/cancel", headers=ann)
        assert answer.status_code == 200
        run = await wait_for_status(client, ann, task_id)
        lines = await log(client, ann, task_id)
    assert run["status"] == "cancelled"
    assert [line["type"] for line in lines][-2:] == ["cancelled", "completion"]
    assert "after" not in [line["body"]["message"] for line in lines]


async def test_a_retried_run_resumes_at_the_failed_step(
    start: Any, catalog: Any, ann: Any
) -> None:
    """Successful steps keep their outputs and files."""
    entity = component("late")
    steps = [
        step("catalog:write", "write", entity={"kind": "X"}, filePath="x.yaml"),
        step("catalog:fetch", "get", entityRef="component:default/late"),
        step("debug:log", "list", listWorkspace=True),
    ]
    catalog.add(template("t", steps=steps))
    async with start() as client:
        task_id = await create(client, ann, "t")
        await wait_for_status(client, ann, task_id, "failed")
        catalog.add(entity)
        again = await client.post(f"/v2/tasks/{task_id}/retry", json={}, headers=ann)
        assert (again.status_code, again.json()) == (201, {"id": task_id})
        await wait_for_status(client, ann, task_id, "completed")
        log_texts = await messages(client, ann, task_id)
        done = await client.post(f"/v2/tasks/{task_id}/retry", headers=ann)
        over = await client.post(f"/v2/tasks/{task_id}/cancel", headers=ann)
    assert log_texts.count("Writing x.yaml") == 1
    assert "Workspace:\n  - x.yaml" in log_texts
    assert (done.status_code, over.status_code) == (409, 409)
    assert done.json()["error"]["name"] == "ConflictError"


async def test_a_template_may_ask_to_start_over(
    start: Any, catalog: Any, ann: Any
) -> None:
    """With the recovery strategy `startOver`, everything runs again."""
    recovery = {"EXPERIMENTAL_strategy": "startOver"}
    steps = [say("first"), step("catalog:fetch", entityRef="component:default/x")]
    catalog.add(template("t", steps=steps, EXPERIMENTAL_recovery=recovery))
    async with start() as client:
        task_id = await create(client, ann, "t")
        await wait_for_status(client, ann, task_id, "failed")
        catalog.add(component("x"))
        await client.post(f"/v2/tasks/{task_id}/retry", json={}, headers=ann)
        await wait_for_status(client, ann, task_id, "completed")
        lines = await log(client, ann, task_id)
    assert [line["body"]["message"] for line in lines].count("first") == 2
    assert lines[0]["isTaskRecoverable"] is True


async def test_concurrent_runs_are_limited_to_ten(
    start: Any, catalog: Any, ann: Any
) -> None:
    """Waiting runs are taken when a slot is free."""
    catalog.add(template("t", steps=[step("debug:wait", milliseconds=300)]))
    most = 0
    async with start(slots=0, data="api") as client:
        # All of them wait before the first is taken.
        ids = [await create(client, ann, "t") for _ in range(5)]
        async with start(slots=2, poll_seconds=0.1, data="worker") as worker:
            pool = worker.app.state.dependencies.pool

            async def all_done() -> bool:
                nonlocal most
                most = max(most, pool.running)
                states = [(await task(client, ann, one))["status"] for one in ids]
                return all(state == "completed" for state in states)

            await until(all_done)
    assert most == 2
