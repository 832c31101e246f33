"""Templates of a test's own, and their runs."""

import json
import secrets
from typing import Any

from tests.e2e.running import BEN, Portal, eventually

TASKS = "/api/scaffolder/v2/tasks"


def template(
    name: str, *steps: dict[str, Any], output: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A template of these steps, which are called s0, s1 and so on."""
    numbered = [{"id": f"s{n}", "name": f"s{n}", **s} for n, s in enumerate(steps)]
    return {
        "apiVersion": "scaffolder.backstage.io/v1beta3",
        "kind": "Template",
        "metadata": {"name": name},
        "spec": {
            "type": "service",
            "owner": "money",
            "steps": numbered,
            "output": output or {},
        },
    }


def finished_run(
    system: Portal, *steps: dict[str, Any], output: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A run, ended, of a template with these steps, which is registered for it."""
    name = f"tried-{secrets.token_hex(3)}"
    text = json.dumps(template(name, *steps, output=output))
    system.repository(name, {"catalog-info.yaml": text})
    ref = f"template:default/{name}"
    eventually(lambda: system.known(ref), f"{ref} is discovered")
    body = {"templateRef": ref, "values": {}}
    task = system.as_(BEN).post(TASKS, json=body).raise_for_status().json()["id"]

    def ended() -> Any:
        run = system.get(f"{TASKS}/{task}")
        return run if run["status"] in ("completed", "failed") else None

    run: dict[str, Any] = eventually(ended, "the run's end")
    return run


def log_text(system: Portal, run: dict[str, Any]) -> str:
    """What a run's log says."""
    events = system.get(f"{TASKS}/{run['id']}/events")
    return "\n".join(str(event["body"]["message"]) for event in events)
