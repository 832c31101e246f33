"""Kill -9, wherever it hurts: everything comes back, nothing is lost, nothing twice."""

import secrets
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from deploy.embedded.rundata import SERVICES
from tests.builders import component
from tests.e2e.running import ANN, BEN, HOST, SERVICE, Portal, push
from tests.e2e.system import WorkingCopy, working_copy
from tests.faults.victims import (
    agreed,
    back,
    frozen,
    history,
    kill,
    well,
)
from tests.waiting import until_now

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

PAYMENTS = "component:default/payments"
CROWD = 2000


def word() -> str:
    """A word that stands nowhere yet."""
    return f"zq{secrets.token_hex(4)}"


def described(copy: WorkingCopy, text: str) -> dict[str, str]:
    """The descriptor of payments with another description of the component."""
    documents = list(yaml.safe_load_all(copy.read("catalog-info.yaml")))
    for document in documents:
        if (
            document["kind"] == "Component"
            and document["metadata"]["name"] == "payments"
        ):
            document["metadata"]["description"] = text
    return {"catalog-info.yaml": yaml.safe_dump_all(documents, sort_keys=False)}


def push_is_seen(portal: Portal) -> None:
    """A push still walks through all services, once."""
    copy, marker = working_copy(portal, "payments"), word()
    push(copy, described(copy, f"Says {marker}"), f"Say {marker}")
    until_now(
        lambda: marker in str(portal.known(PAYMENTS)),
        "the push in the catalog",
    )
    until_now(lambda: portal.results(marker), "the push in search")
    revisions = [item["revision"] for item in history(portal, PAYMENTS)]
    assert revisions == list(range(len(revisions), 0, -1))
    subjects = [item["cause"].get("subject") for item in history(portal, PAYMENTS)]
    assert subjects.count(f"Say {marker}") == 1


@pytest.mark.parametrize("name", SERVICES)
def test_a_killed_service_is_replaced(portal: Portal, name: str) -> None:
    """Its successor has the same state, and pushes go on."""
    before = agreed(portal)
    restarts = portal.run["restarts"].get(name, 0)
    seconds = back(portal, name, kill(portal, name))
    print(f"\n{name} was back after {seconds:.1f} s")
    assert portal.run["restarts"][name] == restarts + 1
    assert agreed(portal) == before
    push_is_seen(portal)


@pytest.mark.parametrize("name", ["documents", "broker"])
def test_a_killed_engine_is_recovered_from(portal: Portal, name: str) -> None:
    """The store loses nothing; lost events are read from their owners."""
    before = agreed(portal)
    seconds = back(portal, name, kill(portal, name))
    print(f"\n{name} was back after {seconds:.1f} s")
    assert agreed(portal) == before
    push_is_seen(portal)


def test_a_push_without_an_event_log_is_read_later(portal: Portal) -> None:
    """The push stays in Git, and is in the catalog once the portal is up again."""
    copy, marker = working_copy(portal, "payments"), word()
    copy.commit(f"Say {marker}", described(copy, f"Says {marker}"))
    dead = kill(portal, "broker")
    copy.push()
    back(portal, "broker", dead)
    until_now(
        lambda: marker in str(portal.known(PAYMENTS)),
        "the push in the catalog",
    )
    until_now(lambda: portal.results(marker), "the push in search")


def test_sessions_survive_a_killed_gateway(portal: Portal) -> None:
    """Signed-in users stay so, with the same token."""
    ann = portal.as_(ANN)
    assert ann.get("/api/auth/v1/userinfo").status_code == 200
    back(portal, "gateway", kill(portal, "gateway"))
    answer = ann.get("/api/auth/v1/userinfo")
    assert answer.status_code == 200
    assert answer.json()["claims"]["sub"] == ANN


