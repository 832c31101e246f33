"""Runs over the API, on a real store: steps, values, callers."""

from typing import Any

import pytest

from services.scaffolder.model import Initiator
from services.scaffolder.runs import retries
from shared.kit.resilience.retries import Backoff
from tests.builders import component, template, user
from tests.scaffolder.calls import (
    create,
    log,
    messages,
    say,
    step,
    wait_for_status,
)
from tests.waiting import until

BO = "user:default/bo"


async def test_a_run_executes_steps_in_order(
    start: Any, catalog: Any, ann: Any
) -> None:
    """Steps see earlier outputs, and the run's output is the template's."""
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
        run = await wait_for_status(client, ann, task_id)
        lines = await log(client, ann, task_id)
    assert run["status"] == "completed"
    assert run["createdBy"] == "user:default/ann"
    assert run["spec"]["parameters"] == {"name": "bo", "size": 3}
    log_texts = [line["body"]["message"] for line in lines]
    assert "Hello BO from user:default/ann" in log_texts
    assert "team-a" in log_texts
    assert "Skipping step step-4 because its if condition was false" in log_texts
    assert [line["id"] for line in lines] == list(range(1, len(lines) + 1))
    assert lines[-1]["type"] == "completion"
    assert lines[-1]["body"]["output"] == {
        "links": [{"title": "t", "url": "https://h/bo"}],
        "size": 3,
    }


async def test_a_failed_step_skips_later_steps_without_always(
    start: Any, catalog: Any, ann: Any
) -> None:
    """After a failure only steps with `always()` or `failure()` run."""
    steps = [
        step("fs:rename", "boom", files=[{"from": "no", "to": "x"}]),
        say("always", "a", **{"if": "${{ always() }}"}),
        say("clean up", "f", **{"if": "${{ failure() }}"}),
        say("never", "n"),
    ]
    catalog.add(template("t", steps=steps))
    async with start() as client:
        task_id = await create(client, ann, "t")
        run = await wait_for_status(client, ann, task_id)
        lines = await log(client, ann, task_id)
    log_texts = [line["body"]["message"] for line in lines]
    assert run["status"] == "failed"
    assert "always" in log_texts
    assert "clean up" in log_texts
    assert "never" not in log_texts
    assert "Skipping step n because a previous step failed" in log_texts
    assert lines[-1]["body"]["error"]["name"] == "NotFoundError"
    assert "'no'" in lines[-1]["body"]["error"]["message"]


async def test_failure_is_false_without_a_failed_step(
    start: Any, catalog: Any, ann: Any
) -> None:
    """A step for the worst case does not run in the best."""
    steps = [say("worst", **{"if": "${{ failure() }}"}), say("best")]
    catalog.add(template("t", steps=steps))
    async with start() as client:
        task_id = await create(client, ann, "t")
        await wait_for_status(client, ann, task_id, "completed")
        log_texts = await messages(client, ann, task_id)
    assert "worst" not in log_texts
    assert "best" in log_texts


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
        run = await wait_for_status(client, ann, task_id)
        log_texts = await messages(client, ann, task_id)
    assert "item 0 a" in log_texts
    assert "item 1 b" in log_texts
    assert "pair x" in log_texts
    assert "pair y" in log_texts
    assert "2 found" in log_texts
    assert run["status"] == "failed"
    assert any("each: it must be" in line for line in log_texts)


