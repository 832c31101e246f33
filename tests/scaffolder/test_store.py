"""The store of runs: every query of it, on whatever server the documents lie."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.scaffolder.model import (
    Initiator,
    StepRecord,
    TakenOver,
    Task,
    TaskEvent,
    TaskQuery,
)
from services.scaffolder.secrets.vault import FernetVault
from services.scaffolder.store.tasks import LEASE_SECONDS, MongoTaskStore
from shared.contracts.scaffolder import RunCancelled, RunCreated, StepChanged
from shared.kit.events.bus import MemoryBus
from shared.kit.events.outbox import OutboxRelay
from tests.clock import Clock
from tests.conftest import SECRET

ANN, BO = Initiator("user:default/ann"), Initiator("user:default/bo")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(database: Any, clock: Clock) -> MongoTaskStore:
    vault = FernetVault(SECRET)
    task_store = MongoTaskStore(database, vault, nudge=lambda: None, clock=clock)
    await task_store.prepare()
    return task_store


def change_of(task: Task, kind: Any = StepChanged) -> Any:
    return kind(
        task_id=task.id,
        template_ref="template:default/t",
        created_by=task.created_by.ref,
        status=task.status,
        sequence=task.next_sequence(),
    )


async def created(store: MongoTaskStore, name: str, by: Initiator = ANN) -> Task:
    spec = {"steps": [{"id": "a"}], "$odd": {"a.b": 2**70, "n": None}}
    task = Task(name, spec, by, steps=[StepRecord("a", "A")])
    await store.create(task, change_of(task, RunCreated))
    return task


async def taken(store: MongoTaskStore, name: str, owner: str = "one") -> Task:
    stored = await store.claim(name, owner)
    assert stored is not None
    return stored


async def published_sequences(store: MongoTaskStore) -> list[int]:
    """What the relay says: the sequences, in their order."""
    bus = MemoryBus()
    await OutboxRelay(store._tasks, bus).drain()
    return [envelope.data["sequence"] for envelope in bus.envelopes()]


@pytest.mark.parametrize("is_confidential", [False, True])
async def test_a_run_is_read_back_as_it_was_written(
    store: MongoTaskStore, is_confidential: bool
) -> None:
    """Unusual names and large numbers in the spec, and the state of each step."""
    created_task = await created(store, "t1")
    task = await taken(store, "t1")
    assert task.spec == {**created_task.spec, "$odd": {"a.b": float(2**70), "n": None}}
    task.is_confidential = is_confidential
    task.steps[0].output = {"k.l": ["v"], "$x": {}}
    task.steps[0].started_at = datetime(2026, 1, 2, tzinfo=UTC)
    task.checkpoints = {"a/b.c": {"$sha": "1"}}
    await store.record(task, [])
    stored = await store.get("t1")
    assert stored is not None
    assert (stored.steps, stored.checkpoints) == (task.steps, task.checkpoints)
    assert await store.get("never") is None


async def test_lists_are_filtered_ordered_and_paged(store: MongoTaskStore) -> None:
    """With the total of all pages; a stranger's list is empty."""
    for name, by in (("t1", ANN), ("t2", BO), ("t3", ANN)):
        await created(store, name, by)
    await taken(store, "t3")

    async def listed(**query: Any) -> tuple[list[str], int]:
        stored, total = await store.find(TaskQuery(**query))
        return [task.id for task in stored], total

    assert await listed() == (["t3", "t2", "t1"], 3)
    assert await listed(is_descending=False, limit=1, offset=1) == (["t2"], 3)
    assert await listed(limit=0) == ([], 3)
    assert await listed(created_by=(ANN.ref,)) == (["t3", "t1"], 2)
    assert await listed(status=("processing", "failed")) == (["t3"], 1)
    assert await listed(visible_to=(BO.ref,)) == (["t2"], 1)
    assert await listed(visible_to=(BO.ref,), created_by=(ANN.ref,)) == ([], 0)
    assert await listed(visible_to=()) == ([], 0)
    assert (await listed(order_by="created_by"))[0] == ["t2", "t3", "t1"]
    assert (await listed(order_by="status", is_descending=False))[0][-1] == "t3"


async def test_open_expired_and_own_runs_can_be_claimed(
    store: MongoTaskStore, clock: Clock
) -> None:
    """Open runs, expired ones, and those of the process's former life."""
    await created(store, "t1")
    mine = await taken(store, "t1")
    assert await store.claim("t1", "two") is None
    assert await store.claim("t1", "one") is None
    assert await store.left_behind("one") == ["t1"]
    assert await store.left_behind("two") == []
    back = await store.claim("t1", "one", takes_back=True)
    assert back is not None
    assert back.epoch == mine.epoch + 1
    assert await store.claimable(5) == []
    clock.now += LEASE_SECONDS + 1
    assert (await taken(store, "t1", "two")).epoch == back.epoch + 1


