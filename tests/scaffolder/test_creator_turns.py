"""Long work of one person's runs and dry runs: it holds up nobody else's."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from services.scaffolder.handlers.open_dry_runs import (
    MOST_PER_CREATOR,
    MOST_TOGETHER,
    OpenDryRuns,
)
from services.scaffolder.model import Initiator, Task, fresh_steps
from services.scaffolder.runs.creator_turns import THREADS
from services.scaffolder.secrets import dual_values
from services.scaffolder.workspace.folder import Workspace
from shared.contracts.errors import TooMany
from tests.builders import template
from tests.scaffolder.calls import create, say, step, wait_for_status
from tests.scaffolder.test_run_parts import Lines, factory
from tests.waiting import until

ANN, BEN = Initiator("user:default/ann"), Initiator("user:default/ben")
LONG = "${{ 'long' | upper }}"
#: More than the threads of any pool.
MANY = 40


class Renderings:
    """Renderings of `LONG`, which end when they may."""

    def __init__(self, render: Any) -> None:
        self._render = render
        self._may_end = threading.Event()
        self.running = 0

    def render(self, dialect: Any, value: Any, *args: Any) -> Any:
        if LONG in str(value):
            self.running += 1
            assert self._may_end.wait(60)
            self.running -= 1
        return self._render(dialect, value, *args)

    def end(self) -> None:
        self._may_end.set()


@pytest.fixture
def renderings(monkeypatch: pytest.MonkeyPatch) -> Iterator[Renderings]:
    long = Renderings(dual_values.render)
    monkeypatch.setattr(dual_values, "render", long.render)
    yield long
    long.end()


async def test_runs_of_one_person_have_one_thread(
    tmp_path: Path, renderings: Renderings
) -> None:
    """However many there are, the run of somebody else is done meanwhile."""
    runs = factory(tmp_path)

    async def run(creator: Initiator, message: str, name: str) -> Lines:
        spec: Any = {"steps": [{"id": "s", "name": "S", **say(message)}]}
        spec["parameters"] = {}
        task, lines = Task(name, spec, creator, steps=fresh_steps(spec)), Lines()
        workspace = Workspace(tmp_path / name)
        await runs.dry_run(task, {}, lines, workspace, tmp_path).go()
        return lines

    of_ann = [asyncio.create_task(run(ANN, LONG, f"ann-{n}")) for n in range(MANY)]
    await until(lambda: renderings.running, condition="a long rendering runs")
    async with asyncio.timeout(10):
        lines = await run(BEN, "${{ 'short' | upper }}", "ben")
    assert "SHORT" in lines.messages
    assert renderings.running == 1
    renderings.end()
    assert all("LONG" in one.messages for one in await asyncio.gather(*of_ann))


async def test_files_of_a_run_have_its_creators_turn(
    tmp_path: Path, renderings: Renderings
) -> None:
    """Actions work in the same thread as the renderings of all the person's runs."""
    runs = factory(tmp_path)
    spec: Any = {"parameters": {}}
    spec["steps"] = [
        {"id": "s", "name": "S", **step("catalog:write", entity={"kind": "X"})}
    ]
    workspace = Workspace(tmp_path / "w")
    task = Task("t", spec, ANN, steps=fresh_steps(spec))
    run = runs.dry_run(task, {}, Lines(), workspace, tmp_path)
    in_thread, is_open = runs.turns.of_runs(ANN), threading.Event()
    blocking = asyncio.create_task(in_thread(is_open.wait, 30))
    writing = asyncio.create_task(run.go())
    await runs.turns.of_requests(ANN)(len, "")
    await asyncio.sleep(0.1)
    assert not workspace.root.exists()
    is_open.set()
    await asyncio.gather(blocking, writing)
    assert workspace.files() == ["catalog-info.yaml"]


async def test_each_of_many_people_has_a_thread_in_turn(tmp_path: Path) -> None:
    """More people than threads: who waits is next, not the work of those before."""
    turns, order = factory(tmp_path).turns, list[str]()
    gates = [threading.Event() for _ in range(THREADS)]
    people = [Initiator(f"user:default/u{number}") for number in range(THREADS)]
    first = [
        asyncio.create_task(turns.of_runs(person)(gate.wait, 30))
        for person, gate in zip(people, gates, strict=True)
    ]
    second = asyncio.create_task(turns.of_runs(people[0])(order.append, "second"))
    await asyncio.sleep(0)
    other = asyncio.create_task(turns.of_runs(BEN)(order.append, "other"))
    await asyncio.sleep(0.05)
    gates[0].set()
    await asyncio.gather(first[0], second, other)
    assert order == ["other", "second"]
    for gate in gates:
        gate.set()
    await asyncio.gather(*first)


