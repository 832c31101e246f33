"""What must hold with two of each service: one portal, whoever answers."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpx
import pytest
import yaml

from tests.builders import component
from tests.e2e.running import ANN, BY_NAME, HOST
from tests.faults.driver.host import GitHost
from tests.faults.driver.ledger import Ledger
from tests.replicas.installation import Installation
from tests.waiting import until_now

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

LOCATIONS = "/api/catalog/locations"


@pytest.fixture
def host(two: Installation) -> Iterator[GitHost]:
    """Repositories whose pushes are told at the first gateway."""
    host = GitHost(two.data, two.gateways[0], Ledger())
    yield host
    host.close()


def descriptor(*names: str, text: str = "") -> dict[str, str]:
    """A repository's file that describes some components."""
    entities = [component(name, {"description": text}) for name in names]
    return {"catalog-info.yaml": yaml.safe_dump_all(entities)}


def location(host: GitHost, name: str, *, text: str = "") -> dict[str, str]:
    """What to post for a repository that is there, and told of to nobody."""
    host.create(name)
    host.commit(
        name, {"all.yaml": descriptor(name, text=text)["catalog-info.yaml"]}, name
    )
    return {"type": "url", "target": f"{HOST}/{name}/blob/main/all.yaml"}


def has_completed(client: httpx.Client, path: str) -> bool:
    """Whether a run has come to a good end."""
    return bool(client.get(path).json()["status"] == "completed")


def shows_docs(client: httpx.Client, path: str) -> bool:
    """Whether the site of the test is there."""
    return "zqtwohouses" in client.get(path).text


def agree(two: Installation) -> None:
    """Wait until all replicas hold the same."""

    def equal() -> bool:
        catalogs, searches = two.checksums("catalog"), two.checksums("search")
        sites = two.checksums("techdocs")
        return all(
            [
                catalogs[0] == catalogs[1],
                searches[0] == searches[1],
                sites[0] == sites[1],
                searches[0]["entities"] == catalogs[0],
                searches[0]["sites"] == sites[0],
            ]
        )

    until_now(equal, "all replicas to hold the same")


def test_a_write_at_one_gateway_is_read_at_the_other(
    two: Installation, host: GitHost
) -> None:
    """At once, with the revision of the response: twenty times in a row."""
    with two.client(0) as one, two.client(1) as other:
        for number in range(20):
            name = f"across-{number}"
            registration = one.post(
                LOCATIONS, json=location(host, name)
            ).raise_for_status()
            at_least = {
                "callboard-at-least": registration.headers["callboard-revision"]
            }
            answer = other.get(f"{BY_NAME}/component/default/{name}", headers=at_least)
            assert answer.status_code == 200, number
            deletion = other.delete(
                f"{LOCATIONS}/{registration.json()['location']['id']}"
            )
            assert deletion.status_code == 204
            at_least = {"callboard-at-least": deletion.headers["callboard-revision"]}
            answer = one.get(f"{BY_NAME}/component/default/{name}", headers=at_least)
            assert answer.status_code == 404, number
    agree(two)


def test_each_catalog_reads_the_writes_of_the_others(
    two: Installation, host: GitHost
) -> None:
    """By direct requests, whichever of them wrote."""
    headers = {"callboard-principal": two._principal()}
    first, second = (replica.url for replica in two.replicas["catalog"])
    for number, (writer, reader) in enumerate([(first, second), (second, first)] * 5):
        name = f"direct-{number}"
        body = location(host, name)
        registration = httpx.post(
            f"{writer}/locations", json=body, headers=headers, timeout=30
        )
        at_least = {
            "callboard-at-least": registration.headers["callboard-revision"],
            **headers,
        }
        url = f"{reader}/entities/by-name/component/default/{name}"
        assert httpx.get(url, headers=at_least, timeout=30).status_code == 200


