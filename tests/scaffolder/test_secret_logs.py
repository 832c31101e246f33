"""Secrets and the logs of the service: operators read them, and see none either."""

import logging
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.builders import template
from tests.scaffolder.calls import create, step, wait_for_status
from tests.scaffolder.secret_flows import PAGES, SECRET, flows, shown_nowhere


@pytest.mark.parametrize("ends_well", [True, False])
async def test_no_log_of_the_service_shows_a_secret(
    start: Any,
    catalog: Any,
    ann: Any,
    caplog: pytest.LogCaptureFixture,
    ends_well: bool,
) -> None:
    """Whether the run ends well or in an error with the secret in its input."""
    steps = flows("secrets.key")
    steps = steps[:-1] if ends_well else steps
    catalog.add(template("t", steps=steps, parameters=PAGES))
    request_fields = {"secrets": {"key": SECRET}, "values": {"pin": SECRET}}
    caplog.set_level(logging.DEBUG)
    with capture_logs() as logs:
        async with start() as client:
            task_id = await create(client, ann, "t", **request_fields)
            await wait_for_status(client, ann, task_id)
    ended = [line for line in logs if line["event"] == "run_ended"]
    assert [line["status"] for line in ended] == [
        "completed" if ends_well else "failed"
    ]
    shown_nowhere(f"{logs}{caplog.text}")


@pytest.mark.parametrize(
    "body",
    [
        {"templateRef": "template:default/t", "values": {"pin": SECRET, "name": 5}},
        {"templateRef": "template:default/t", "values": {}, "secrets": {"key": SECRET}},
        {"templateRef": "template:default/no", "values": {"pin": SECRET}},
        {"templateRef": SECRET, "values": {}},
        {"values": {"pin": SECRET}, "secrets": {"key": [SECRET]}},
    ],
)
async def test_a_refused_request_is_logged_without_its_secrets(
    start: Any, catalog: Any, ann: Any, caplog: pytest.LogCaptureFixture, body: Any
) -> None:
    """Answers and secrets that break a rule are in no log."""
    schema = {"required": ["key"], "properties": {"key": {"maxLength": 3}}}
    entity = template("t", parameters=PAGES, secrets={"schema": schema})
    catalog.add(entity)
    caplog.set_level(logging.DEBUG)
    with capture_logs() as logs:
        async with start() as client:
            answer = await client.post("/v2/tasks", json=body, headers=ann)
    assert answer.status_code in {400, 404}
    shown_nowhere(f"{logs}{caplog.text}")


async def test_an_error_of_a_plugin_is_shown_without_secrets(
    start: Any, catalog: Any, ann: Any
) -> None:
    """An action fails with a message that repeats its input."""
    boom = step("fs:rename", files=[{"from": "${{ secrets.key }}", "to": "x"}])
    catalog.add(template("t", steps=[boom]))
    async with start() as client:
        task_id = await create(client, ann, "t", secrets={"key": SECRET})
        await wait_for_status(client, ann, task_id, "failed")
        lines = await client.get(f"/v2/tasks/{task_id}/events", headers=ann)
    error = lines.json()[-1]["body"]["error"]
    assert error["name"] == "NotFoundError"
    assert "'***'" in error["message"]
    shown_nowhere(lines.text)
