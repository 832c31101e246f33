"""Runs over the API, on a real store: steps, log, states, who sees what."""

from typing import Any

import pytest

from services.scaffolder.model import Initiator
from shared.contracts.envelope import Envelope
from shared.contracts.topics import TEMPLATE_RUN
from shared.kit.bus import LiveReader
from tests.builders import component, template, user
from tests.scaffolder.calls import (
    create,
    frames,
    log,
    messages,
    reached,
    say,
    step,
    task,
)
from tests.waiting import until

BO = "user:default/bo"


@pytest.fixture
def ann(principal_headers: Any) -> Any:
    return principal_headers()


async def test_a_run_says_what_it_does(start: Any, catalog: Any, ann: Any) -> None:
    """Steps run in order, see earlier outputs, and the output is the template's."""
    steps = [
        say("Hello ${{ parameters.name | upper }} from ${{ user.ref }}", "hi"),
        step("catalog:fetch", "who", entityRef="component:default/web"),
        say("${{ steps.who.output.entity.spec.owner }}"),
        say("left out", **{"if": "${{ parameters.name === 'x' }}"}),
    ]
    output = {
        "links": [
            {"title": "t", "url": "https://h/${{ parameters.name }}"},
            {"title": "no", "url": "u", "if": "${{ false }}"},
        ],
        "size": "${{ parameters.size }}",
    }
    catalog.add(template("t", steps=steps, output=output), component("web"))
    async with start() as client:
        task_id = await create(client, ann, "t", values={"name": "bo", "size": 3})
        found = await reached(client, ann, task_id)
        lines = await log(client, ann, task_id)
    assert found["status"] == "completed"
    assert found["createdBy"] == "user:default/ann"
    assert found["spec"]["parameters"] == {"name": "bo", "size": 3}
    told = [line["body"]["message"] for line in lines]
    assert "Hello BO from user:default/ann" in told
    assert "team-a" in told
    assert "Skipping step step-4 because its if condition was false" in told
    assert [line["id"] for line in lines] == list(range(1, len(lines) + 1))
    assert lines[-1]["type"] == "completion"
    assert lines[-1]["body"]["output"] == {
        "links": [{"title": "t", "url": "https://h/bo"}],
        "size": 3,
    }


async def test_a_failed_step_skips_the_rest_but_not_what_insists(
    start: Any, catalog: Any, ann: Any
) -> None:
    """After a failure only steps that ask for `always()` or `failure()` run."""
    steps = [
        step("fs:rename", "boom", files=[{"from": "no", "to": "x"}]),
        say("always", "a", **{"if": "${{ always() }}"}),
        say("clean up", "f", **{"if": "${{ failure() }}"}),
        say("never", "n"),
    ]
    catalog.add(template("t", steps=steps))
    async with start() as client:
        task_id = await create(client, ann, "t")
        found = await reached(client, ann, task_id)
        lines = await log(client, ann, task_id)
    told = [line["body"]["message"] for line in lines]
    assert found["status"] == "failed"
    assert "always" in told
    assert "clean up" in told
    assert "never" not in told
    assert "Skipping step n because a previous step failed" in told
    assert lines[-1]["body"]["error"]["name"] == "NotFoundError"
    assert "'no'" in lines[-1]["body"]["error"]["message"]


async def test_failure_is_false_while_all_is_well(
    start: Any, catalog: Any, ann: Any
) -> None:
    """A step for the worst case does not run in the best."""
    steps = [say("worst", **{"if": "${{ failure() }}"}), say("best")]
    catalog.add(template("t", steps=steps))
    async with start() as client:
        task_id = await create(client, ann, "t")
        await reached(client, ann, task_id, "completed")
        told = await messages(client, ann, task_id)
    assert "worst" not in told
    assert "best" in told