def test_pushes_are_distributed_and_read_models_agree(
    two: Installation, host: GitHost
) -> None:
    """Forty pushes to twenty repositories: each handled once, visible everywhere."""
    names = [f"shared-{number}" for number in range(20)]
    for name in names:
        host.create(name)
        host.push(name, descriptor(name, text="first"), "first")
    for name in names:
        host.push(name, descriptor(name, text="second"), "second")
    with two.client(1) as client:

        def has_all() -> bool:
            answer = client.get(
                "/api/catalog/entities/by-query",
                params={"filter": "metadata.description=second", "limit": 0},
            )
            return answer.is_success and answer.json()["totalItems"] == len(names)

        until_now(has_all, "all pushes in the catalog")
        agree(two)
        for name in names:
            path = f"{BY_NAME}/component/default/{name}/history"
            items = client.get(path).raise_for_status().json()["items"]
            revisions = [item["revision"] for item in items]
            assert revisions == list(range(len(items), 0, -1))
            commits = [item["cause"]["commit"] for item in items]
            assert len(set(commits)) == len(commits)


def test_runs_are_distributed_over_replicas(two: Installation, host: GitHost) -> None:
    """Started at either gateway, each run ends once; its log is read at the other."""
    host.create("replica-template")
    steps = [
        {"id": "say", "action": "debug:log", "input": {"message": "go"}},
        {"id": "wait", "action": "debug:wait", "input": {"milliseconds": 200}},
    ]
    template = {
        "apiVersion": "scaffolder.backstage.io/v1beta3",
        "kind": "Template",
        "metadata": {"name": "replica-run", "title": "Run"},
        "spec": {"type": "service", "owner": "booking", "steps": steps},
    }
    host.push("replica-template", {"catalog-info.yaml": yaml.safe_dump(template)}, "b")
    token = two.sign_in(ANN)
    with two.client(0, token) as one, two.client(1, token) as other:
        path = f"{BY_NAME}/template/default/replica-run"
        until_now(
            lambda: one.get(path).status_code == other.get(path).status_code == 200,
            "the template",
        )
        body = {"templateRef": "template:default/replica-run", "values": {}}
        tasks = [
            (one, other)[number % 2]
            .post("/api/scaffolder/v2/tasks", json=body)
            .raise_for_status()
            .json()["id"]
            for number in range(12)
        ]
        for number, task in enumerate(tasks):
            at = (other, one)[number % 2]
            path = f"/api/scaffolder/v2/tasks/{task}"
            completed = partial(has_completed, at, path)
            until_now(completed, f"the run {task}")
            lines = at.get(f"{path}/events").json()
            messages = [line["body"]["message"] for line in lines]
            assert messages.count("go") == 1


def test_docs_are_built_by_one_replica(two: Installation, host: GitHost) -> None:
    """Both show the site, and there is one event."""
    host.create("replica-docs")
    entity = component("replica-docs")
    entity["metadata"]["annotations"] = {"backstage.io/techdocs-ref": "dir:."}
    files = {
        "catalog-info.yaml": yaml.safe_dump(entity),
        "mkdocs.yml": "site_name: Two\nplugins: [techdocs-core]\n",
        "docs/index.md": "# Two\n\nThe word is zqtwohouses.\n",
    }
    with listening(two, 0, topic="docs-built") as heard:
        host.push("replica-docs", files, "Write")
        path = "/api/techdocs/static/docs/default/component/replica-docs/index.html"
        for gateway in (0, 1):
            with two.client(gateway) as client:
                until_now(partial(shows_docs, client, path), "docs")

        def built() -> set[str]:
            mine = [
                e for e in heard if e["subject"] == "component:default/replica-docs"
            ]
            return {event["id"] for event in mine if event["data"]["site"]}

        until_now(built, "the event")
        agree(two)
    assert len(built()) == 1


@contextmanager
def listening(
    two: Installation, gateway: int, **query: str
) -> Iterator[list[dict[str, Any]]]:
    """What the live stream of a gateway says, growing while it is said."""
    heard: list[dict[str, Any]] = []

    def hear(lines: Iterator[str]) -> None:
        try:
            heard.extend(
                json.loads(line.removeprefix("data: "))
                for line in lines
                if line.startswith('data: {"')
            )
        except (httpx.HTTPError, httpx.StreamError):
            return

    with (
        two.client(gateway) as client,
        client.stream(
            "GET", "/api/events/stream", params=query, timeout=None
        ) as response,
    ):
        lines = response.raise_for_status().iter_lines()
        next(lines)
        threading.Thread(target=hear, args=(lines,), daemon=True).start()
        yield heard


