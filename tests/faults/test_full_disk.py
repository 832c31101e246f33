"""The disk that holds all state is full: nothing acknowledged is lost by it.

On a small file system in memory; where one may not be mounted the test is skipped.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
import yaml

from tests.builders import component
from tests.e2e.running import BY_NAME, HOST, SERVICE
from tests.e2e.system import free_port
from tests.faults.driver.host import GitHost
from tests.faults.driver.ledger import Ledger
from tests.faults.driver.small import SmallPortal
from tests.faults.victims import agreed, well
from tests.waiting import until_now

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]

MEGABYTES = 160
LOCATIONS = "/api/catalog/locations"
BACK_SECONDS = 90.0
WRITES = 12


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = f"size={MEGABYTES}m"
    command = ["mount", "-t", "tmpfs", "-o", options, "callboard-test", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs the right to mount a file system (tmpfs)")
    try:
        yield folder
    finally:
        until_now(lambda: _unmounted(folder), 60, "the disk to be let go")


def _unmounted(folder: Path) -> bool:
    """Processes that are about to end still hold it for a moment."""
    done = subprocess.run(["umount", str(folder)], check=False, capture_output=True)
    return done.returncode == 0


@pytest.fixture
def portal(disk: Path) -> Iterator[SmallPortal]:
    """A portal whose state lies there; its Git repositories and logs do not."""
    portal = SmallPortal(disk / "data", free_port(), disk.parent / "elsewhere")
    try:
        portal.up()
        yield portal
    finally:
        portal.end()


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Leave no byte free."""
    ballast = disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 65536)
    free = os.statvfs(disk)
    assert free.f_bavail * free.f_bsize < 65536
    try:
        yield
    finally:
        ballast.unlink()


def location(host: GitHost, name: str) -> dict[str, str]:
    host.create(name)
    # Larger than what is free in the store's own files.
    entity = component(name, {"description": "wordy " * 20_000})
    host.commit(name, {"all.yaml": yaml.safe_dump(entity)}, "Begin")
    return {"type": "url", "target": f"{HOST}/{name}/blob/main/all.yaml"}


def test_a_full_disk_loses_nothing(portal: SmallPortal, disk: Path) -> None:
    """Reads go on; a write is refused or kept; with room again all is as it must be."""
    host = GitHost(portal.data, portal.url, Ledger())
    try:
        taken = attempted(portal, host, disk)
        until_now(lambda: well(portal), BACK_SECONDS, portal.logs())
        for name in taken:
            assert portal.known(f"component:default/{name}") is not None, name
        for number in range(WRITES):
            where = {
                "type": "url",
                "target": f"{HOST}/full-{number}/blob/main/all.yaml",
            }
            answer = portal.as_(SERVICE).post(
                f"{LOCATIONS}?onConflict=refresh", json=where
            )
            assert answer.status_code == 201, answer.text
        agreed(portal)
    finally:
        host.close()


def attempted(portal: SmallPortal, host: GitHost, disk: Path) -> list[str]:
    """Register while nothing can be written; what was acknowledged all the same."""
    bodies = {f"full-{n}": location(host, f"full-{n}") for n in range(WRITES)}
    client, taken, statuses = portal.as_(SERVICE), [], set()
    with full(disk):
        for name, body in bodies.items():
            with suppress(httpx.HTTPError):
                answer = client.post(LOCATIONS, json=body, timeout=20)
                statuses.add(answer.status_code)
                if answer.status_code == 201:
                    taken.append(name)
            path = f"{BY_NAME}/component/default/payments"
            assert client.get(path).status_code == 200
    print(f"\n{len(taken)} of {WRITES} writes were taken, answers: {sorted(statuses)}")
    assert statuses <= {201, 503}, statuses
    return taken
