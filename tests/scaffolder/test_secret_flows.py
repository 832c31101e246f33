"""Secrets on their ways through a run: nothing made of them is seen anywhere."""

import base64
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.topics import TEMPLATE_RUN
from shared.kit.documents.mongo import connect
from shared.kit.events.bus import LiveReader
from tests.builders import template
from tests.scaffolder.calls import create, frames, messages, say, step, wait_for_status
from tests.scaffolder.secret_flows import PAGES, SECRET, WORD, flows, shown_nowhere
from tests.waiting import until

CONFIG = """
organization: {name: Test}
scaffolder:
  defaultEnvironment:
    parameters: {region: eu}
    secrets: {SIGNING_KEY: %s}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration whose runs have a secret of the installation's own."""
    path = tmp_path / "environment.yaml"
    path.write_text(CONFIG % SECRET)
    return path


@pytest.mark.parametrize(
    ("source", "more"),
    [
        ("secrets.key", {"secrets": {"key": SECRET}}),
        ("environment.secrets.SIGNING_KEY", {}),
        ("parameters.pin", {"values": {"pin": SECRET}}),
        ("parameters.deep.key", {"values": {"deep": {"key": SECRET}}}),
    ],
)
async def test_nothing_derived_from_a_secret_is_public(
    start: Any, catalog: Any, ann: Any, mongodb: str, kafka: str, config: Path,
    source: str, more: Any,
) -> None:  # fmt: skip
    """Not in log, stream, responses, events or documents, however it is derived."""
    entity = template(
        "t", steps=flows(source), parameters=PAGES, output={"x": f"${{{{ {source} }}}}"}
    )
    catalog.add(entity)
    envelopes: list[Any] = []

    async def hear(records: Any) -> None:
        envelopes.extend(record.envelope() for record in records)

    reader = LiveReader(kafka, [TEMPLATE_RUN], hear)
    async with start(config=config) as client, reader:
        await reader.reading.wait()
        task_id = await create(client, ann, "t", **more)
        run = await wait_for_status(client, ann, task_id)
        log_texts = await messages(client, ann, task_id)
        stream = await client.get(f"/v2/tasks/{task_id}/eventstream", headers=ann)
        await until(
            lambda: any(
                e.subject == task_id and e.data["status"] == "failed" for e in envelopes
            ),
        )
        mongo = connect(mongodb)
        stored = mongo["callboard_scaffolder"]
        stored_tasks = await stored["tasks"].find({}).to_list(None)
        lines = await stored["events"].find({}).to_list(None)
        mongo.close()
    assert run["status"] == "failed", log_texts
    assert "plain *** end" in log_texts
    assert "up *** end" in log_texts
    assert "round *** of first" in log_texts
    assert any(line.startswith("one by one *") for line in log_texts)
    streamed = [data["body"]["message"] for _, data in frames(stream.text)]
    assert streamed == log_texts
    events = [envelope.model_dump() for envelope in envelopes]
    shown_nowhere(f"{run}{log_texts}{stream.text}{events}{stored_tasks}{lines}")


async def test_a_completed_run_shows_no_secret(
    start: Any, catalog: Any, ann: Any, config: Path
) -> None:
    """Its output is rendered from public values."""
    steps = flows("secrets.key")[:-1]
    steps.append(step("fs:readdir", "read", paths=["."]))
    output = {"a": "${{ secrets.key }}", "b": "${{ parameters.pin | upper }}"}
    catalog.add(template("t", steps=steps, parameters=PAGES, output=output))
    request_fields = {
        "secrets": {"key": SECRET},
        "values": {"pin": SECRET, "name": "web"},
    }
    async with start(config=config) as client:
        task_id = await create(client, ann, "t", **request_fields)
        run = await wait_for_status(client, ann, task_id)
        log_texts = await client.get(f"/v2/tasks/{task_id}/events", headers=ann)
    assert run["status"] == "completed"
    assert run["spec"]["parameters"] == {"pin": "***", "name": "web"}
    assert log_texts.json()[-1]["body"]["output"] == {"b": "***"}
    shown_nowhere(f"{run}{log_texts.text}")


