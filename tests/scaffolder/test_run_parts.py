"""The parts of a run by themselves: its log, its context, its signals."""

import asyncio
from collections.abc import Sequence
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import pytest

from services.scaffolder.actions import registry
from services.scaffolder.actions.action import Tools
from services.scaffolder.model import (
    LONGEST_MESSAGE,
    Initiator,
    Task,
    TaskEvent,
    fresh_steps,
)
from services.scaffolder.runs.context import RunContext
from services.scaffolder.runs.factory import RunFactory
from services.scaffolder.runs.run_log import RunLog
from services.scaffolder.runs.running import TaskRun
from services.scaffolder.runs.signals import Signals
from services.scaffolder.secrets.redaction import Redactor
from services.scaffolder.secrets.vault import FernetVault
from services.scaffolder.workspace.folder import Workspace
from shared.contracts.envelope import Payload
from shared.contracts.errors import Unavailable
from tests.scaffolder.calls import say
from tests.scaffolder.fakes import DictCatalog
from tests.waiting import until

ANN = Initiator("user:default/ann")


class Lines:
    """A store of lines and states, which may be away."""

    def __init__(self) -> None:
        self.lines: list[TaskEvent] = []
        self.changes: list[Payload] = []
        self.statuses: list[str] = []
        self.is_away = False

    async def append(self, events: Sequence[TaskEvent]) -> None:
        if self.is_away:
            raise Unavailable("The store does not answer")
        self.lines.extend(events)

    async def record(self, task: Task, changes: Sequence[Payload]) -> None:
        self.statuses.append(task.status)
        self.changes.extend(changes)

    @property
    def messages(self) -> list[str]:
        return [line.body["message"] for line in self.lines]


def task_of(*steps: dict[str, Any], **more: Any) -> Task:
    numbered = [
        {"id": f"s{n}", "name": f"S{n}", **step_fields}
        for n, step_fields in enumerate(steps)
    ]
    spec: Any = {"steps": numbered, "parameters": {}, **more}
    return Task("t", spec, ANN, steps=fresh_steps(spec))


def factory(folder: Path) -> RunFactory:
    nothing: Any = None
    tools = Tools(DictCatalog(), nothing, nothing)
    environment = {"parameters": {"region": "eu"}, "secrets": {"KEY": "hunter2hunter2"}}
    return RunFactory(
        registry.load(), tools, FernetVault("secret"), folder, environment
    )


def dry_run(folder: Path, task: Task, store: Lines) -> TaskRun:
    workspace = Workspace(folder / "w")
    return factory(folder).dry_run(task, {}, store, workspace, folder)


async def test_log_lines_continue_their_numbers() -> None:
    """A resumed run continues where its log ended."""
    store = Lines()
    log = RunLog("t", store, Redactor(), last=7)
    log.add("one")
    log.add("two", step_id="s", status="completed")
    await log.flush()
    assert [line.number for line in store.lines] == [8, 9]
    assert store.lines[1].body == {
        "message": "two",
        "stepId": "s",
        "status": "completed",
    }


async def test_log_lines_are_stored_soon_without_a_flush() -> None:
    """Followers of the log see a long step's lines; waiting readers are woken."""
    store, notified = Lines(), list[str]()
    log = RunLog("t", store, Redactor(), notify=notified.append)
    log.add("one")
    await until(lambda: store.messages == ["one"])
    assert notified == ["t"]


async def test_log_lines_of_threads_keep_their_order() -> None:
    """Actions log from threads of their own."""
    store = Lines()
    log = RunLog("t", store, Redactor())

    def work(name: str) -> None:
        for number in range(50):
            log.add(f"{name}{number}")

    await asyncio.gather(*(asyncio.to_thread(work, name) for name in "abc"))
    await log.flush()
    assert [line.number for line in store.lines] == list(range(1, 151))
    for name in "abc":
        own = [message for message in store.messages if message.startswith(name)]
        assert own == [f"{name}{number}" for number in range(50)]


async def test_log_lines_survive_an_unavailable_store() -> None:
    """They stay pending, none is lost and none duplicated."""
    store = Lines()
    log = RunLog("t", store, Redactor())
    store.is_away = True
    log.add("one")
    with pytest.raises(Unavailable):
        await log.flush()
    store.is_away = False
    log.add("two")
    await log.flush()
    await log.flush()
    assert store.messages == ["one", "two"]


