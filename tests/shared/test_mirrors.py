"""Mirrors of a host elsewhere, which several processes may keep in one folder."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from shared.contracts.disk_space import DiskFull
from shared.kit.config.integrations import Integration, Integrations
from shared.kit.git.mirrors import RepositoryMirrors
from tests.disk import SmallDisk

HOST = "git.elsewhere.example"
ROUNDS, BRANCHES = 8, 12


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands in for the host's addresses, by git's own rewriting."""
    folder, home = tmp_path / "host", tmp_path / "home"
    home.mkdir()
    rewritten = f'[url "file://{folder}/"]\n\tinsteadOf = https://{HOST}/\n'
    served = "[uploadpack]\n\tallowFilter = true\n\tallowAnySHA1InWant = true\n"
    (home / ".gitconfig").write_text(rewritten + served)
    monkeypatch.setenv("HOME", str(home))
    git("init", "-q", "--bare", "-b", "main", str(folder / "team" / "shop.git"))
    return folder


def git(*arguments: str, folder: Path | None = None) -> str:
    identity = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
    done = subprocess.run(
        ["git", *identity, *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def mirrors(root: Path) -> RepositoryMirrors:
    """As one process has them."""
    return RepositoryMirrors(root, Integrations(gitea=[Integration(host=HOST)]))


async def test_processes_share_a_folder_of_mirrors(tmp_path: Path, host: Path) -> None:
    """They clone and fetch one repository together, and all have every commit."""
    copy = tmp_path / "copy"
    git("clone", "-q", str(host / "team" / "shop.git"), str(copy))
    processes = [mirrors(tmp_path / "mirrors") for _ in range(4)]
    for number in range(ROUNDS):
        (copy / "catalog-info.yaml").write_text(f"round: {number}\n")
        git("add", ".", folder=copy)
        git("commit", "-qm", f"Round {number}", folder=copy)
        branches = [f"HEAD:refs/heads/b{number}-{n}" for n in range(BRANCHES)]
        git("push", "-q", "origin", "HEAD:main", *branches, folder=copy)
        sha = git("rev-parse", "HEAD", folder=copy)
        results = await asyncio.gather(*(read(process) for process in processes))
        assert results == [(sha, f"round: {number}\n".encode())] * len(processes)


async def test_a_lock_of_a_killed_git_expires(tmp_path: Path, host: Path) -> None:
    """It blocks nobody for longer than a Git command may run."""
    copy = tmp_path / "copy"
    git("clone", "-q", str(host / "team" / "shop.git"), str(copy))
    process = mirrors(tmp_path / "mirrors")
    for number in range(2):
        (copy / "catalog-info.yaml").write_text(f"round: {number}\n")
        git("add", ".", folder=copy)
        git("commit", "-qm", f"Round {number}", folder=copy)
        git("push", "-q", "origin", "HEAD:main", folder=copy)
        assert (await read(process))[1] == f"round: {number}\n".encode()
        lock = mirror_of(tmp_path) / "refs" / "heads" / "main.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        lock.touch()
        os.utime(lock, (0, 0))


async def test_a_full_disk_is_a_disk_full_error(
    tmp_path: Path, host: Path, small_disk: SmallDisk
) -> None:
    """A clone and a fetch without room raise it, and work with room."""
    copy = tmp_path / "copy"
    git("clone", "-q", str(host / "team" / "shop.git"), str(copy))
    process = mirrors(small_disk.folder / "mirrors")
    for number in range(2):
        (copy / "catalog-info.yaml").write_text(f"round: {number}\n" + "wordy " * 9000)
        git("add", ".", folder=copy)
        git("commit", "-qm", f"Round {number}", folder=copy)
        git("push", "-q", "origin", "HEAD:main", folder=copy)
        with small_disk.filled(), pytest.raises(DiskFull):
            await read(process)
        _, text = await read(process)
        assert text.startswith(f"round: {number}\n".encode())


def mirror_of(folder: Path) -> Path:
    return folder / "mirrors" / HOST / "team" / "shop.git"


async def read(process: RepositoryMirrors) -> tuple[str, bytes]:
    """What a process sees of the descriptor after it was told of a push."""
    address = f"https://{HOST}/team/shop/src/branch/main/catalog-info.yaml"
    target = process.locate(address)
    assert target is not None
    sha = await process.fetch(target)
    return sha, await process.read(target, sha, target.path)
