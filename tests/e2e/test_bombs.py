"""No request makes a service stand still for its other clients.

Every public operation and every page is asked with everything in `bombs`, one after
the other, while other clients ask each service for its health ten times a second.
"""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from deploy.embedded.rundata import SERVICES
from services.portal.router import PAGES
from tests.e2e import bomb_contents, bombs
from tests.e2e.bombs import Bomb
from tests.e2e.pulse import Pulse
from tests.e2e.running import ANN, SERVICE, Portal
from tests.waiting import until_now

#: What an answer may take on a machine that has nothing else to do: longer ones are in
#: the figures. The test fails above a multiple of it, and of what an answer takes while
#: nobody sends anything: this machine may have a lot to do.
LIMIT_SECONDS = 0.25
GENEROUS, MULTIPLE = 4.0, 8.0
CALM_SECONDS = 5.0
ANSWER_SECONDS = 20.0
#: After an answer, for what goes on behind it.
AFTER_SECONDS = 0.15
FIGURES = Path(__file__).resolve().parents[2] / "artefacts" / "bombs.json"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


def push(portal: Portal) -> None:
    """Put bombs into the catalog as somebody pushes them, and into their docs."""
    files = {"catalog-info.yaml": "\n---\n".join(json.dumps(e) for e in pushed())}
    files |= bomb_contents.documentation()
    portal.repository("bombs", files)
    until_now(lambda: portal.known("component:default/bomb-plain"), "the push")
    sync = "/api/techdocs/sync/default/component/bomb-plain"
    portal.as_(SERVICE).get(sync, timeout=150)


def pushed() -> Iterator[dict[str, Any]]:
    """Entities of somebody's own repository, small enough for the catalog."""
    plain = {"apiVersion": "backstage.io/v1alpha1", "kind": "Component"}
    spec = {"type": "service", "lifecycle": "production", "owner": "booking"}
    title = "a" * 200 + " " + "ab" * 100
    refers = {"backstage.io/techdocs-ref": "dir:."}
    metadata = {"name": "bomb-plain", "title": title, "annotations": refers}
    yield {**plain, "metadata": metadata, "spec": spec}
    for number, (_, kind, text) in enumerate(bomb_contents.definitions()):
        yield {
            **plain,
            "kind": "API",
            "metadata": {"name": f"bomb-{number}"},
            "spec": {**spec, "type": kind, "definition": text},
        }
    for number, (_, template, _values) in enumerate(bomb_contents.templates()):
        yield {**template, "metadata": {"name": f"bomb-{number}"}}


def stored(portal: Portal) -> Iterator[Bomb]:
    """The pages and answers that are made of what was pushed."""
    for number, (name, _, _) in enumerate(bomb_contents.definitions()):
        base = f"/catalog/default/api/bomb-{number}"
        for tab in ("", "/api", "/definition", "/raw", "/dependencies", "/activity"):
            yield Bomb(f"page of definition {name}{tab}", "GET", base + tab)
    for number, (name, _, values) in enumerate(bomb_contents.templates()):
        page = f"/create/templates/default/bomb-{number}"
        filled = {f"p.{key}": str(value)[:5000] for key, value in values.items()}
        yield Bomb(f"form {name}", "GET", page)
        yield Bomb(f"form {name}, filled", "GET", page, params=filled)
        schema = f"/api/scaffolder/v2/templates/default/template/bomb-{number}"
        yield Bomb(f"schema {name}", "GET", f"{schema}/parameter-schema")
        body = {"templateRef": f"template:default/bomb-{number}", "values": values}
        yield Bomb(
            f"task {name}",
            "POST",
            "/api/scaffolder/v2/tasks",
            body=json.dumps(body).encode(),
        )

    for page in ("", "long/", "?find=a*a*b"):
        path = f"/docs/default/component/bomb-plain/{page}"
        yield Bomb(f"docs {page}", "GET", path)
    content = "/api/techdocs/pages/default/component/bomb-plain"
    yield Bomb("docs content", "GET", content)


def pages() -> Iterator[tuple[str, str]]:
    for router in PAGES:
        for route in router.routes:
            if isinstance(route, APIRoute):
                yield from ((method, route.path) for method in route.methods)