def test_both_gateways_stream_all_events(two: Installation, host: GitHost) -> None:
    """Whichever gateway received the push."""
    host.create("told-twice")
    with (
        listening(two, 0, topic="entity-changed") as one,
        listening(two, 1, topic="entity-changed") as other,
    ):
        host.push("told-twice", descriptor("told-twice"), "Begin")

        def has_event(heard: list[dict[str, Any]]) -> bool:
            return any(e["subject"] == "component:default/told-twice" for e in heard)

        until_now(
            lambda: has_event(one) and has_event(other),
            "both to be told",
        )


def test_a_stream_is_reset_at_the_other_gateway(two: Installation) -> None:
    """A position of one is unknown to the other: its reader is told to read anew."""
    with two.client(0) as one, one.stream("GET", "/api/events/stream") as response:
        lines = response.iter_lines()
        position = next(line for line in lines if line.startswith("id: "))
    headers = {"last-event-id": position.removeprefix("id: ")}
    with (
        two.client(1, **headers) as other,
        other.stream("GET", "/api/events/stream") as response,
    ):
        other_lines = response.iter_lines()
        assert "event: reset" in (next(other_lines) for _ in range(8))


def test_a_session_is_valid_at_both_gateways_until_it_ends(
    two: Installation,
) -> None:
    """Signed out at one, it is ended at the other a second later."""
    one, other = two.gateways
    with httpx.Client(timeout=30) as browser:
        form = {"user": ANN}
        answer = browser.post(f"{one}/sign-in/as", data=form, headers={"origin": one})
        assert answer.status_code == 303
        cookies = "; ".join(f"{k}={v}" for k, v in answer.cookies.items())
    cookie_header = {"cookie": cookies}
    path = "/api/catalog/entities/by-query?limit=1"
    for gateway in (one, other):
        answer = httpx.get(gateway + path, headers=cookie_header, timeout=30)
        assert answer.status_code == 200
        page = httpx.get(f"{gateway}/catalog", headers=cookie_header, timeout=30)
        assert page.status_code == 200
    httpx.post(
        f"{other}/sign-out", headers={**cookie_header, "origin": other}, timeout=30
    )
    assert httpx.get(other + path, headers=cookie_header, timeout=30).status_code == 401

    def nobody() -> bool:
        return (
            httpx.get(one + path, headers=cookie_header, timeout=30).status_code == 401
        )

    until_now(nobody, "the session to end at the first gateway")


def test_a_token_of_one_gateway_is_valid_at_the_other(two: Installation) -> None:
    """Both sign with keys that both publish."""
    for at, other in ((0, 1), (1, 0)):
        token = two.sign_in(ANN, gateway=at)
        with two.client(other, token) as client:
            answer = client.get("/api/auth/v1/userinfo").raise_for_status()
            assert answer.json()["claims"]["sub"] == ANN


def test_the_portal_works_with_one_replica_of_each_killed(
    two: Installation, host: GitHost
) -> None:
    """Reads, writes, pushes and search."""
    for service in ("catalog", "scaffolder", "techdocs", "search"):
        replica = two.replicas[service][0]
        assert replica.process is not None
        replica.process.kill()
        replica.process.wait()
    try:
        with two.client(0) as client:
            body = location(host, "with-half")
            assert client.post(LOCATIONS, json=body).status_code == 201
            path = f"{BY_NAME}/component/default/with-half"
            assert client.get(path).status_code == 200
            host.create("pushed-to-half")
            host.push("pushed-to-half", descriptor("pushed-to-half"), "Begin")
            query = "/api/search/query?term=pushed-to-half"

            def is_found() -> bool:
                answer = client.get(query)
                return answer.is_success and answer.json()["numberOfResults"] > 0

            until_now(is_found, "the push in search")
    finally:
        for service in ("catalog", "scaffolder", "techdocs", "search"):
            two.start(two.replicas[service][0])
        for service in ("catalog", "scaffolder", "techdocs", "search"):
            two.wait_ready(two.replicas[service][0])
    agree(two)
