"""Lists of runs, what the create pages ask for, and who sees whose runs."""

from typing import Any

import pytest

from services.scaffolder.handlers import creating
from tests.builders import template
from tests.scaffolder.calls import (
    create,
    say,
    step,
    task,
    wait_for_status,
)

BO = "user:default/bo"


async def test_runs_are_listed_filtered_sorted_and_paged(
    start: Any, catalog: Any, ann: Any, principal_headers: Any
) -> None:
    """By creator and status, in an order, page by page, with the total."""
    bo = principal_headers(subject=BO)
    catalog.add(template("t"), template("bad", steps=[step("no:such")]))
    async with start() as client:
        ids = [await create(client, ann, "t") for _ in range(2)]
        ids.append(await create(client, bo, "bad"))
        for task_id in ids:
            await wait_for_status(client, ann, task_id)

        async def listed(query: str) -> tuple[list[str], int]:
            answer = await client.get(f"/v2/tasks?{query}", headers=ann)
            assert answer.status_code == 200, answer.text
            body = answer.json()
            return [item["id"] for item in body["tasks"]], body["totalTasks"]

        assert await listed("") == (ids[::-1], 3)
        assert await listed("order=asc:created_at&limit=1&offset=1") == ([ids[1]], 3)
        assert await listed(f"createdBy={BO}") == ([ids[2]], 1)
        assert await listed("status=failed&status=open") == ([ids[2]], 1)
        assert await listed("limit=0") == ([], 3)
        odd = ("order=x", "order=asc:spec", "status=odd", "limit=-1")
        for query in (*odd, f"offset={2**63}", f"limit={2**70}"):
            refused = await client.get(f"/v2/tasks?{query}", headers=ann)
            assert refused.status_code == 400


async def test_the_parameters_of_a_run_are_limited(
    start: Any, catalog: Any, ann: Any
) -> None:
    """They are stored with the run."""
    catalog.add(template("t"))
    async with start() as client:
        body = {"templateRef": "template:default/t", "values": {"a": "x" * 600_000}}
        answer = await client.post("/v2/tasks", json=body, headers=ann)
        assert answer.status_code == 413
        assert "values: over the limit" in answer.json()["error"]["message"]


async def test_a_list_leaves_out_large_answers(
    start: Any, catalog: Any, ann: Any
) -> None:
    """A page of runs stays small; each run has its answers, small ones in lists too."""
    catalog.add(template("t", steps=[say("hello", "s")]))
    async with start() as client:
        small = await create(client, ann, "t", values={"name": "shop"})
        large = await create(client, ann, "t", values={"text": "x" * 400_000})
        answer = await client.get("/v2/tasks", headers=ann)
        listed = {run["id"]: run for run in answer.json()["tasks"]}
        whole = await task(client, ann, large)
    assert len(answer.content) < 20_000
    assert listed[small]["spec"]["parameters"] == {"name": "shop"}
    assert listed[small]["spec"]["steps"][0]["input"]["message"] == "hello"
    listed_spec = listed[large]["spec"]
    assert listed_spec["parameters"] == {}
    assert listed_spec["steps"][0]["id"] == "s"
    assert listed_spec["templateInfo"]["entityRef"] == "template:default/t"
    assert listed_spec["templateInfo"]["entity"]["metadata"]["name"] == "t"
    assert set(listed_spec) == set(whole["spec"])
    assert len(whole["spec"]["parameters"]["text"]) == 400_000


async def test_waiting_runs_are_limited(
    start: Any,
    catalog: Any,
    ann: Any,
    principal_headers: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Per user and in total: the error says why, and what to do."""
    monkeypatch.setattr(creating, "MOST_WAITING", 2)
    monkeypatch.setattr(creating, "MOST_WAITING_TOGETHER", 3)
    bo = principal_headers(subject=BO)
    catalog.add(template("t"))
    body = {"templateRef": "template:default/t", "values": {}}
    async with start(slots=0) as client:
        first = await create(client, ann, "t")
        await create(client, ann, "t")
        own = await client.post("/v2/tasks", json=body, headers=ann)
        await create(client, bo, "t")
        bo_answer = await client.post("/v2/tasks", json=body, headers=bo)
        await client.post(f"/v2/tasks/{first}/cancel", headers=ann)
        await create(client, bo, "t")
        again = await client.post(f"/v2/tasks/{first}/retry", json={}, headers=ann)
    assert [answer.status_code for answer in (own, bo_answer, again)] == [429] * 3
    assert own.headers["retry-after"] == "30"
    message = own.json()["error"]["message"]
    assert message.startswith("2 runs of user:default/ann wait for their turn")
    assert "3 runs wait for their turn" in bo_answer.json()["error"]["message"]


async def test_runs_of_other_users_are_not_found(
    start: Any, catalog: Any, ann: Any, principal_headers: Any
) -> None:
    """The policy's conditions narrow lists, totals and every route of a run."""
    own = {"rule": "IS_TASK_OWNER", "params": {"createdBy": [BO]}}
    bo = principal_headers(subject=BO, conditions=own)
    nobody = principal_headers(subject=BO, conditions={"rule": "ODD"})
    catalog.add(template("t"))
    async with start() as client:
        mine = await create(client, principal_headers(subject=BO), "t")
        anns = await create(client, ann, "t")
        await wait_for_status(client, ann, anns)
        await wait_for_status(client, ann, mine)
        listed = (await client.get("/v2/tasks", headers=bo)).json()
        none = (await client.get("/v2/tasks", headers=nobody)).json()
        for method, path in (
            ("GET", ""),
            ("GET", "/events"),
            ("GET", "/eventstream"),
            ("POST", "/cancel"),
        ):
            hidden = await client.request(method, f"/v2/tasks/{anns}{path}", headers=bo)
            assert hidden.status_code == 404, path
        asks = principal_headers(subject=BO, permission="scaffolder.task.create")
        taken = await client.post(f"/v2/tasks/{anns}/retry", json={}, headers=asks)
        assert taken.status_code == 404
        assert (await task(client, bo, mine))["id"] == mine
    assert ([item["id"] for item in listed["tasks"]], listed["totalTasks"]) == (
        [mine],
        1,
    )
    assert none == {"tasks": [], "totalTasks": 0}


async def test_forms_actions_and_extensions_are_listed(
    start: Any, catalog: Any, ann: Any
) -> None:
    """The create pages of a client request them."""
    catalog.add(template("t", parameters=[{"title": "P", "properties": {}}]))
    async with start() as client:
        root = "/v2/templates/default/template"
        form = await client.get(f"{root}/t/parameter-schema", headers=ann)
        none = await client.get(f"{root}/nope/parameter-schema", headers=ann)
        actions = (await client.get("/v2/actions", headers=ann)).json()
        extensions = (await client.get("/v2/templating-extensions", headers=ann)).json()
        complete = await client.post("/v2/autocomplete/x/y", json={}, headers=ann)
    assert form.json()["steps"][0]["title"] == "P"
    assert none.status_code == 404
    ids = [action["id"] for action in actions]
    assert ids == sorted(ids)
    assert {"debug:log", "fetch:template", "publish:git", "catalog:register"} <= set(
        ids
    )
    assert all(action["examples"] and action["schema"]["input"] for action in actions)
    assert "parseRepoUrl" in extensions["filters"]
    assert complete.status_code == 400
