"""What a run says: its log, its stream, its events, and never its secrets."""

from pathlib import Path
from typing import Any

from shared.contracts.envelope import Envelope
from shared.contracts.topics import TEMPLATE_RUN
from shared.kit.events.bus import LiveReader
from tests.builders import template
from tests.scaffolder.calls import (
    create,
    frames,
    log,
    messages,
    say,
    step,
    task,
    wait_for_status,
)
from tests.waiting import until

BO = "user:default/bo"


async def test_expressions_that_stay_as_text_are_warned_of(
    start: Any, catalog: Any, ann: Any
) -> None:
    """Once for each field, with step, field and reason; the text is passed on."""
    steps = [
        say("${{ 'x'.sparkle() }}", "a", each=[1, 2]),
        step("fs:delete", "b", files=["x", "${{ 1 | nope }}"]),
        say("shown", "c", **{"if": "${{ ( }}"}),
    ]
    output = {"links": [{"title": "${{ nobody() }}"}]}
    catalog.add(template("t", steps=steps, output=output))
    async with start() as client:
        task_id = await create(client, ann, "t")
        await wait_for_status(client, ann, task_id, "completed")
        lines = await messages(client, ann, task_id)
    warnings = [line for line in lines if line.startswith("Warning: ")]
    places, reasons = zip(
        *(line.split(" is taken as plain text, because ") for line in warnings),
        strict=True,
    )
    assert places == (
        "Warning: step a, input.message: ${{ 'x'.sparkle() }}",
        "Warning: step b, input.files[1]: ${{ 1 | nope }}",
        "Warning: step c, if: ${{ ( }}",
        "Warning: output.links[0].title: ${{ nobody() }}",
    )
    assert reasons[1] == 'it cannot be evaluated: Unknown template filter "nope"'
    assert reasons[3].endswith('"nobody" resolved to undefined and cannot be called')
    assert lines.count("${{ 'x'.sparkle() }}") == 2


async def test_expressions_that_read_secrets_are_not_warned_of(
    start: Any, catalog: Any, ann: Any
) -> None:
    """Whether they fail would reveal a part; the others of the same run are named."""
    steps = [
        say("${{ secrets.token | first | parseRepoUrl }}", "a"),
        say("${{ 1 if secrets.token | first == 'x' else nope() }}", "b"),
        say("${{ parameters.key | first | parseRepoUrl }}", "c"),
        say("x", "d", **{"if": "${{ parameters.key | first | parseRepoUrl }}"}),
        say("${{ steps.a.output | nope }}", "e"),
        say("x", "f", **{"if": "${{ user | nope }}"}),
    ]
    form = {"properties": {"key": {"type": "string", "ui:field": "Secret"}}}
    secrets = {"token": "hunter2hunter", "key": "hunter2hunter"}
    catalog.add(template("t", steps=steps, parameters=form))
    async with start() as client:
        task_id = await create(
            client, ann, "t", values={"key": "hunter2hunter"}, secrets=secrets
        )
        await wait_for_status(client, ann, task_id, "completed")
        lines = await messages(client, ann, task_id)
    warnings = [line for line in lines if line.startswith("Warning: ")]
    assert [line.partition(" is taken")[0] for line in warnings] == [
        "Warning: step e, input.message: ${{ steps.a.output | nope }}",
        "Warning: step f, if: ${{ user | nope }}",
    ]


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
    from shared.kit.documents.mongo import connect  # noqa: PLC0415 - to look at what is stored

    async with start() as client:
        task_id = await create(client, ann, "t", secrets={"token": "hunter2hunter"})
        run = await wait_for_status(client, ann, task_id)
        log_text = "\n".join(await messages(client, ann, task_id))
        mongo = connect(mongodb)
        stored = mongo["callboard_scaffolder"]
        documents = await stored["tasks"].find({}).to_list(None)
        lines = await stored["events"].find({}).to_list(None)
        mongo.close()
    assert run["status"] == "failed"
    assert "token *** ***" in log_text
    assert "length 13" not in log_text
    assert "outside" in log_text, "secrets are known in inputs only"
    everything = f"{run}{log_text}{documents}{lines}".lower()
    assert "hunter2" not in everything
    assert documents[0]["secrets"] is None


