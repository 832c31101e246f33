"""The pool: which runs a process takes, how many at once, and how it lets them go."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.scaffolder.model import Initiator, StepRecord, TakenOver, Task
from services.scaffolder.runs.pool import Pool
from services.scaffolder.secrets.vault import FernetVault
from services.scaffolder.store.tasks import MongoTaskStore
from shared.contracts.errors import Unavailable
from shared.contracts.scaffolder import RunCreated
from tests.conftest import SECRET
from tests.waiting import until

ANN = Initiator("user:default/ann")


class ScriptedRun:
    """A run that waits until it is let go, and notes what becomes of it."""

    def __init__(self, task: Task, log: list[str]) -> None:
        self._task = task
        self._log = log
        self.finish = asyncio.Event()

    async def go(self) -> None:
        self._log.append(f"begun {self._task.id}")
        await self.finish.wait()
        self._log.append(f"done {self._task.id}")

    async def cancelled(self) -> None:
        self._log.append(f"cancelled {self._task.id}")


class Works:
    """Makes pools on one store, with the log of all their runs."""

    def __init__(self, store: MongoTaskStore) -> None:
        self.store = store
        self.log: list[str] = []
        self.runs: dict[str, ScriptedRun] = {}
        self.ended: list[str] = []

    async def make(self, task: Task) -> Any:
        self.runs[task.id] = ScriptedRun(task, self.log)
        return self.runs[task.id]

    async def end(self, task: Task) -> None:
        self.ended.append(task.id)

    @asynccontextmanager
    async def pool(self, owner: str = "one", slots: int = 2) -> AsyncIterator[Pool]:
        pool = Pool(
            self.store,
            self.make,
            owner=owner,
            slots=slots,
            ended=self.end,
            heartbeat_seconds=0.05,
            poll_seconds=0.05,
        )
        async with pool:
            yield pool

    async def create(self, *names: str, creator: Initiator = ANN) -> None:
        for name in names:
            spec: Any = {"steps": [], "parameters": {}}
            task = Task(name, spec, creator, steps=[StepRecord("a", "A")])
            change = RunCreated(
                task_id=name, template_ref="template:default/t", created_by=creator.ref,
                status="open", sequence=task.next_sequence(),
            )  # fmt: skip
            await self.store.create(task, change)

    async def wait_for_log(self, *lines: str) -> None:
        await until(
            lambda: set(lines) <= set(self.log), condition=f"{lines} in {self.log}"
        )


@pytest.fixture
async def works(database: Any) -> Works:
    store = MongoTaskStore(database, FernetVault(SECRET), nudge=lambda: None)
    await store.prepare()
    return Works(store)


async def status(works: Works, name: str) -> str:
    task = await works.store.get(name)
    assert task is not None
    return task.status


async def test_an_offered_run_is_claimed_and_worked_on(works: Works) -> None:
    """Its slot is free again when the run has ended, and its end is reported."""
    await works.create("a")
    async with works.pool() as pool:
        pool.offer("a")
        pool.offer("a")
        await works.wait_for_log("begun a")
        assert pool.running == 1
        works.runs["a"].finish.set()
        await until(lambda: pool.running == 0)
    assert works.log == ["begun a", "done a"]
    assert works.ended == ["a"]


async def test_the_pool_runs_no_more_than_its_slots(works: Works) -> None:
    """Waiting runs are polled for, at the latest when a slot is free."""
    await works.create("a", "b", "c")
    async with works.pool(slots=2) as pool:
        for name in ("a", "b", "c"):
            pool.offer(name)
        await works.wait_for_log("begun a", "begun b")
        assert pool.running == 2
        assert "begun c" not in works.log
        await works.store._tasks.update_one({"_id": "c"}, {"$set": {"arrival": 1}})
        works.runs["a"].finish.set()
        await works.wait_for_log("begun c")


async def test_one_persons_runs_leave_slots_to_others(works: Works) -> None:
    """A quarter of them: runs that wait for long hold up nobody else's."""
    names = [f"ann-{number}" for number in range(6)]
    await works.create(*names)
    await works.create("ben", creator=Initiator("user:default/ben"))
    async with works.pool(slots=4) as pool:
        for name in names:
            pool.offer(name)
        await works.wait_for_log(*(f"begun {name}" for name in names[:3]))
        await until(lambda: pool.running == 3, condition="no run beyond the share")
        pool.offer("ben")
        await works.wait_for_log("begun ben")
        await works.store._tasks.update_many({}, {"$set": {"arrival": 1}})
        works.runs["ben"].finish.set()
        await until(lambda: "ben" in works.ended)
        assert pool.running == 3
        works.runs[names[0]].finish.set()
        await until(
            lambda: len(works.runs) == 5, condition="the next run of the person"
        )


