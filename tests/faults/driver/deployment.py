"""The portal under test with its engines, and how each of its processes is ill-treated.

On embedded engines the supervisor starts and restarts everything. On servers the driver
starts the engines itself, each behind a proxy that can cut and slow its connections,
and gives the portal the proxies' addresses.
"""

import os
import signal
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Protocol

from deploy.embedded.engines import DOCUMENTS_USER
from deploy.embedded.rundata import RunData
from tests.e2e.running import Portal
from tests.e2e.system import free_port


class Deployment(Protocol):
    """What faults are done to."""

    portal: Portal

    @property
    def engines(self) -> tuple[str, ...]: ...

    @property
    def proxied(self) -> tuple[str, ...]: ...

    @property
    def disks(self) -> tuple[str, ...]: ...

    def event_log(self) -> str: ...

    def up(self) -> None: ...

    def down(self) -> None: ...

    def pid(self, name: str) -> int: ...

    def revive(self, name: str) -> None: ...

    def documents(self) -> str: ...

    def environment(self) -> dict[str, str]: ...

    def cut(self, name: str) -> AbstractContextManager[None]: ...

    def slowed(
        self, name: str, *, milliseconds: int
    ) -> AbstractContextManager[None]: ...

    def filled(self, name: str) -> AbstractContextManager[None]: ...


class EmbeddedDeployment:
    """`callboard up` on embedded engines."""

    proxied: tuple[str, ...] = ()
    disks: tuple[str, ...] = ()
    engines = ("documents", "broker")

    def __init__(self, folder: Path) -> None:
        self.portal = Portal(folder / "data", free_port())

    def event_log(self) -> str:
        """Where the event log is now; the last place while that is not told."""
        return str(self.portal.run["addresses"]["broker"])

    def up(self) -> None:
        self.portal.up()

    def down(self) -> None:
        self.portal.hang_up()
        with suppress(AssertionError):
            self.portal.down()

    def pid(self, name: str) -> int:
        return int(self.portal.run["pids"].get(name, 0))

    def revive(self, name: str) -> None:
        """The supervisor does it."""

    def documents(self) -> str:
        """Where the documents are, with what they ask for."""
        return documents_of(self.portal)

    def environment(self) -> dict[str, str]:
        """What one more process of a service must be told of its engines."""
        return {
            **os.environ,
            "CALLBOARD_KAFKA": self.event_log(),
            "CALLBOARD_MONGODB": self.documents(),
        }

    def cut(self, name: str) -> AbstractContextManager[None]:
        raise LookupError(f"no proxy stands before {name}")

    def slowed(self, name: str, *, milliseconds: int) -> AbstractContextManager[None]:
        raise LookupError(f"no proxy stands before {name}: {milliseconds} ms")

    def filled(self, name: str) -> AbstractContextManager[None]:
        raise LookupError(f"no disk {name} of its own")


def documents_of(portal: Portal) -> str:
    """The address of an embedded document store, with its user and password."""
    address = str(portal.run["addresses"]["documents"])
    password = RunData(portal.data).documents_password_file().read_text().strip()
    return address.replace("//", f"//{DOCUMENTS_USER}:{password}@", 1)


def sent(pid: int, number: signal.Signals) -> bool:
    """Send a signal to one of our own processes; False if it is gone already."""
    if pid <= 1:
        return False
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