def test_a_killed_registration_is_completed_once(portal: Portal) -> None:
    """However often it is killed, each entity exists once, created once."""
    crowd = [
        component(f"crowd-{n}", {"labels": {"crowd": "yes"}}) for n in range(CROWD)
    ]
    portal.repository("crowd", {"all.yaml": yaml.safe_dump_all(crowd)})
    body = {"type": "url", "target": f"{HOST}/crowd/blob/main/all.yaml"}
    token, answers = portal.sign_in(BEN), list[httpx.Response]()

    def register(body: dict[str, str] = body) -> None:
        with suppress(httpx.HTTPError), portal.with_token(token) as client:
            answer = client.post("/api/catalog/locations", json=body, timeout=120)
            answers.append(answer)

    def is_registered() -> bool:
        """Asks in other bytes: what killed a service twice has to wait a minute."""
        register(dict(reversed(body.items())))
        if answers[-1].status_code == 503:
            assert answers[-1].headers["retry-after"], answers[-1].text
            return False
        assert answers[-1].status_code in {201, 409}, answers[-1].text
        return True

    for wait in (0.05, 0.4):
        registering = threading.Thread(target=register)
        registering.start()
        registering.join(wait)
        back(portal, "catalog", kill(portal, "catalog"))
        registering.join(120)
    until_now(is_registered, "the registration to be let in")

    def count() -> int:
        return portal.count(filter="metadata.labels.crowd=yes")

    until_now(lambda: count() == CROWD, "the whole crowd")
    assert agreed(portal)["catalog"]["count"] >= CROWD
    assert (
        portal.get("/api/search/query", term="crowd", pageLimit=1)["numberOfResults"]
        >= CROWD
    )
    for number in range(0, CROWD, CROWD // 20):
        changes = history(portal, f"component:default/crowd-{number}")
        assert [item["revision"] for item in changes] == [1]


def test_a_killed_build_is_completed_and_published_once(portal: Portal) -> None:
    """The site is built all the same."""
    copy, marker = working_copy(portal, "payments"), word()
    text = copy.read("docs/index.md") + f"\nWe say {marker} here.\n"
    with portal.listening(SERVICE, topic="docs-built", entity=PAYMENTS) as heard:
        commit = copy.commit(f"Write {marker}", {"docs/index.md": text})
        copy.push()
        for _ in range(2):
            back(portal, "techdocs", kill(portal, "techdocs"))
        until_now(lambda: portal.results(marker), "the page in search")
        until_now(lambda: events_of_commit(heard, commit), "the event")
    # Told anew after a crash is the same event, by its id.
    assert len({event["id"] for event in events_of_commit(heard, commit)}) == 1


def events_of_commit(heard: list[dict[str, Any]], commit: str) -> list[dict[str, Any]]:
    return [event for event in heard if event["data"]["commit"] == commit]


def slow_template(name: str, repository_name: str) -> dict[str, Any]:
    """A template that says something, waits, and makes a repository."""
    entity = component(repository_name, owner="booking", lifecycle="experimental")
    steps = [
        {"id": "say", "name": "Say", "action": "debug:log", "input": {"message": "go"}},
        {"id": "wait", "name": "Wait", "action": "debug:wait", "input": {"seconds": 3}},
        {
            "id": "entry",
            "name": "Entry",
            "action": "catalog:write",
            "input": {"entity": entity},
        },
        {
            "id": "publish",
            "name": "Publish",
            "action": "publish:git",
            "input": {"repoUrl": f"git.playhouse.example?repo={repository_name}"},
        },
    ]
    return {
        "apiVersion": "scaffolder.backstage.io/v1beta3",
        "kind": "Template",
        "metadata": {"name": name, "title": "Slow"},
        "spec": {"type": "service", "owner": "booking", "steps": steps},
    }


def test_a_killed_run_resumes_and_publishes_once(portal: Portal) -> None:
    """A run resumes at its step, and creates its repository once."""
    name, repository_name = f"slow-{word()}", f"made-{word()}"
    template = yaml.safe_dump(slow_template(name, repository_name))
    portal.repository(name, {"catalog-info.yaml": template})
    ref = f"template:default/{name}"
    until_now(lambda: portal.known(ref), "the template")
    body = {"templateRef": ref, "values": {}}
    answer = portal.as_(ANN).post("/api/scaffolder/v2/tasks", json=body)
    task = f"/api/scaffolder/v2/tasks/{answer.raise_for_status().json()['id']}"

    def lines() -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = portal.get(f"{task}/events", ANN)
        return events

    def at(step: str) -> bool:
        return any(line["body"].get("stepId") == step for line in lines())

    until_now(lambda: at("wait"), "the step that waits")
    back(portal, "scaffolder", kill(portal, "scaffolder"))
    until_now(
        lambda: portal.get(task, ANN)["status"] not in ("open", "processing"),
        "the end of the run",
    )
    assert portal.get(task, ANN)["status"] == "completed", lines()
    go_lines = [line for line in lines() if line["body"]["message"] == "go"]
    assert len(go_lines) == 1
    repository = WorkingCopy(Path(portal.data / "git" / f"{repository_name}.git"))
    assert repository.git("rev-list", "--count", "main") == "1"
    entity = f"component:default/{repository_name}"
    until_now(lambda: portal.known(entity), "what the run made")
    assert [item["revision"] for item in history(portal, entity)] == [1]


def test_a_frozen_service_does_not_stop_the_others(portal: Portal) -> None:
    """A frozen search is missing alone."""
    with frozen(portal, "search"):
        started_at = time.monotonic()
        assert portal.known(PAYMENTS) is not None
        assert time.monotonic() - started_at < 5
        assert portal.as_(ANN).get("/catalog").status_code in {200, 303}
        assert not well(portal)
    until_now(lambda: well(portal), "search to move again")
    push_is_seen(portal)


def test_a_killed_portal_restarts_with_all_state(portal: Portal) -> None:
    """With the supervisor all its processes end; started again, all state is there."""
    before = agreed(portal)
    pids = portal.run["pids"].values()
    kill(portal, "supervisor")
    until_now(lambda: not any(alive(pid) for pid in pids), "all to end")
    portal.hang_up()
    portal.up()
    assert agreed(portal) == before
    push_is_seen(portal)


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be buried does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