async def test_the_stream_ends_with_the_run(start: Any, catalog: Any, ann: Any) -> None:
    """Every line once and in order, also from the middle and afterwards."""
    steps = [say("one"), step("debug:wait", milliseconds=100), say("two")]
    catalog.add(template("t", steps=steps))
    async with start() as client:
        task_id = await create(client, ann, "t")
        path = f"/v2/tasks/{task_id}/eventstream"
        live = await client.get(path, headers=ann)
        later = await client.get(f"{path}?after=3", headers=ann)
        run = await task(client, ann, task_id)
        lines = await log(client, ann, task_id)
    assert live.headers["content-type"].startswith("text/event-stream")
    streamed = frames(live.text)
    assert [data["id"] for _, data in streamed] == [line["id"] for line in lines]
    assert streamed[-1][0] == "completion"
    assert next(data["id"] for _, data in frames(later.text)) == 4
    assert run["status"] == "completed"


async def test_the_log_can_be_read_after_an_event_number(
    start: Any, catalog: Any, ann: Any
) -> None:
    """Only later lines; an invalid number is refused."""
    catalog.add(template("t", steps=[say("one")]))
    async with start() as client:
        task_id = await create(client, ann, "t")
        await wait_for_status(client, ann, task_id)
        lines = await log(client, ann, task_id)
        root = f"/v2/tasks/{task_id}/events"
        rest = await client.get(f"{root}?after=2", headers=ann)
        none = await client.get(f"{root}?after=99", headers=ann)
        bad = await client.get(f"{root}?after=x", headers=ann)
    assert [line["id"] for line in rest.json()] == [line["id"] for line in lines[2:]]
    assert none.json() == []
    assert (bad.status_code, bad.json()["error"]["name"]) == (400, "InputError")


async def test_a_run_publishes_its_events(
    start: Any, catalog: Any, ann: Any, kafka: str
) -> None:
    """Created, started, each step, completed: in order, numbered, without gaps."""
    envelopes: list[Envelope] = []

    async def hear(records: Any) -> None:
        envelopes.extend(record.envelope() for record in records)

    catalog.add(template("t", steps=[say("one", "s")], output={"entityRef": "a:b/c"}))
    async with start() as client, LiveReader(kafka, [TEMPLATE_RUN], hear) as reader:
        await reader.reading.wait()
        task_id = await create(client, ann, "t")

        def events() -> list[Envelope]:
            by_id = {e.id: e for e in envelopes if e.subject == task_id}
            return sorted(by_id.values(), key=lambda e: e.data["sequence"])

        await until(
            lambda: events() and events()[-1].data["status"] == "completed",
        )
        published = events()
    assert [e.data["sequence"] for e in published] == [1, 2, 3, 4, 5]
    kinds = [e.type.removeprefix("callboard.run.") for e in published]
    assert kinds == [
        "created.v1",
        "started.v1",
        "step-changed.v1",
        "step-changed.v1",
        "completed.v1",
    ]
    assert [e.data["step_status"] for e in published[2:4]] == [
        "processing",
        "completed",
    ]
    assert published[-1].data["output"] == {"entityRef": "a:b/c"}
    assert len({e.traceparent.split("-")[1] for e in published if e.traceparent}) == 1


async def test_a_failure_of_the_system_has_no_path_of_this_machine(
    start: Any, catalog: Any, ann: Any, repositories: Path
) -> None:
    """Such as that of a Git host's folder that is gone."""
    steps = [step("publish:git", repoUrl="git.example.test?repo=new")]
    catalog.add(template("t", steps=steps))
    async with start() as client:
        repositories.rmdir()
        task_id = await create(client, ann, "t")
        run = await wait_for_status(client, ann, task_id)
        lines = await log(client, ann, task_id)
    assert run["status"] == "failed"
    assert "FileNotFoundError: No such file or directory" in str(lines)
    assert str(repositories) not in f"{run}{lines}"