async def test_each_runs_a_step_for_every_item(
    start: Any, catalog: Any, ann: Any
) -> None:
    """Lists and objects; outputs become lists."""
    steps = [
        say(
            "item ${{ each.key }} ${{ each.value }}", "l", each="${{ parameters.list }}"
        ),
        say("pair ${{ each.key }}", "o", each={"x": 1, "y": 2}),
        step(
            "catalog:fetch",
            "c",
            each=["web", "shop"],
            entityRef="component:default/${{ each.value }}",
        ),
        say("${{ steps.c.output.entity | length }} found", "n"),
        say("x", "bad", each="${{ parameters.name }}"),
    ]
    catalog.add(template("t", steps=steps), component("web"), component("shop"))
    async with start() as client:
        values = {"list": ["a", "b"], "name": "text"}
        task_id = await create(client, ann, "t", values=values)
        found = await reached(client, ann, task_id)
        told = await messages(client, ann, task_id)
    assert "item 0 a" in told
    assert "item 1 b" in told
    assert "pair x" in told
    assert "pair y" in told
    assert "2 found" in told
    assert found["status"] == "failed"
    assert any("each: it must be" in line for line in told)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (step("no:such"), "'no:such' is not registered"),
        (step("debug:log", message=5), "instance.message is not of a type(s) string"),
        (step("fetch:plain", url="./x"), "the template has no place of its own"),
        (say("${{ range(999999999) }}"), "work limit"),
        (step("fs:delete", files=["../../etc"]), "outside its parent"),
        (step("fetch:plain", url="file:///etc"), "neither relative nor http(s)"),
        (step("fetch:plain", url="http://127.0.0.1:1/x"), "is not allowed"),
    ],
)
async def test_a_bad_step_fails_with_its_reason(
    start: Any, catalog: Any, ann: Any, made: Any, words: str
) -> None:
    """The run fails, and its last line says why."""
    catalog.add(template("t", steps=[made]))
    async with start() as client:
        task_id = await create(client, ann, "t")
        found = await reached(client, ann, task_id)
        last = (await log(client, ann, task_id))[-1]
    assert found["status"] == "failed"
    assert words in last["body"]["error"]["message"]


async def test_values_are_checked_before_anything_runs(
    start: Any, catalog: Any, ann: Any
) -> None:
    """400 with every broken rule, and no run."""
    page = {"required": ["name"], "properties": {"name": {"type": "string"}}}
    catalog.add(template("t", parameters=[page]))
    async with start() as client:
        body = {"templateRef": "template:default/t", "values": {"name": 5}}
        refused = await client.post("/v2/tasks", json=body, headers=ann)
        listed = await client.get("/v2/tasks", headers=ann)
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["property"] == "instance.name"
    assert listed.json() == {"tasks": [], "totalTasks": 0}


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"templateRef": "template:default/nope", "values": {}}, 404, "not found"),
        ({"templateRef": "component:default/web", "values": {}}, 404, "not found"),
        ({"templateRef": "template:default/", "values": {}}, 400, ""),
        ({"values": {}}, 400, "templateRef"),
        ({"templateRef": "x", "values": []}, 400, "values"),
        ({"templateRef": "x", "values": {}, "more": 1}, 400, "more"),
        ({"templateRef": "x", "values": {}, "secrets": {"a": 1}}, 400, "secrets"),
    ],
)
async def test_bad_requests_name_the_field(
    start: Any, catalog: Any, ann: Any, body: Any, status: int, words: str
) -> None:
    """Every refusal says what is wrong."""
    catalog.add(component("web"))
    async with start() as client:
        answer = await client.post("/v2/tasks", json=body, headers=ann)
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]


async def test_a_template_is_loaded_as_its_caller_sees_it(
    start: Any, catalog: Any, ann: Any, principal_headers: Any
) -> None:
    """What the caller may not see does not exist; programs act for themselves."""
    catalog.add(template("t"), template("secret"))
    catalog.hidden.add("template:default/secret")
    async with start() as client:
        body = {"templateRef": "template:default/secret", "values": {}}
        hidden = await client.post("/v2/tasks", json=body, headers=ann)
        program = principal_headers(subject="service:ci", kind="service")
        task_id = await create(client, program, "t")
        found = await reached(client, program, task_id)
    assert hidden.status_code == 404
    assert Initiator("user:default/ann") in catalog.asked_by
    assert Initiator("service:ci", is_user=False) in catalog.asked_by
    assert "createdBy" not in found
    assert found["spec"]["user"] == {}


