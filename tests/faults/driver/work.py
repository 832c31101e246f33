"""What a worker does all the time: push, register, refresh, delete, run, read.

Each worker has repositories and locations of its own, so that what must stand in the
catalog is known; what is acknowledged goes into the ledger and is looked at at once.
"""

import random
import threading
import time
from typing import Any

import httpx
import yaml

from tests.builders import component
from tests.e2e.running import ANN, BY_NAME, HOST, SERVICE, Portal
from tests.faults.driver.host import GitHost
from tests.faults.driver.ledger import Ledger, Pushed, Registered

ANSWER_SECONDS = 30.0
#: How long an answer to "is what you acknowledged there?" may be put off by faults.
LOOK_SECONDS = 60.0
PAUSE_SECONDS = 0.05
COMPONENTS = 4
TEMPLATE = "template:default/driver-run"
WEIGHTS = {
    "push": 30,
    "register": 8,
    "refresh": 8,
    "delete": 4,
    "run": 2,
    "read": 40,
    "search": 8,
}
DOCS = {
    "mkdocs.yml": "site_name: Driver\nnav:\n  - Home: index.md\nplugins:\n"
    "  - techdocs-core\n"
}


def described(prefix: str, text: str, *, docs: bool = False) -> str:
    """A descriptor of several components that say `text`."""
    more: dict[str, Any] = {"description": text}
    if docs:
        more["annotations"] = {"backstage.io/techdocs-ref": "dir:."}
    entities = [component(f"{prefix}-{n}", more) for n in range(COMPONENTS)]
    if docs:
        for entity in entities[1:]:
            entity["metadata"].pop("annotations", None)
    return yaml.safe_dump_all(entities, sort_keys=False)


def refs_of(prefix: str) -> tuple[str, ...]:
    return tuple(f"component:default/{prefix}-{n}" for n in range(COMPONENTS))