@pytest.mark.parametrize(
    ("bad_step", "words"),
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
async def test_a_failing_step_fails_the_run_with_its_reason(
    start: Any, catalog: Any, ann: Any, bad_step: Any, words: str
) -> None:
    """The last line of the log has the reason."""
    catalog.add(template("t", steps=[bad_step]))
    async with start() as client:
        task_id = await create(client, ann, "t")
        run = await wait_for_status(client, ann, task_id)
        last = (await log(client, ann, task_id))[-1]
    assert run["status"] == "failed"
    assert words in last["body"]["error"]["message"]


async def test_parameters_are_validated_before_a_run(
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
async def test_invalid_requests_name_the_field(
    start: Any, catalog: Any, ann: Any, body: Any, status: int, words: str
) -> None:
    """Every refusal says what is wrong."""
    catalog.add(component("web"))
    async with start() as client:
        answer = await client.post("/v2/tasks", json=body, headers=ann)
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]


async def test_a_template_is_loaded_with_the_callers_rights(
    start: Any, catalog: Any, ann: Any, principal_headers: Any
) -> None:
    """A hidden template does not exist; services act for themselves."""
    catalog.add(template("t"), template("secret"))
    catalog.hidden.add("template:default/secret")
    async with start() as client:
        body = {"templateRef": "template:default/secret", "values": {}}
        hidden = await client.post("/v2/tasks", json=body, headers=ann)
        program = principal_headers(subject="service:ci", kind="service")
        task_id = await create(client, program, "t")
        run = await wait_for_status(client, program, task_id)
    assert hidden.status_code == 404
    assert Initiator("user:default/ann") in catalog.initiators
    assert Initiator("service:ci", is_user=False) in catalog.initiators
    assert "createdBy" not in run
    assert run["spec"]["user"] == {}


async def test_the_user_entity_is_part_of_the_run_context(
    start: Any, catalog: Any, ann: Any
) -> None:
    """Templates can refer to it."""
    profile = {"displayName": "Ann Example"}
    catalog.add(user("ann", profile=profile))
    catalog.add(
        template("t", steps=[say("${{ user.entity.spec.profile.displayName }}")])
    )
    async with start() as client:
        task_id = await create(client, ann, "t")
        await wait_for_status(client, ann, task_id, "completed")
        assert "Ann Example" in await messages(client, ann, task_id)


async def test_an_unavailable_catalog_answers_503(
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


async def test_every_route_requires_a_principal(start: Any) -> None:
    """Health does not."""
    async with start(consumes_events=True) as client:
        for path in ("/v2/tasks", "/v2/actions", "/v2/tasks/x/eventstream"):
            assert (await client.get(path)).status_code == 401
        assert (await client.get("/healthz")).status_code == 200

        async def ready() -> bool:
            return (await client.get("/readyz")).status_code == 200

        await until(ready, condition="the workers have joined")


async def test_a_step_is_retried_while_a_service_is_unavailable(
    start: Any, catalog: Any, ann: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart of the catalog fails no run."""
    monkeypatch.setattr(retries, "STEP_BACKOFF", Backoff(0.05, 10.0, within=120.0))
    steps = [
        say("before"),
        step("debug:wait", milliseconds=200),
        step("catalog:fetch", "who", entityRef="component:default/web"),
        say("${{ steps.who.output.entity.spec.owner }}"),
    ]
    catalog.add(template("t", steps=steps), component("web"))
    async with start() as client:
        task_id = await create(client, ann, "t")
        catalog.away = True

        async def waits() -> bool:
            log_texts = await messages(client, ann, task_id)
            return any("trying again" in message for message in log_texts)

        await until(waits, condition="the step to wait")
        catalog.away = False
        run = await wait_for_status(client, ann, task_id)
        log_texts = await messages(client, ann, task_id)
    assert run["status"] == "completed"
    assert log_texts.count("before") == 1
    assert "team-a" in log_texts


async def test_the_retries_of_a_step_are_limited(
    start: Any, catalog: Any, ann: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A catalog that stays unavailable fails the run; the log has the reason."""
    monkeypatch.setattr(retries, "STEP_BACKOFF", Backoff(0.05, 10.0, within=0.3))
    steps = [
        step("debug:wait", milliseconds=200),
        step("catalog:fetch", entityRef="component:default/web"),
    ]
    catalog.add(template("t", steps=steps))
    async with start() as client:
        task_id = await create(client, ann, "t")
        catalog.away = True
        run = await wait_for_status(client, ann, task_id)
        log_texts = await messages(client, ann, task_id)
    assert run["status"] == "failed"
    assert any("does not answer" in message for message in log_texts)