async def test_the_user_entity_is_part_of_the_run(
    start: Any, catalog: Any, ann: Any
) -> None:
    """Templates know who they work for."""
    profile = {"displayName": "Ann Example"}
    catalog.add(user("ann", profile=profile))
    catalog.add(
        template("t", steps=[say("${{ user.entity.spec.profile.displayName }}")])
    )
    async with start() as client:
        task_id = await create(client, ann, "t")
        await reached(client, ann, task_id, "completed")
        assert "Ann Example" in await messages(client, ann, task_id)


async def test_a_catalog_that_is_away_is_named(
    start: Any, catalog: Any, ann: Any
) -> None:
    """503, and the rest of the API goes on."""
    catalog.away = True
    async with start() as client:
        body = {"templateRef": "template:default/t", "values": {}}
        answer = await client.post("/v2/tasks", json=body, headers=ann)
        listed = await client.get("/v2/tasks", headers=ann)
    assert answer.status_code == 503
    assert "catalog" in answer.json()["error"]["message"]
    assert "retry-after" in answer.headers
    assert listed.status_code == 200


async def test_nobody_is_let_in_without_the_gateway(start: Any) -> None:
    """Every route needs a principal; health does not."""
    async with start(listens=True) as client:
        for path in ("/v2/tasks", "/v2/actions", "/v2/tasks/x/eventstream"):
            assert (await client.get(path)).status_code == 401
        assert (await client.get("/healthz")).status_code == 200

        async def ready() -> bool:
            return (await client.get("/readyz")).status_code == 200

        await until(ready, seconds=30, what="the workers have joined")


async def test_secrets_are_used_and_never_shown(
    start: Any, catalog: Any, ann: Any, mongodb: str
) -> None:
    """Steps can use them; log, answers, events and store show nothing of them."""
    steps = [
        say("token ${{ secrets.token }} ${{ secrets.token | upper }}", "use"),
        say("length ${{ secrets.token.length }}", "len"),
        step(
            "catalog:write",
            "write",
            entity={"kind": "X", "metadata": {"name": "${{ secrets.token }}"}},
        ),
        step("debug:log", "show", listWorkspace="with-contents"),
        say("outside ${{ steps.use.output }}", "after", **{"if": "${{ not secrets }}"}),
        step("fs:delete", "boom", files=["/${{ secrets.token }}"]),
    ]
    catalog.add(template("t", steps=steps, output={"x": "${{ secrets.token }}"}))
    from shared.kit.mongo import connect  # noqa: PLC0415 - to look at what is stored

    async with start() as client:
        task_id = await create(client, ann, "t", secrets={"token": "hunter2hunter"})
        found = await reached(client, ann, task_id)
        told = "\n".join(await messages(client, ann, task_id))
        mongo = connect(mongodb)
        stored = mongo["callboard_scaffolder"]
        documents = await stored["tasks"].find({}).to_list(None)
        lines = await stored["events"].find({}).to_list(None)
        mongo.close()
    assert found["status"] == "failed"
    assert "token *** ***" in told
    assert "length 13" not in told
    assert "outside" in told, "secrets are known in inputs only"
    everything = f"{found}{told}{documents}{lines}".lower()
    assert "hunter2" not in everything
    assert documents[0]["secrets"] is None


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
        found = await reached(client, ann, task_id)
        lines = await log(client, ann, task_id)
    assert found["status"] == "cancelled"
    assert [line["type"] for line in lines][-2:] == ["cancelled", "completion"]
    assert "after" not in [line["body"]["message"] for line in lines]