def test_dry_runs_are_counted() -> None:
    """Those of a person and those of all; one that has ended counts no more."""
    dry_runs = OpenDryRuns()
    people = [f"user:default/u{n}" for n in range(MOST_TOGETHER // MOST_PER_CREATOR)]
    places = [
        dry_runs.hold(Initiator(ref)) for ref in people for _ in range(MOST_PER_CREATOR)
    ]
    for one in places[:MOST_PER_CREATOR]:
        one.__enter__()
    with pytest.raises(TooMany, match=rf"{people[0]} are under way.*has ended"):
        dry_runs.hold(Initiator(people[0])).__enter__()
    for one in places[MOST_PER_CREATOR:]:
        one.__enter__()
    with pytest.raises(TooMany, match=r"limit of all together.*has ended"):
        dry_runs.hold(BEN).__enter__()
    places[0].__exit__(None, None, None)
    with dry_runs.hold(BEN):
        pass


async def test_too_many_dry_runs_of_a_person_are_refused(
    start: Any, principal_headers: Any, renderings: Renderings
) -> None:
    """With 429 and what to do; those of others, and real runs, go on."""
    body = {"template": template("t", steps=[say(LONG)]), "values": {}}
    body["directoryContents"] = []
    ann, ben = principal_headers(), principal_headers("user:default/ben")
    async with start() as client:

        async def dry_run(headers: Any, **more: Any) -> Any:
            return await client.post("/v2/dry-run", json=body | more, headers=headers)

        sent = [asyncio.create_task(dry_run(ann)) for _ in range(MOST_PER_CREATOR + 2)]
        await until(
            lambda: sum(answer.done() for answer in sent) == 2,
            condition="two of them are refused",
        )
        short = template("t", steps=[say("short")])
        assert (await dry_run(ben, template=short)).status_code == 200
        renderings.end()
        answers = await asyncio.gather(*sent)
        refused = [answer for answer in answers if answer.status_code == 429]
        assert [answer.status_code for answer in answers].count(200) == MOST_PER_CREATOR
        for refusal in refused:
            message = refusal.json()["error"]["message"]
            assert "wait until one of them has ended" in message
            assert int(refusal.headers["retry-after"]) > 0
        assert (await dry_run(ann)).status_code == 200


async def test_a_dry_run_ends_when_its_client_hangs_up(
    start: Any, principal_headers: Any, tmp_path: Path, renderings: Renderings
) -> None:
    """No further step runs, and its folder is gone."""
    steps = [say(LONG), *[say("${{ 'next' | upper }}")] * 400]
    body = {"template": template("t", steps=steps), "values": {}}
    body["directoryContents"] = []
    has_left = asyncio.Event()
    dry_runs = tmp_path / "data" / "scaffolder" / "dry-runs"

    async with start() as client:

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            is_whole = False

            async def receive_until_left() -> Message:
                nonlocal is_whole
                if not is_whole:
                    message = await receive()
                    is_whole = not message["more_body"]
                    return message
                await has_left.wait()
                return {"type": "http.disconnect"}

            await client.app(scope, receive_until_left, send)

        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://s") as left:
            headers = principal_headers(permission="scaffolder.template.dry-run")
            answer = asyncio.create_task(
                left.post("/v2/dry-run", json=body, headers=headers)
            )
            await until(lambda: renderings.running, condition="a long rendering runs")
            assert list(dry_runs.iterdir()) != []
            has_left.set()
            await asyncio.sleep(0.1)
            renderings.end()
            # Nobody reads it: the client has hung up.
            assert (await answer).status_code == 400
    assert list(dry_runs.iterdir()) == []


async def test_a_run_is_done_while_many_of_another_person_work(
    start: Any, principal_headers: Any, catalog: Any, renderings: Renderings
) -> None:
    """From the request to the end of the run."""
    catalog.add(template("long", steps=[say(LONG)]))
    catalog.add(template("short", steps=[say("${{ 'short' | upper }}")]))
    ann, ben = principal_headers(), principal_headers("user:default/ben")
    async with start(slots=12) as client:
        of_ann = [await create(client, ann, "long") for _ in range(12)]
        await until(lambda: renderings.running, condition="a long rendering runs")
        run = await wait_for_status(client, ben, await create(client, ben, "short"))
        assert (run["status"], renderings.running) == ("completed", 1)
        renderings.end()
        for task_id in of_ann:
            await wait_for_status(client, ann, task_id)


async def test_the_files_of_an_ended_run_are_deleted_beside_the_loop(
    start: Any,
    principal_headers: Any,
    catalog: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They may be thousands: no request waits for it."""
    threads, remove = list[threading.Thread](), Workspace.remove

    def noted_remove(workspace: Workspace) -> None:
        threads.append(threading.current_thread())
        remove(workspace)

    monkeypatch.setattr(Workspace, "remove", noted_remove)
    catalog.add(template("t", steps=[step("catalog:write", entity={"kind": "X"})]))
    headers = principal_headers()
    async with start() as client:
        task_id = await create(client, headers, "t")
        await wait_for_status(client, headers, task_id, "completed")
        folder = tmp_path / "data" / "scaffolder" / "workspaces" / task_id
        await until(lambda: threads and not folder.exists(), condition="it is deleted")
    assert threading.current_thread() not in threads