class Worker(threading.Thread):
    """One thread with a seed of its own."""

    def __init__(
        self, number: int, seed: int, portal: Portal, host: GitHost, ledger: Ledger
    ) -> None:
        super().__init__(name=f"worker-{number}")
        self._number = number
        self._random = random.Random(f"{seed} worker {number}")
        self._portal = portal
        self._host = host
        self._ledger = ledger
        self._count = 0
        self._mine: list[Registered] = []
        self._pushes: list[Pushed] = []
        self.ending = threading.Event()
        self.failure: BaseException | None = None
        self._clients: dict[str, httpx.Client] = {}

    def prepare(self) -> None:
        """The worker's repositories, each pushed once."""
        self._clients = {
            SERVICE: self._client(self._portal.token),
            ANN: self._client(self._portal.sign_in(ANN)),
        }
        self._host.create(f"yard-{self._number}")
        for n in range(2):
            name = f"pushed-{self._number}-{n}"
            self._host.create(name)
            pushed = Pushed(name, refs_of(name), has_docs=n == 0)
            self._pushes.append(pushed)
            with self._ledger.locked():
                self._ledger.pushed[name] = pushed
            self._push_to(pushed)

    def run(self) -> None:
        try:
            while not self.ending.is_set():
                kinds = list(WEIGHTS)
                kind = self._random.choices(kinds, list(WEIGHTS.values()))[0]
                getattr(self, f"do_{kind}")()
                self.ending.wait(PAUSE_SECONDS)
        except BaseException as error:  # noqa: BLE001 - told by whoever joins
            self.failure = error
        finally:
            for client in self._clients.values():
                client.close()

    def _client(self, token: str) -> httpx.Client:
        headers = {"authorization": f"Bearer {token}"}
        url = self._portal.url
        return httpx.Client(base_url=url, headers=headers, timeout=ANSWER_SECONDS)

    def _word(self) -> str:
        self._count += 1
        return f"zq{self._number}x{self._count}"

    def _ask(
        self, kind: str, method: str, path: str, who: str = SERVICE, **more: Any
    ) -> httpx.Response | None:
        """The answer; None where there was none, or where something is away."""
        try:
            answer = self._clients[who].request(method, path, **more)
        except httpx.HTTPError:
            self._ledger.count(kind, "no answer")
            return None
        if answer.status_code == 503:
            self._ledger.count(kind, "refused")
            return None
        if answer.status_code >= 500:
            summary = f"{answer.status_code} {answer.text[:200]}"
            self._ledger.wonder(f"{method} {path}: {summary}")
        self._ledger.count(kind, "done")
        return answer

    def do_push(self) -> None:
        self._push_to(self._random.choice(self._pushes))

    def _push_to(self, pushed: Pushed) -> None:
        text = f"pushed {self._word()}"
        docs = pushed.has_docs
        files = {"catalog-info.yaml": described(pushed.name, text, docs=docs)}
        if (docs and self._random.random() < 0.3) or (not pushed.text and docs):
            files |= DOCS | {"docs/index.md": f"# Driver\n\n{text}\n"}
            pushed.docs = text
        self._host.push(pushed.name, files, text)
        pushed.text = text
        self._ledger.count("push", "done")

    def do_register(self) -> None:
        word = self._word()
        name, path = f"yard-{self._number}", f"{word}.yaml"
        text = f"registered {word}"
        self._host.commit(name, {path: described(word, text)}, text)
        target = f"{HOST}/{name}/blob/main/{path}"
        location = Registered(target, refs_of(word), text, name, path, unsure=True)
        with self._ledger.locked():
            self._ledger.registered.append(location)
        self._mine.append(location)
        body = {"type": "url", "target": target}
        answer = self._ask("register", "POST", "/api/catalog/locations", json=body)
        if answer is None:
            return
        if answer.status_code != 201:
            self._ledger.wonder(f"register {target}: {answer.text[:200]}")
            return
        location.id, location.unsure = answer.json()["location"]["id"], False
        self._expect(location, "registered")

    def do_refresh(self) -> None:
        live = [
            location for location in self._mine if location.id and not location.deleted
        ]
        if not live:
            return
        location = self._random.choice(live)
        word = self._word()
        prefix = location.path.removesuffix(".yaml")
        location.text, location.unsure = f"refreshed {word}", True
        self._host.commit(
            location.repository, {location.path: described(prefix, location.text)}, word
        )
        body = {"entityRef": location.refs[0]}
        answer = self._ask("refresh", "POST", "/api/catalog/refresh", json=body)
        if answer is not None and answer.status_code == 200:
            location.unsure = False
            self._expect(location, "refreshed")

    def do_delete(self) -> None:
        live = [
            location for location in self._mine if location.id and not location.deleted
        ]
        if len(live) < 3:
            return
        location = self._random.choice(live)
        location.unsure = location.deleted = True
        answer = self._ask("delete", "DELETE", f"/api/catalog/locations/{location.id}")
        if answer is not None and answer.status_code in (204, 404):
            location.unsure = False
            self._expect(location, "deleted")

    def _expect(self, location: Registered, change: str) -> None:
        """Whoever was told that it is done must find it done, at once."""
        answer = self._look(location.refs[0])
        if answer is None:
            return
        is_there = answer.status_code == 200
        if is_there == location.deleted or (
            is_there and answer.json()["metadata"].get("description") != location.text
        ):
            summary = f"{answer.status_code} {answer.text[:300]}"
            self._ledger.lose(f"{location.refs[0]} was {change}, and then: {summary}")

    def _look(self, ref: str) -> httpx.Response | None:
        kind, _, rest = ref.partition(":")
        deadline = time.monotonic() + LOOK_SECONDS
        while time.monotonic() < deadline and not self.ending.is_set():
            answer = self._ask("read", "GET", f"{BY_NAME}/{kind}/{rest}")
            if answer is not None:
                return answer
            self.ending.wait(PAUSE_SECONDS)
        return None

    def do_run(self) -> None:
        repository = f"made-{self._word()}"
        body = {"templateRef": TEMPLATE, "values": {"name": repository}}
        path = "/api/scaffolder/v2/tasks"
        answer = self._ask("run", "POST", path, ANN, json=body)
        if answer is None:
            return
        if answer.status_code != 201:
            self._ledger.wonder(f"run: {answer.status_code} {answer.text[:200]}")
            return
        with self._ledger.locked():
            self._ledger.runs[answer.json()["id"]] = repository

    def do_read(self) -> None:
        pushed = self._random.choice(self._pushes)
        path = self._random.choice(
            [
                "/api/catalog/entities/by-query?limit=20&filter=kind=component",
                f"{BY_NAME}/component/default/{pushed.name}-0",
                "/api/catalog/entity-facets?facet=kind",
                "/api/scaffolder/v2/tasks?limit=5",
            ]
        )
        self._ask("read", "GET", path)

    def do_search(self) -> None:
        self._ask("search", "GET", "/api/search/query?term=pushed&pageLimit=5")
