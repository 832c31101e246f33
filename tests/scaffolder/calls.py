"""Short words for talking to a scaffolder in tests."""

import json
from typing import Any

import httpx

from tests.waiting import until

Json = dict[str, Any]


def step(action: str, step_id: str | None = None, **more: Any) -> Json:
    """A step of a template; what is not a step's own field is its input."""
    own = {key: more.pop(key) for key in ("if", "each", "name") if key in more}
    fields: Json = {"action": action, **own}
    if step_id is not None:
        fields["id"] = step_id
    inputs = more.pop("input", more)
    return {**fields, "input": inputs} if inputs else fields


def say(message: str, step_id: str | None = None, **more: Any) -> Json:
    return step("debug:log", step_id, message=message, **more)


async def create(
    client: httpx.AsyncClient, headers: Any, name: str, **more: Any
) -> str:
    """Start a run of template `name`; its id."""
    body = {"templateRef": f"template:default/{name}", "values": {}, **more}
    answer = await client.post("/v2/tasks", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def task(client: httpx.AsyncClient, headers: Any, task_id: str) -> Json:
    answer = await client.get(f"/v2/tasks/{task_id}", headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def wait_for_status(
    client: httpx.AsyncClient,
    headers: Any,
    task_id: str,
    *statuses: str,
) -> Json:
    """The run once it is in one of these states (by default, ended)."""
    awaited = statuses or ("completed", "failed", "cancelled")

    async def in_status() -> Json | None:
        run = await task(client, headers, task_id)
        return run if run["status"] in awaited else None

    return dict(await until(in_status, f"task is {awaited}"))


async def log(client: httpx.AsyncClient, headers: Any, task_id: str) -> list[Json]:
    answer = await client.get(f"/v2/tasks/{task_id}/events", headers=headers)
    assert answer.status_code == 200, answer.text
    return list(answer.json())


async def messages(client: httpx.AsyncClient, headers: Any, task_id: str) -> list[str]:
    return [line["body"]["message"] for line in await log(client, headers, task_id)]


def frames(text: str) -> list[tuple[str, Json]]:
    """Event and data of each server-sent event."""
    pairs = []
    for block in text.strip().split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in block.splitlines() if ": " in line
        )
        if "data" in fields:
            pairs.append((fields.get("event", ""), json.loads(fields["data"])))
    return pairs
