"""The last of all: the portal is stopped, started again, and knows everything."""

import json
from pathlib import Path
from typing import Any

from tests.e2e.running import BY_NAME, SERVICE, Portal, eventually


def test_all_state_survives_a_restart_of_the_portal(system: Portal) -> None:
    """Entities with their history, runs, docs, search and the token are as before."""
    eventually(lambda: not under_way(system), "the runs of the journeys before to end")
    before = state(system)
    pids = set(system.run["pids"].values())
    system.hang_up()
    system.down()
    assert not (system.data / "run.json").exists()
    eventually(lambda: not [pid for pid in pids if is_alive(pid)], "every process ends")
    system.up()
    assert pids.isdisjoint(system.run["pids"].values())
    after = state(system)
    for name, value in before.items():
        assert after[name] == value, name


def under_way(system: Portal) -> list[str]:
    """The runs that have not ended yet."""
    tasks = system.get("/api/scaffolder/v2/tasks")["tasks"]
    return [task["id"] for task in tasks if task["status"] in ("open", "processing")]


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that nobody buried yet does not."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


def plain(entity: dict[str, Any]) -> str:
    """An entity as text; the order of its relations means nothing."""
    relations = sorted(entity["relations"], key=str)
    return json.dumps({**entity, "relations": relations}, sort_keys=True)


def state(system: Portal) -> dict[str, Any]:
    """What must outlive a restart."""
    name = "component/default/payments"
    docs = "/api/techdocs/static/docs/default/component/payments/index.html"
    return {
        "token": system.token,
        "entities": sorted(map(plain, system.get("/api/catalog/entities"))),
        "history": system.get(f"{BY_NAME}/{name}/history"),
        "runs": system.get("/api/scaffolder/v2/tasks"),
        "docs": system.as_(SERVICE).get(docs).raise_for_status().text,
        "search": [system.results(term) for term in ("settlement", "curtain")],
        "keys": system.get("/api/auth/.well-known/jwks.json"),
    }