async def test_a_failed_run_goes_on_where_it_failed(
    start: Any, catalog: Any, ann: Any
) -> None:
    """Trying again keeps what succeeded, with its outputs and files."""
    entity = component("late")
    steps = [
        step("catalog:write", "write", entity={"kind": "X"}, filePath="x.yaml"),
        step("catalog:fetch", "get", entityRef="component:default/late"),
        step("debug:log", "list", listWorkspace=True),
    ]
    catalog.add(template("t", steps=steps))
    async with start() as client:
        task_id = await create(client, ann, "t")
        await reached(client, ann, task_id, "failed")
        catalog.add(entity)
        again = await client.post(f"/v2/tasks/{task_id}/retry", json={}, headers=ann)
        assert (again.status_code, again.json()) == (201, {"id": task_id})
        await reached(client, ann, task_id, "completed")
        told = await messages(client, ann, task_id)
        done = await client.post(f"/v2/tasks/{task_id}/retry", headers=ann)
        over = await client.post(f"/v2/tasks/{task_id}/cancel", headers=ann)
    assert told.count("Writing x.yaml") == 1
    assert "Workspace:\n  - x.yaml" in told
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
        await reached(client, ann, task_id, "failed")
        catalog.add(component("x"))
        await client.post(f"/v2/tasks/{task_id}/retry", json={}, headers=ann)
        await reached(client, ann, task_id, "completed")
        lines = await log(client, ann, task_id)
    assert [line["body"]["message"] for line in lines].count("first") == 2
    assert lines[0]["isTaskRecoverable"] is True


async def test_the_stream_ends_with_the_run(start: Any, catalog: Any, ann: Any) -> None:
    """Every line once and in order, also from the middle, also afterwards."""
    steps = [say("one"), step("debug:wait", milliseconds=100), say("two")]
    catalog.add(template("t", steps=steps))
    async with start() as client:
        task_id = await create(client, ann, "t")
        path = f"/v2/tasks/{task_id}/eventstream"
        live = await client.get(path, headers=ann)
        later = await client.get(f"{path}?after=3", headers=ann)
        found = await task(client, ann, task_id)
        lines = await log(client, ann, task_id)
    assert live.headers["content-type"].startswith("text/event-stream")
    said = frames(live.text)
    assert [data["id"] for _, data in said] == [line["id"] for line in lines]
    assert said[-1][0] == "completion"
    assert next(data["id"] for _, data in frames(later.text)) == 4
    assert found["status"] == "completed"


async def test_events_after_a_number(start: Any, catalog: Any, ann: Any) -> None:
    """Only later lines; a number that is none is refused."""
    catalog.add(template("t", steps=[say("one")]))
    async with start() as client:
        task_id = await create(client, ann, "t")
        await reached(client, ann, task_id)
        lines = await log(client, ann, task_id)
        root = f"/v2/tasks/{task_id}/events"
        rest = await client.get(f"{root}?after=2", headers=ann)
        none = await client.get(f"{root}?after=99", headers=ann)
        bad = await client.get(f"{root}?after=x", headers=ann)
    assert [line["id"] for line in rest.json()] == [line["id"] for line in lines[2:]]
    assert none.json() == []
    assert (bad.status_code, bad.json()["error"]["name"]) == (400, "InputError")


async def test_runs_are_listed(
    start: Any, catalog: Any, ann: Any, principal_headers: Any
) -> None:
    """By creator and status, in an order, page by page, with the total."""
    bo = principal_headers(subject=BO)
    catalog.add(template("t"), template("bad", steps=[step("no:such")]))
    async with start() as client:
        ids = [await create(client, ann, "t") for _ in range(2)]
        ids.append(await create(client, bo, "bad"))
        for task_id in ids:
            await reached(client, ann, task_id)

        async def listed(query: str) -> tuple[list[str], int]:
            answer = await client.get(f"/v2/tasks?{query}", headers=ann)
            assert answer.status_code == 200, answer.text
            body = answer.json()
            return [found["id"] for found in body["tasks"]], body["totalTasks"]

        assert await listed("") == (ids[::-1], 3)
        assert await listed("order=asc:created_at&limit=1&offset=1") == ([ids[1]], 3)
        assert await listed(f"createdBy={BO}") == ([ids[2]], 1)
        assert await listed("status=failed&status=open") == ([ids[2]], 1)
        assert await listed("limit=0") == ([], 3)
        for query in ("order=x", "order=asc:spec", "status=odd", "limit=-1"):
            refused = await client.get(f"/v2/tasks?{query}", headers=ann)
            assert refused.status_code == 400