async def test_a_process_without_slots_takes_no_runs(works: Works) -> None:
    """It may serve the API alone."""
    await works.create("a")
    async with works.pool(slots=0) as pool:
        pool.offer("a")
        assert pool.running == 0
        await pool.check()
    assert await status(works, "a") == "open"


async def test_a_run_of_another_process_is_not_taken(works: Works) -> None:
    """An offer is no claim."""
    await works.create("a")
    assert await works.store.claim("a", "other") is not None
    async with works.pool() as pool:
        pool.offer("a")
        await until(lambda: pool.running == 0)
    assert works.log == works.ended == []


async def test_a_cancelled_run_is_ended_by_its_process(works: Works) -> None:
    """At once where it runs; elsewhere by the next heartbeat."""
    await works.create("a", "b")
    async with works.pool() as pool:
        for name in ("a", "b"):
            pool.offer(name)
        await works.wait_for_log("begun a", "begun b")
        pool.cancel("a")
        pool.cancel("unknown")
        await works.wait_for_log("cancelled a")
        assert await works.store.request_cancellation("b") is not None
        await works.wait_for_log("cancelled b")
    assert "done a" not in works.log


async def test_a_run_that_was_taken_over_is_stopped_silently(works: Works) -> None:
    """Its process neither ends it nor releases it: another one has it."""
    await works.create("a")
    async with works.pool() as pool:
        pool.offer("a")
        await works.wait_for_log("begun a")
        await works.store._tasks.update_one({"_id": "a"}, {"$inc": {"epoch": 1}})
        await until(lambda: pool.running == 0, condition="the heartbeat is refused")
    assert works.log == ["begun a"]
    assert works.ended == ["a"]
    assert await status(works, "a") == "processing"


async def test_a_stopped_pool_releases_its_runs(works: Works) -> None:
    """Another process claims them at once."""
    await works.create("a")
    async with works.pool("one") as pool:
        pool.offer("a")
        await works.wait_for_log("begun a")
    pool.offer("a")
    assert pool.running == 0
    async with works.pool("two"):
        await until(
            lambda: works.log.count("begun a") == 2, condition="the second claims it"
        )


async def test_a_restarted_process_takes_back_its_runs(works: Works) -> None:
    """Without waiting for the end of the lease that it holds itself."""
    await works.create("a")
    assert await works.store.claim("a", "one") is not None
    async with works.pool("one"):
        await works.wait_for_log("begun a")


@pytest.mark.parametrize("error", [TakenOver("a"), Unavailable("The store is away")])
async def test_an_error_of_the_store_ends_no_pool(
    works: Works, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is given up, and a later offer works again."""
    await works.create("a")
    make: Callable[[Task], Any] = works.make

    async def fails(task: Task) -> Any:
        raise error

    monkeypatch.setattr(works, "make", fails)
    async with works.pool() as pool:
        pool.offer("a")
        await until(lambda: works.ended == ["a"])
        await pool.check()
        monkeypatch.setattr(pool, "_make", make)
        await works.store.release(await works.store.get("a"))  # type: ignore[arg-type]
        await works.wait_for_log("begun a")
