"""Kills and freezes the processes of a test's own portal, and looks what is left."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx

from tests.e2e.running import SERVICE, Portal
from tests.waiting import until_now

#: Workers are let into their group again when the dead one's session is over.


def kill(portal: Portal, name: str) -> int:
    """End one process at once, with no chance to tidy up; its id."""
    pid = int(portal.run["pids"][name])
    os.kill(pid, signal.SIGKILL)
    return pid


@contextmanager
def frozen(portal: Portal, name: str) -> Iterator[None]:
    """Let one process stand still for a while."""
    pid = int(portal.run["pids"][name])
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def back(portal: Portal, name: str, dead: int) -> float:
    """Wait until another process has taken its place and all is well; the seconds."""
    started_at = time.monotonic()

    def replaced() -> bool:
        pid = portal.run["pids"].get(name)
        return pid not in (None, dead) and well(portal)

    until_now(replaced, f"{name} to be back\n{portal.logs()}")
    return time.monotonic() - started_at


def well(portal: Portal) -> bool:
    """Whether every service says that it is ready."""
    with suppress(httpx.HTTPError):
        answer = portal.as_(SERVICE).get("/api/status")
        return answer.status_code == 200 and answer.json()["status"] == "ok"
    return False


def read_checksums(portal: Portal) -> dict[str, Any]:
    """What the portal holds, as checksums: entities, and what search made of them."""
    return {
        "catalog": portal.get("/api/catalog/snapshot/checksum"),
        "sites": portal.get("/api/techdocs/snapshot/checksum"),
        "search": portal.get("/api/search/snapshot/checksum"),
    }


def agreed(portal: Portal) -> dict[str, Any]:
    """What it holds, once search shows exactly what its owners hold."""

    def look() -> dict[str, Any] | None:
        with suppress(httpx.HTTPError):
            checksums = read_checksums(portal)
            search = checksums["search"]
            if (search["entities"], search["sites"]) == (
                checksums["catalog"],
                checksums["sites"],
            ):
                return checksums
        return None

    checksums: dict[str, Any] = until_now(look, "search to agree")
    return checksums


def history(portal: Portal, ref: str) -> list[dict[str, Any]]:
    """An entity's revisions, the newest first."""
    kind, _, rest = ref.partition(":")
    path = f"/api/catalog/entities/by-name/{kind}/{rest}/history"
    changes: list[dict[str, Any]] = portal.get(path, limit=100)["items"]
    return changes
