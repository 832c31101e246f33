"""Dry runs: a template is run in a temporary folder, for its author to see the result.

Nothing is stored and no event is published; actions with effects outside are skipped.
"""

import asyncio
import base64
import binascii
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from services.scaffolder.handlers.creating import (
    check_parameters,
    check_secrets,
    spec_of,
)
from services.scaffolder.handlers.open_dry_runs import OpenDryRuns
from services.scaffolder.model import (
    Answers,
    Initiator,
    JsonObject,
    RunUser,
    Task,
    TaskEvent,
    fresh_steps,
)
from services.scaffolder.runs.factory import RunFactory
from services.scaffolder.templates import template_entity
from services.scaffolder.workspace.folder import Workspace
from shared.contracts.entity import Entity
from shared.contracts.envelope import Payload
from shared.contracts.errors import CallboardError, Invalid, TooLarge
from shared.guards.foreign_trees import ForeignEntry
from shared.guards.workers import ThreadCall

_FILES = 2_000
_BYTES = 50 * 1024 * 1024
#: What a dry run may take, in seconds: its author waits for it.
SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Trial:
    """A template as it stands in an editor, with answers and the files beside it.

    `files` are JSON objects that the caller wrote: they are checked as they are read.
    """

    template: Entity
    values: Answers
    secrets: Mapping[str, str]
    files: Sequence[JsonObject]


@dataclass(slots=True)
class _DryRunStore:
    """The store of one dry run: it has the lines of the log, and no state."""

    lines: list[TaskEvent] = field(default_factory=list)

    async def record(self, task: Task, changes: Sequence[Payload]) -> None:
        del task, changes

    async def append(self, events: Sequence[TaskEvent]) -> None:
        self.lines.extend(events)


async def dry_run(
    trial: Trial,
    initiator: Initiator,
    user: RunUser,
    *,
    run_factory: RunFactory,
    open_dry_runs: OpenDryRuns,
    folder: Path,
) -> JsonObject:
    """The log, the files and the output of the run.

    Raises:
        BadParameters: if the values break the template's rules.
        TooLarge: if it takes too long, or makes too much.
        TooMany: if too many dry runs are under way.
        CallboardError: what made a step fail.
    """
    in_thread = run_factory.turns.of_runs(initiator)
    with open_dry_runs.hold(initiator):
        # Around the timeout, which would else end the wait for the folder's removal.
        async with _temporary_folder(folder, in_thread) as root:
            try:
                async with asyncio.timeout(SECONDS):
                    await _check(trial, in_thread)
                    return await _result(trial, initiator, user, run_factory, root)
            except TimeoutError as error:
                raise TooLarge(f"The dry run takes over {SECONDS:g} seconds") from error


async def _check(trial: Trial, in_thread: ThreadCall) -> None:
    check_secrets(trial.secrets)
    await in_thread(template_entity.check, trial.template.raw)
    await in_thread(check_parameters, trial.template, trial.values, trial.secrets)


@asynccontextmanager
async def _temporary_folder(folder: Path, in_thread: ThreadCall) -> AsyncIterator[Path]:
    """A folder of one dry run, which is gone afterwards, whatever cancels the run."""
    folder.mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(dir=folder, prefix="dry-run-"))
    try:
        yield root
    finally:
        # In its turn: what still writes into the folder has ended by then. As a task of
        # its own: a second cancellation would end the wait for that turn.
        removal = asyncio.ensure_future(
            in_thread(shutil.rmtree, root, ignore_errors=True)
        )
        await _ended(removal)


async def _ended(removal: asyncio.Future[None]) -> None:
    """Wait for the end of a removal; a cancellation meanwhile comes after it."""
    cancellation: asyncio.CancelledError | None = None
    while not removal.done():
        try:
            await asyncio.wait({removal})
        except asyncio.CancelledError as error:
            cancellation = error
    if cancellation is not None:
        raise cancellation
    removal.result()


async def _result(
    trial: Trial,
    initiator: Initiator,
    user: RunUser,
    run_factory: RunFactory,
    root: Path,
) -> JsonObject:
    content = root / "content"
    in_thread = run_factory.turns.of_runs(initiator)
    await in_thread(_unpack, trial.files, content)
    template = _with_namespace(trial.template)
    spec, _ = await in_thread(spec_of, template, trial.values, user)
    spec["templateInfo"]["baseUrl"] = f"file://{content}/template.yaml"
    task = Task(str(uuid.uuid4()), spec, initiator, steps=fresh_steps(spec))
    store = _DryRunStore()
    workspace = Workspace(root / "workspace", most_bytes=_BYTES)
    run = run_factory.dry_run(task, trial.secrets, store, workspace, content)
    await run.go()
    if isinstance(run.failure, CallboardError):
        raise run.failure
    if run.failure is not None:
        raise Invalid(f"{type(run.failure).__name__}: {run.failure}")
    return {
        "log": [{"type": line.type, "body": line.body} for line in store.lines],
        "directoryContents": await in_thread(_packed, workspace),
        "output": task.output,
        "steps": spec["steps"],
    }


def _with_namespace(template: Entity) -> Entity:
    """The template with the namespace that the catalog would give it."""
    metadata = {"namespace": template.namespace, **template.metadata}
    return Entity({**template.raw, "metadata": metadata})


def _unpack(files: Sequence[JsonObject], folder: Path) -> None:
    content = Workspace(folder)
    content.prepare()
    if len(files) > _FILES:
        raise TooLarge(f"directoryContents: over the limit of {_FILES} files")
    size = 0
    for number, file in enumerate(files):
        label = f"directoryContents[{number}]"
        path, encoded = file.get("path"), file.get("base64Content")
        if not isinstance(path, str) or not isinstance(encoded, str):
            raise Invalid(f"{label}: path and base64Content must be strings")
        try:
            raw = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError) as error:
            raise Invalid(f"{label}.base64Content: it is not base64") from error
        size += len(raw)
        if size > _BYTES:
            raise TooLarge(f"directoryContents: over the limit of {_BYTES} bytes")
        try:
            content.write(path, raw)
        except Invalid as error:
            raise Invalid(f"{label}.{error.message}") from error


def _packed(workspace: Workspace) -> list[JsonObject]:
    """The files and links of a workspace; of a link, its target."""
    entries = workspace.entries()
    if sum(entry.size for entry in entries) > _BYTES:
        raise TooLarge(f"The files that the run wrote are over {_BYTES} bytes")
    return [_packed_file(workspace, entry) for entry in entries]


def _packed_file(workspace: Workspace, entry: ForeignEntry) -> JsonObject:
    is_link = entry.kind == "link"
    raw = (
        workspace.target(entry.path).encode("utf-8", "surrogateescape")
        if is_link
        else workspace.read(entry.path)
    )
    packed = {
        "path": entry.path,
        "executable": entry.is_executable,
        "base64Content": base64.b64encode(raw).decode(),
    }
    return {**packed, "symlink": True} if is_link else packed
