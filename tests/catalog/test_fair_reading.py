"""One source's reading does not hold up the others, however dear it is."""

import asyncio
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from services.catalog import events
from services.catalog.events import Pushes
from services.catalog.handlers import effort, walk
from services.catalog.handlers.catalog import CatalogContext, context_for
from services.catalog.handlers.effort import Effort, RestingRoots
from services.catalog.handlers.ingestion import ingest
from services.catalog.handlers.location_reader import LocationReader
from services.catalog.handlers.pushes import Push
from services.catalog.ingest.candidates import check_document
from services.catalog.ingest.location_targets import MOST_PATTERNS, MOST_TARGETS
from shared.contracts.envelope import Envelope
from shared.contracts.errors import Invalid, Unavailable
from shared.contracts.gateway import RepositoryPushed
from shared.guards.budgets import BudgetExceeded
from shared.kit.git.mirrors import RepositoryMirrors
from shared.kit.resilience.retries import Backoff
from tests import builders
from tests.catalog.running import Host, pointing, running, write
from tests.catalog.test_pushes import event
from tests.waiting import until

#: Pushes need no more of a catalog while nothing is read.
CATALOG: Any = SimpleNamespace(sources=SimpleNamespace(folds_case=bool))


def work_for(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


async def test_the_work_of_a_reading_is_limited() -> None:
    """Each step is counted; when the budget is spent, no step begins."""
    reading = Effort("url:https://git.example.org/a", asyncio.Lock(), seconds=0.05)
    await reading.compute(work_for, 0.02)
    assert not reading.is_over
    await reading.compute(work_for, 0.04)
    with pytest.raises(BudgetExceeded, match=r"^url:https:.*/a: its reading takes ove"):
        await reading.compute(work_for, 0.0)


async def test_slow_readings_take_turns_and_quick_ones_run_at_once() -> None:
    """However many readings are slow, one of them works at a time."""
    turns, go = asyncio.Lock(), threading.Event()
    dear_readings = [Effort(f"dear {number}", turns) for number in range(3)]
    for reading in dear_readings:
        await reading.compute(time.process_time)
        reading.spent = effort.QUICK_SECONDS
    tasks = [
        asyncio.ensure_future(reading.compute(go.wait, 60)) for reading in dear_readings
    ]
    await until(turns.locked, condition="one works")
    assert await Effort("quick", turns).compute(sum, [1, 2]) == 3
    assert not any(task.done() for task in tasks)
    go.set()
    assert await asyncio.gather(*tasks) == [True] * 3


def test_a_slow_location_pauses_longer_each_time() -> None:
    """Until one of its readings is complete."""
    now = [0.0]
    rests = RestingRoots(lambda: now[0])
    spent, fine = (Effort("a", asyncio.Lock(), seconds=n) for n in (0.0, 1.0))
    for rest in (600, 1200, 2400):
        rests.note("a", spent)
        now[0] += rest - 1
        assert rests.is_resting("a")
        assert not rests.is_resting("b")
        now[0] += 2
        assert not rests.is_resting("a")
    for _ in range(20):
        rests.note("a", spent)
    now[0] += effort.LONGEST_REST + 1
    assert not rests.is_resting("a")
    rests.note("a", spent)
    rests.note("a", fine)
    assert not rests.is_resting("a")


async def test_a_location_over_its_budget_keeps_its_entities(
    database: Any, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its status tells the reason; scans skip the location, a push does not."""
    write(data, "a.yaml", builders.component("a"))
    file = write(data, "all.yaml", pointing("all", "./a.yaml"))
    async with running(database, data) as running_catalog:
        await running_catalog.register(file)
        catalog: CatalogContext = running_catalog.work.catalog
        [root] = catalog.state.roots.values()
        write(data, "a.yaml", builders.component("a", owner="team-b"))
        with monkeypatch.context() as patch:
            patch.setattr(
                CatalogContext,
                "effort",
                lambda self, label: Effort(label, self.turns, seconds=0.0),
            )
            await ingest(catalog, root, context_for("push"))
        [problem] = await running_catalog.problems(root.name)
        assert "its reading takes over 0 s of work; name fewer" in problem
        assert await owner_of(running_catalog) == "team-a"
        root = catalog.state.roots[root.name]
        await ingest(catalog, root, context_for("scan"))
        assert await owner_of(running_catalog) == "team-a"
        await ingest(catalog, root, context_for("push"))
        assert await owner_of(running_catalog) == "team-b"
        assert await running_catalog.problems(root.name) == []
        assert not catalog.resting_roots.is_resting(root.name)


async def owner_of(catalog: Any) -> str:
    entity = await catalog.entity("component:default/a")
    return str(entity["spec"]["owner"])


def test_the_targets_of_a_location_are_limited() -> None:
    """The error names the field and the limit; plain files are not counted."""
    files = [f"./{n}/catalog-info.yaml" for n in range(MOST_PATTERNS * 2)]
    patterns = [f"./{n}/*.yaml" for n in range(MOST_PATTERNS)]
    check_document(pointing("many", *files, *patterns))
    urls = [f"https://git.example.org/a/blob/main/{n}/**" for n in range(2)]
    for more in (["./x/?.yaml"], urls):
        with pytest.raises(Invalid, match=r"spec\.targets: over 100 patterns"):
            check_document(pointing("many", *files, *patterns, *more))
    files = [f"./{n}.yaml" for n in range(MOST_TARGETS)]
    check_document(pointing("many", *files))
    with pytest.raises(Invalid, match=r"spec\.targets: 20,001 targets, over the limit"):
        check_document(pointing("many", *files, "./x.yaml"))


async def test_repeated_targets_count_toward_the_limit(
    database: Any, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many Locations with the same targets hit the limit; their entities stay."""
    monkeypatch.setattr(walk, "NAMED_LIMIT", 25)
    write(data, "a.yaml", builders.component("a"))
    more_targets = [f"./{n}.yaml" for n in range(9)]
    names = [f"all-{n}" for n in range(4)]
    locations = [pointing(name, "./a.yaml", *more_targets) for name in names]
    file = write(data, "all.yaml", *locations)
    async with running(database, data) as catalog:
        await catalog.register(file)
        assert await owner_of(catalog) == "team-a"
        problems = [await catalog.problems(name) for name in names]
        await catalog.ask("POST", "/refresh", {"entityRef": "location:all-3"})
        assert await owner_of(catalog) == "team-a"
    over = [
        any("names over 25 targets" in problem for problem in of) for of in problems
    ]
    assert over == [False, False, True, True]


async def test_targets_over_the_limit_are_a_problem_of_their_location(
    database: Any, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they brought stays, and none of them is read; a dry run is refused."""
    monkeypatch.setattr(walk, "MOST_TARGETS", 4)
    for name in "abcde":
        write(data, f"{name}.yaml", builders.component(name))
    file = write(data, "all.yaml", pointing("all", "./a.yaml", "./b.yaml"))
    async with running(database, data) as catalog:
        assert (await catalog.register(file)).status_code == 201
        write(data, "all.yaml", pointing("all", *(f"./{n}.yaml" for n in "cdeab")))
        refused = await catalog.register(file, "?dryRun=true")
        assert refused.status_code == 400
        assert "leads to over 4 targets" in refused.text
        await catalog.ask("POST", "/refresh", {"entityRef": "location:all"})
        names = {"component:a", "component:b", "location:all"}
        assert await catalog.refs() == names
        more_targets = (f"./{name}.yaml" for name in ("all", *"cdeab"))
        file = write(data, "more.yaml", pointing("more", *more_targets))
        answer = await catalog.register(file)
        assert answer.status_code == 201
        assert await catalog.refs() == names | {"location:more"}
        problems = await catalog.problems("all")
    assert sum("leads to over 4 targets" in problem for problem in problems) == 1


async def test_a_registration_whose_reading_is_refused_is_none(
    database: Any, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the answer is an error, nothing is registered, and nothing is read."""
    file = write(data, "a.yaml", builders.component("a"))

    async def refuse(*_: object) -> object:
        raise Invalid("the reading: is refused")

    async with running(database, data) as catalog:
        with monkeypatch.context() as patched:
            patched.setattr(LocationReader, "_completed", refuse)
            assert (await catalog.register(file)).status_code == 400
        assert (await catalog.ask("GET", "/locations")).json() == []
        assert (await catalog.register(file)).status_code == 201
        assert "component:a" in await catalog.refs()


async def test_a_file_of_many_addresses_is_read_once(
    database: Any, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git reads the file once, however many spellings its Location has."""
    host = Host(data)
    targets = [f"{host.url('a', 'a.yaml')}?n={n}" for n in range(40)]
    files = {
        "catalog-info.yaml": pointing("all", *targets),
        "a.yaml": builders.component("a"),
    }
    host.commit("a", files)
    reads: list[str] = []
    read = RepositoryMirrors.read

    async def count(
        self: Any, target: Any, commit: str, path: str, **more: Any
    ) -> bytes:
        reads.append(path)
        return await read(self, target, commit, path, **more)

    monkeypatch.setattr(RepositoryMirrors, "read", count)
    async with running(database, data, host.config()) as catalog:
        await catalog.register(host.url("a"))
        assert await owner_of(catalog) == "team-a"
    assert reads.count("a.yaml") <= walk.AT_ONCE


class Reader:
    """Reads pushes; those of the repository `slow` when it is let go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.pushes: list[tuple[str, frozenset[str] | None]] = []
        self.errors: list[Exception] = []

    async def __call__(self, _catalog: Any, _providers: Any, push: Push) -> None:
        self.pushes.append((push.repository, push.paths))
        if push.repository == "slow":
            await self.go.wait()
        if self.errors:
            raise self.errors.pop()

    def paths(self, repository: str) -> Sequence[Any]:
        return [set(paths or ()) for name, paths in self.pushes if name == repository]


def envelopes(*payloads: RepositoryPushed) -> list[Envelope]:
    return [
        Envelope.of(payload, source="/gateway", subject="x") for payload in payloads
    ]


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Reader:
    reader = Reader()
    monkeypatch.setattr(events, "apply_push", reader)
    monkeypatch.setattr(events, "PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr(events, "BACKOFF", Backoff.every(0.01))
    return reader


async def test_a_slow_repository_does_not_delay_others(reader: Reader) -> None:
    """It is read in the background; pushes meanwhile cause one more reading."""
    async with Pushes(CATALOG, ()) as pushes:
        await pushes(envelopes(event("slow", "a"), event("quick", "a")))
        for path in ("b", "c"):
            await pushes(envelopes(event("slow", path), event("quick", path)))
        assert reader.paths("quick") == [{"a"}, {"b"}, {"c"}]
        assert reader.paths("slow") == [{"a"}]
        reader.go.set()
        await until(
            lambda: len(reader.paths("slow")) == 2, condition="the rest is read"
        )
    assert reader.paths("slow") == [{"a"}, {"b", "c"}]


async def test_a_failed_push_is_returned_or_retried(reader: Reader) -> None:
    """A waiting caller gets the error; in the background the push is retried."""
    async with Pushes(CATALOG, ()) as pushes:
        reader.errors = [Unavailable("away")]
        with pytest.raises(Unavailable):
            await pushes(envelopes(event("quick", "a")))
        await pushes(envelopes(event("slow", "a")))
        reader.errors = [Unavailable("away"), Unavailable("away")]
        reader.go.set()
        await until(lambda: len(reader.paths("slow")) == 3, condition="tried again")
        await pushes(envelopes(event("quick", "b")))


async def test_background_readings_are_limited(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the limit a batch waits, so that readings do not pile up."""
    monkeypatch.setattr(events, "MOST_BEHIND", 0)
    async with Pushes(CATALOG, ()) as pushes:
        waiting = asyncio.ensure_future(pushes(envelopes(event("slow", "a"))))
        await until(lambda: reader.paths("slow"), condition="it began")
        # Twenty times the patience after which it would be read behind.
        done, _ = await asyncio.wait({waiting}, timeout=0.2)
        assert not done
        reader.go.set()
        await waiting