async def test_others_runs_do_not_exist(
    start: Any, catalog: Any, ann: Any, principal_headers: Any
) -> None:
    """The policy's conditions narrow lists, totals and every route of a run."""
    own = {"rule": "IS_TASK_OWNER", "params": {"createdBy": [BO]}}
    bo = principal_headers(subject=BO, conditions=own)
    nobody = principal_headers(subject=BO, conditions={"rule": "ODD"})
    catalog.add(template("t"))
    async with start() as client:
        mine = await create(client, bo, "t")
        anns = await create(client, ann, "t")
        await reached(client, ann, anns)
        await reached(client, ann, mine)
        listed = (await client.get("/v2/tasks", headers=bo)).json()
        none = (await client.get("/v2/tasks", headers=nobody)).json()
        for method, path in (
            ("GET", ""),
            ("GET", "/events"),
            ("GET", "/eventstream"),
            ("POST", "/cancel"),
            ("POST", "/retry"),
        ):
            hidden = await client.request(method, f"/v2/tasks/{anns}{path}", headers=bo)
            assert hidden.status_code == 404, path
        assert (await task(client, bo, mine))["id"] == mine
    assert ([found["id"] for found in listed["tasks"]], listed["totalTasks"]) == (
        [mine],
        1,
    )
    assert none == {"tasks": [], "totalTasks": 0}


async def test_a_run_is_told_to_the_house(
    start: Any, catalog: Any, ann: Any, kafka: str
) -> None:
    """Created, started, each step, completed: in order, numbered, without gaps."""
    heard: list[Envelope] = []

    async def hear(records: Any) -> None:
        heard.extend(record.envelope() for record in records)

    catalog.add(template("t", steps=[say("one", "s")], output={"entityRef": "a:b/c"}))
    async with start() as client, LiveReader(kafka, [TEMPLATE_RUN], hear) as reader:
        await reader.reading.wait()
        task_id = await create(client, ann, "t")

        def told() -> list[Envelope]:
            found = {e.id: e for e in heard if e.subject == task_id}
            return sorted(found.values(), key=lambda e: e.data["sequence"])

        await until(lambda: told() and told()[-1].data["status"] == "completed", what=f"{[(e.type,e.data) for e in heard]}")
        found = told()
    assert [e.data["sequence"] for e in found] == [1, 2, 3, 4, 5]
    kinds = [e.type.removeprefix("callboard.run.") for e in found]
    assert kinds == [
        "created.v1",
        "started.v1",
        "step-changed.v1",
        "step-changed.v1",
        "completed.v1",
    ]
    assert [e.data["step_status"] for e in found[2:4]] == ["processing", "completed"]
    assert found[-1].data["output"] == {"entityRef": "a:b/c"}
    assert len({e.traceparent.split("-")[1] for e in found if e.traceparent}) == 1


async def test_forms_actions_and_extensions(start: Any, catalog: Any, ann: Any) -> None:
    """What the create pages of a client ask for."""
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


async def test_ten_runs_at_once_and_no_more(start: Any, catalog: Any, ann: Any) -> None:
    """The limit holds, and what waits is taken when a slot is free."""
    catalog.add(template("t", steps=[step("debug:wait", milliseconds=150)]))
    async with start(slots=2) as client:
        ids = [await create(client, ann, "t") for _ in range(5)]
        pool = client.app.state.rooms.pool
        most = 0

        async def all_done() -> bool:
            nonlocal most
            most = max(most, pool.running)
            states = [(await task(client, ann, one))["status"] for one in ids]
            return all(state == "completed" for state in states)

        await until(all_done, seconds=60)
    assert most == 2