async def test_a_long_log_line_is_cut() -> None:
    """With the length that it had."""
    store = Lines()
    log = RunLog("t", store, Redactor())
    log.add("x" * (LONGEST_MESSAGE + 5))
    await log.flush()
    assert store.messages[0].endswith(f"… ({LONGEST_MESSAGE + 5} characters)")


async def test_every_field_of_a_log_line_is_redacted() -> None:
    """The message and what stands beside it."""
    store = Lines()
    log = RunLog("t", store, Redactor(["hunter2hunter2"]))
    log.add("use hunter2hunter2", output={"k": ["hunter2hunter2"]})
    await log.flush()
    assert store.lines[0].body == {"message": "use ***", "output": {"k": ["***"]}}


async def test_the_run_context_is_immutable(tmp_path: Path) -> None:
    """A run, its steps and its log share it."""
    context = dry_run(tmp_path, task_of(say("x")), Lines())._context
    for field in fields(RunContext):
        with pytest.raises(FrozenInstanceError):
            setattr(context, field.name, None)


async def test_two_runs_of_one_factory_share_no_state(tmp_path: Path) -> None:
    """Each stores its own state."""
    first, second = Lines(), Lines()
    one = dry_run(tmp_path / "a", task_of(say("one")), first)
    two = dry_run(tmp_path / "b", task_of(say("two")), second)
    await asyncio.gather(one.go(), two.go())
    assert "one" in first.messages
    assert "two" not in first.messages
    assert "two" in second.messages
    assert first.statuses == second.statuses == ["open", "completed"]


async def test_the_state_is_stored_before_each_step(tmp_path: Path) -> None:
    """With the new events: none is lost, and none is published twice."""
    store = Lines()
    await dry_run(tmp_path, task_of(say("one"), say("two")), store).go()
    kinds = [type(change).__name__ for change in store.changes]
    assert kinds == [
        "RunStarted",
        "StepChanged",
        "StepChanged",
        "StepChanged",
        "StepChanged",
        "RunCompleted",
    ]
    sequences = [change.sequence for change in store.changes]  # type: ignore[attr-defined]
    assert sequences == sorted(set(sequences))
    assert len(store.statuses) == 3


async def test_the_first_error_is_the_error_of_the_run(tmp_path: Path) -> None:
    """Later steps with `always()` may fail too."""
    boom = {"action": "fs:delete", "input": {"files": ["../x"]}}
    later = {"action": "no:such", "if": "${{ always() }}"}
    store = Lines()
    run = dry_run(tmp_path, task_of(boom, later), store)
    await run.go()
    assert "outside" in str(run.failure)
    assert store.statuses[-1] == "failed"
    body = store.lines[-1].body
    assert body["error"]["name"] == "NotAllowedError"


async def test_expressions_see_secrets_in_step_inputs_only(tmp_path: Path) -> None:
    """Secrets are only defined where a step's input is rendered."""
    task = task_of(say("x"), user={"ref": ANN.ref})
    context = dry_run(tmp_path, task, Lines())._context
    plain = await context.names()
    assert set(plain.real) == {"parameters", "steps", "user", "environment", "context"}
    assert plain.real["environment"] == {"parameters": {"region": "eu"}, "secrets": {}}
    assert plain.real["user"] == {"ref": ANN.ref}
    secret = await context.names(secret=True)
    assert secret.real["environment"]["secrets"] == {"KEY": "***"}
    assert secret.real["secrets"] == {}


async def test_a_waiting_reader_is_woken_by_its_own_task() -> None:
    """Or after a time, when nothing happens."""
    signals = Signals()
    woken: list[str] = []

    async def wait(name: str) -> None:
        await signals.changed(name, 5)
        woken.append(name)

    waiting = [asyncio.create_task(wait(name)) for name in ("a", "b")]
    await until(lambda: len(signals._waiting) == 2)
    signals.notify("a")
    await until(lambda: woken == ["a"])
    signals.notify("b")
    await asyncio.gather(*waiting)
    assert woken == ["a", "b"]
    await signals.changed("a", 0.001)
    assert not signals._waiting