class Client:
    """Somebody with a token for the API and a session for the pages."""

    def __init__(self, portal: Portal) -> None:
        self._api = portal.with_token(portal.sign_in(ANN))
        self._pages = portal.user("ann")
        self.answers: dict[int, int] = {}

    def send(self, bomb: Bomb) -> None:
        """Ask, and read at most the beginning of an answer that does not end."""
        client = self._api if bomb.path.startswith("/api/") else self._pages
        headers = {"content-type": "application/json", **(bomb.headers or {})}
        deadline = time.monotonic() + ANSWER_SECONDS
        status = 0
        try:
            with client.stream(
                bomb.method,
                bomb.path,
                params=bomb.params,
                headers=headers,
                content=bomb.body,
                timeout=ANSWER_SECONDS,
            ) as answer:
                status = answer.status_code
                streams = "event-stream" in answer.headers.get("content-type", "")
                for _ in () if streams else answer.iter_raw():
                    if time.monotonic() > deadline:
                        break
        except httpx.HTTPError:
            pass
        self.answers[status] = self.answers.get(status, 0) + 1

    def close(self) -> None:
        self._api.close()
        self._pages.close()


def all_bombs(portal: Portal) -> Iterator[Bomb]:
    document = portal.get("/api/openapi.json", SERVICE)
    yield from bombs.of_meaning()
    yield from stored(portal)
    yield from bombs.of_operations(document)
    yield from bombs.of_pages(pages())


def test_no_input_blocks_a_service(system: Portal) -> None:
    """Every operation and page, with every kind of input; all offenders are listed."""
    portal = system
    pulse = Pulse({name: portal.run["addresses"][name] for name in SERVICES})
    pulse.start()
    client = Client(portal)
    try:
        start = time.monotonic()
        until_now(lambda: time.monotonic() - start > CALM_SECONDS, "a calm while")
        calm = pulse.worst(start, time.monotonic())
        walk = Walk(portal, pulse, client, max(calm.values()))
        walk.go()
    finally:
        pulse.stop()
        client.close()
    figures = {
        "requests": walk.count,
        "limit": round(walk.limit, 3),
        "calm": {name: round(seconds, 3) for name, seconds in calm.items()},
        "slowest": {name: round(seconds, 3) for name, seconds in walk.slowest.items()},
        "answers": client.answers,
        "late": walk.late,
        "offenders": walk.offenders,
    }
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps(figures, indent=2) + "\n")
    assert walk.count > 1500
    assert walk.offenders == [], "\n".join(walk.offenders)


class Walk:
    """Sends everything, and notes who waited for it."""

    def __init__(
        self, portal: Portal, pulse: Pulse, client: Client, calm: float
    ) -> None:
        self._portal, self._pulse, self._client = portal, pulse, client
        self.limit = GENEROUS * LIMIT_SECONDS + MULTIPLE * calm
        self.count = 0
        self.slowest: dict[str, float] = {}
        #: Answers over the limit of a quiet machine, and over the generous one.
        self.late: list[str] = []
        self.offenders: list[str] = []

    def go(self) -> None:
        self._note("a push of all of them", lambda: push(self._portal))
        for bomb in all_bombs(self._portal):
            self.count += 1
            self._note(bomb.description, lambda bomb=bomb: self._send(bomb))  # type: ignore[misc]

    def _send(self, bomb: Bomb) -> None:
        self._client.send(bomb)
        if bomb.body:
            # What it began may go on behind the answer.
            time.sleep(AFTER_SECONDS)

    def _note(self, description: str, act: Callable[[], None]) -> None:
        start = time.monotonic()
        act()
        worst = self._pulse.worst(start, time.monotonic())
        for service, seconds in worst.items():
            self.slowest[service] = max(self.slowest.get(service, 0.0), seconds)
            line = f"{description}: {service} waited {seconds:.2f} s"
            if seconds > self.limit:
                self.offenders.append(line)
            elif seconds > LIMIT_SECONDS:
                self.late.append(line)
        if any(seconds > self.limit for seconds in worst.values()):
            calm = f"all is well after {description}"
            until_now(lambda: is_calm(self._pulse, self.limit), calm)


def is_calm(pulse: Pulse, limit: float) -> bool:
    """Whether every service has answered in time for the last second."""
    now = time.monotonic()
    last = pulse.worst(now - 1.0, now)
    return len(last) == len(pulse.addresses) and max(last.values()) < limit