async def test_a_claim_changes_no_other_run(
    store: MongoTaskStore, clock: Clock
) -> None:
    """Other claimable runs keep their holders, leases and counts."""
    for name in ("t1", "t2", "t3"):
        await created(store, name)
    await taken(store, "t1", "gone")
    assert await store.claimable(5) == []
    clock.now += LEASE_SECONDS + 1
    assert (await taken(store, "t2", "two")).id == "t2"
    assert await store.left_behind("gone") == ["t1"]
    assert await store.left_behind("two") == ["t2"]
    assert await store.claim("never", "two") is None
    assert await store.left_behind("gone") == ["t1"]


async def test_waiting_runs_are_found(store: MongoTaskStore, clock: Clock) -> None:
    """Open for a while or without a holder, the oldest first; fresh ones are not."""
    for name in ("t1", "t2", "t3", "t4"):
        await created(store, name)
    await taken(store, "t2")
    assert await store.claimable(5) == []
    clock.now += LEASE_SECONDS + 1
    await store._tasks.update_one({"_id": "t3"}, {"$set": {"arrival": 1}})
    await taken(store, "t4")
    assert await store.claimable(5) == ["t3", "t2"]
    assert await store.claimable(1) == ["t3"]


async def test_a_run_is_taken_over_when_its_lease_is_not_renewed(
    store: MongoTaskStore, clock: Clock
) -> None:
    """Whatever the holder's clock says."""
    await created(store, "t1")
    mine = await taken(store, "t1")
    for ahead in (-1e12, 1e12):
        shifted = {"$inc": {"lease.until": ahead}}
        await store._tasks.update_one({"_id": "t1"}, shifted)
        assert await store.claim("t1", "two") is None
        clock.now += LEASE_SECONDS - 1
        assert await store.claim("t1", "two") is None
        assert not await store.heartbeat(mine)
    clock.now += LEASE_SECONDS + 1
    assert await store.claimable(5) == []
    clock.now += LEASE_SECONDS + 1
    assert await store.claimable(5) == ["t1"]
    await taken(store, "t1", "two")
    with pytest.raises(TakenOver):
        await store.heartbeat(mine)


async def test_a_released_run_is_free_at_once(store: MongoTaskStore) -> None:
    """A process that ends makes nobody wait for its lease."""
    await created(store, "t1")
    await store.release(await taken(store, "t1"))
    assert await store.claimable(5) == ["t1"]
    await taken(store, "t1", "two")


async def test_events_are_stored_once_in_order(store: MongoTaskStore) -> None:
    """New events join the pending ones, in one write with the state."""
    await created(store, "t1")
    task = await taken(store, "t1")
    await store.record(task, [change_of(task), change_of(task)])
    await store.record(task, [])
    await store.record(task, [change_of(task)])
    assert await published_sequences(store) == [1, 2, 3, 4]
    assert await published_sequences(store) == []
    await store.record(task, [change_of(task)])
    assert await published_sequences(store) == [5]


async def test_open_and_running_runs_can_be_cancelled(store: MongoTaskStore) -> None:
    """An open run ends at once, a running one by its next heartbeat."""
    open_run = await created(store, "t1")
    assert await store.request_cancellation("t1") is None
    assert await store.cancel_open(open_run, change_of(open_run, RunCancelled))
    assert not await store.cancel_open(open_run, change_of(open_run, RunCancelled))
    await created(store, "t2")
    task = await taken(store, "t2")
    assert not await store.heartbeat(task)
    cancelling = await store.request_cancellation("t2")
    assert cancelling is not None
    assert cancelling.is_cancelling
    assert await store.heartbeat(task)


async def test_an_ended_run_can_be_reopened_once(store: MongoTaskStore) -> None:
    """Once, and only if it has ended."""
    await created(store, "t1")
    task = await taken(store, "t1")
    task.status = "open"
    assert not await store.reopen(task, change_of(task))
    task.status = "failed"
    await store.record(task, [])
    task.status = "open"
    assert await store.reopen(task, change_of(task))
    assert not await store.reopen(task, change_of(task))
    assert (await taken(store, "t1")).epoch == task.epoch + 1


async def test_log_lines_are_stored_once_and_read_by_number(
    store: MongoTaskStore,
) -> None:
    """However often they are written."""
    lines = [TaskEvent("t1", n, "log", {"a.b": n, "$m": "x"}) for n in range(1, 13)]
    await store.append(lines[:8])
    await store.append(lines[4:])
    await store.append([])
    await store.append([TaskEvent("t10", 1, "log", {})])
    assert await store.events("t1", 0) == lines
    assert await store.events("t1", 10) == lines[10:]
    assert await store.last_number("t1") == 12
    assert await store.last_number("t2") == 0


async def test_unused_workspaces_are_listed(store: MongoTaskStore) -> None:
    """Of completed, long ended, or unknown runs."""
    for name in ("t1", "t2", "t3"):
        await created(store, name)
    for name, status in (("t1", "completed"), ("t2", "failed")):
        task = await taken(store, name)
        task.status = status  # type: ignore[assignment]
        await store.record(task, [])
    ids = ["t1", "t2", "t3", "gone"]
    later = datetime.now(UTC) + timedelta(hours=1)
    earlier = datetime.now(UTC) - timedelta(hours=1)
    assert await store.ended_before(later, ids) == ["t1", "t2", "gone"]
    assert await store.ended_before(earlier, ids) == ["t1", "gone"]
