"""Retention: the folders of ended runs go, those that may be needed stay."""

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.scaffolder.workspace.retention import WorkspaceRetention
from shared.contracts.errors import Unavailable
from tests.waiting import until

HOUR = 3600


class Runs:
    """Runs by id, with the moment of their end; None is under way."""

    def __init__(self, **ended: datetime | None) -> None:
        self.ended = ended
        self.is_away = False
        self.calls = 0

    async def ended_before(self, moment: datetime, ids: Iterable[str]) -> Sequence[str]:
        self.calls += 1
        if self.is_away:
            raise Unavailable("The store does not answer")
        return [
            run
            for run in ids
            if run not in self.ended
            or ((end := self.ended[run]) is not None and end < moment)
        ]


def folders(root: Path, *names: str) -> None:
    for name in names:
        (root / name).mkdir(parents=True)
        (root / name / "file").write_text("x")


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


async def test_expired_workspace_folders_are_deleted(tmp_path: Path) -> None:
    """Those of long ended or unknown runs; others stay."""
    now = datetime.now(UTC)
    runs = Runs(
        old=now - timedelta(hours=3), fresh=now - timedelta(hours=1), running=None
    )
    folders(tmp_path, "old", "fresh", "running", "unknown")
    retention = WorkspaceRetention(tmp_path, tmp_path / "dry-runs", runs, keep_hours=2)
    assert await retention.sweep() == 2
    assert names(tmp_path) == ["fresh", "running"]
    assert await retention.sweep() == 0


async def test_scratch_folders_are_deleted_after_an_hour(tmp_path: Path) -> None:
    """They belong to an action of a dead process."""
    folders(tmp_path, "run-scratch-new", "run-scratch-old", "run")
    before = datetime.now(UTC).timestamp() - 2 * HOUR
    os.utime(tmp_path / "run-scratch-old", (before, before))
    retention = WorkspaceRetention(
        tmp_path, tmp_path / "dry-runs", Runs(run=None), keep_hours=0
    )
    assert await retention.sweep() == 1
    assert names(tmp_path) == ["run", "run-scratch-new"]


async def test_the_sweep_works_without_a_folder(tmp_path: Path) -> None:
    """Before the first run."""
    retention = WorkspaceRetention(tmp_path / "none", tmp_path, Runs(), keep_hours=0)
    assert await retention.sweep() == 0


async def test_files_beside_the_folders_stay(tmp_path: Path) -> None:
    """They are no workspace."""
    (tmp_path / "note").write_text("x")
    retention = WorkspaceRetention(
        tmp_path, tmp_path / "dry-runs", Runs(), keep_hours=0
    )
    assert await retention.sweep() == 0
    assert names(tmp_path) == ["note"]


async def test_an_unavailable_store_deletes_nothing_and_is_retried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep runs in the background until it is stopped."""
    for name in ("_EVERY_SECONDS",):
        monkeypatch.setattr(f"services.scaffolder.workspace.retention.{name}", 0.01)
    folders(tmp_path, "gone")
    runs = Runs()
    runs.is_away = True
    async with WorkspaceRetention(tmp_path, tmp_path / "dry-runs", runs, keep_hours=0):
        await until(lambda: runs.calls > 1, condition="a second attempt")
        assert names(tmp_path) == ["gone"]
        runs.is_away = False
        await until(lambda: names(tmp_path) == [], condition="the folder is deleted")


async def test_folders_of_killed_dry_runs_are_deleted(tmp_path: Path) -> None:
    """Those of a dry run that goes on stay."""
    for name in ("dry-run-old", "dry-run-new"):
        (tmp_path / name / "workspace").mkdir(parents=True)
    before = datetime.now(UTC).timestamp() - 3600
    os.utime(tmp_path / "dry-run-old", (before, before))
    retention = WorkspaceRetention(tmp_path / "w", tmp_path, Runs(), keep_hours=1)
    await retention.sweep()
    assert [path.name for path in tmp_path.iterdir()] == ["dry-run-new"]