async def test_a_run_works_with_the_real_answers(
    start: Any, catalog: Any, ann: Any
) -> None:
    """Conditions and files have the value; a second try has it still."""
    steps = [
        say("it is right", "s", **{"if": f"${{{{ parameters.pin === '{SECRET}' }}}}"}),
        step("fs:delete", "boom", files=["/outside"]),
    ]
    catalog.add(template("t", steps=steps, parameters=PAGES))
    async with start() as client:
        task_id = await create(client, ann, "t", values={"pin": SECRET})
        await wait_for_status(client, ann, task_id)
        await client.post(f"/v2/tasks/{task_id}/retry", headers=ann)
        await wait_for_status(client, ann, task_id)
        log_texts = await messages(client, ann, task_id)
        lines_before = [line for line in log_texts if line == "it is right"]
        client.app.state.dependencies.run_factory.workspace(task_id).remove()
        await client.post(f"/v2/tasks/{task_id}/retry", headers=ann)
        await wait_for_status(client, ann, task_id)
        again = await messages(client, ann, task_id)
    assert len(lines_before) == 1
    assert again.count("it is right") == 2


async def test_a_dry_run_uses_placeholders_for_secrets(
    start: Any, catalog: Any, ann: Any, config: Path
) -> None:
    """Files, log and output of a dry run have `***`, whatever is done to it."""
    sources = {
        "environment.secrets.SIGNING_KEY": "a",
        "secrets.key": "b",
        "parameters.pin": "c",
    }
    for source, name in sources.items():
        steps = flows(source)[:-1]
        skeleton = f"{{% for c in values.k %}}${{{{ c }}}}{{% endfor %}} {name}"
        steps.insert(
            0,
            step(
                "fetch:template",
                "fetch",
                url="./s",
                values={"k": f"${{{{ {source} }}}}"},
            ),
        )
        encoded = base64.b64encode(skeleton.encode()).decode()
        body = {
            "template": template("t", steps=steps, parameters=PAGES),
            "values": {"pin": SECRET},
            "secrets": {"key": SECRET},
            "directoryContents": [{"path": "s/a", "base64Content": encoded}],
        }
        async with start(config=config) as client:
            answer = await client.post("/v2/dry-run", json=body, headers=ann)
        assert answer.status_code == 200, answer.text
        files = [
            base64.b64decode(file["base64Content"]).decode()
            for file in answer.json()["directoryContents"]
        ]
        assert f"*** {name}" in files
        shown_nowhere(answer.text + "".join(files))


@pytest.mark.parametrize(
    "piece", ["secrets.key[each.value]", "secrets.key.slice(0, 2)"]
)
async def test_action_messages_show_no_parts_of_a_secret(
    start: Any, catalog: Any, ann: Any, piece: str
) -> None:
    """Neither in a success nor in a failure; a known text is shown."""
    files = [f"${{{{ '' + {piece} }}}}*", f"drafts/${{{{ {piece} }}}}"]
    rounds = f"${{{{ range({len(WORD)}) }}}}"
    steps = [
        step("fs:delete", "gone", each=rounds, files=files),
        say(f"one ${{{{ {piece} }}}}", "known", each=[1]),
        step("fs:rename", "boom", each=[0],
             files=[{"from": f"${{{{ '' + {piece} }}}}", "to": "x/../../.."}]),
    ]  # fmt: skip
    catalog.add(template("t", steps=steps))
    async with start() as client:
        task_id = await create(client, ann, "t", secrets={"key": WORD})
        ended = await wait_for_status(client, ann, task_id)
        lines = await messages(client, ann, task_id)
    assert ended["status"] == "failed"
    assert lines.count("***") == len(WORD)
    assert any(line.startswith("one *") for line in lines)
    assert [line for line in lines if "pieces of secrets" in line]
    for letter in ("'G", " G", "Gl", "/G", "matches"):
        assert not [line for line in lines if letter in line]
