"""The disk that holds all state is full: nothing acknowledged is lost by it.

On a small file system in memory; where one may not be mounted the test is skipped.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import yaml

from tests.builders import component
from tests.disk import CannotMount, SmallDisk
from tests.e2e.running import BY_NAME, HOST, SERVICE
from tests.e2e.system import free_port
from tests.faults.driver.host import GitHost
from tests.faults.driver.ledger import Ledger
from tests.faults.driver.small import SmallPortal
from tests.faults.victims import agreed, kill, well
from tests.waiting import until_now

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]

MEGABYTES = 160
LOCATIONS = "/api/catalog/locations"
WRITES = 12
LITTLE = 65536
KILLED = ("scaffolder", "search")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A small file system of its own."""
    try:
        disk = SmallDisk(tmp_path / "disk", megabytes=MEGABYTES)
    except CannotMount as error:
        pytest.skip(f"{error} (tmpfs)")
    try:
        yield disk
    finally:
        disk.close()


@pytest.fixture
def portal(disk: SmallDisk, tmp_path: Path) -> Iterator[SmallPortal]:
    """A portal whose state and logs lie there; its Git repositories do not."""
    portal = SmallPortal(disk.folder / "data", free_port(), tmp_path / "elsewhere")
    try:
        portal.up()
        yield portal
    finally:
        portal.end()


def location(host: GitHost, name: str) -> dict[str, str]:
    host.create(name)
    # Larger than what is free in the store's own files.
    entity = component(name, {"description": "wordy " * 20_000})
    host.commit(name, {"all.yaml": yaml.safe_dump(entity)}, "Begin")
    return {"type": "url", "target": f"{HOST}/{name}/blob/main/all.yaml"}


def test_a_full_disk_loses_nothing(portal: SmallPortal, disk: SmallDisk) -> None:
    """Reads go on; a write is refused or stored; with room everything is consistent."""
    host = GitHost(portal.data, portal.url, Ledger())
    try:
        taken = attempted(portal, host, disk)
        until_now(lambda: well(portal), portal.logs())
        for name in taken:
            assert portal.known(f"component:default/{name}") is not None, name
        for number in range(WRITES):
            body = {
                "type": "url",
                "target": f"{HOST}/full-{number}/blob/main/all.yaml",
            }
            answer = portal.as_(SERVICE).post(
                f"{LOCATIONS}?onConflict=refresh", json=body
            )
            assert answer.status_code == 201, answer.text
        agreed(portal)
    finally:
        host.close()


def test_a_service_that_dies_on_a_full_disk_is_restarted(
    portal: SmallPortal, disk: SmallDisk
) -> None:
    """The supervisor goes on, though it can write nothing."""
    before = dict(portal.run["pids"])
    # A process that dies may leave it a little room: this takes that, too.
    in_the_way = portal.data / "run.new"
    in_the_way.mkdir()
    with disk.filled():
        assert disk.free < LITTLE
        for name in KILLED:
            kill(portal, name)
        until_now(lambda: well(portal), portal.logs())
        assert portal.run["pids"] == before
    in_the_way.rmdir()

    def is_told() -> bool:
        pids = portal.run["pids"]
        return all(pids[name] != before[name] for name in KILLED)

    until_now(is_told, "the new processes to be told of")
    assert portal.run["pids"]["supervisor"] == before["supervisor"]


def attempted(portal: SmallPortal, host: GitHost, disk: SmallDisk) -> list[str]:
    """Register while nothing can be written; what was acknowledged all the same."""
    bodies = {f"full-{n}": location(host, f"full-{n}") for n in range(WRITES)}
    client, taken, statuses = portal.as_(SERVICE), [], set()
    with disk.filled():
        assert disk.free < LITTLE
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
