"""A running engine, whichever form it has: its process, address and end."""

import signal
import socket
import subprocess
from dataclasses import dataclass, field

from shared.kit.config.servers import Server

STOP_SECONDS = 10.0
#: Each engine by its name in `run.json`, and the setting that names a server for it.
VARIABLES = {
    "broker": "CALLBOARD_KAFKA",
    "documents": "CALLBOARD_MONGODB",
    "opensearch": "CALLBOARD_OPENSEARCH",
    "opa": "CALLBOARD_OPA",
}


class EngineFailed(RuntimeError):
    """An engine did not start; the message names its log."""


@dataclass(slots=True)
class Engine:
    """A running engine: its process, and the address that its clients use."""

    name: str
    process: subprocess.Popen[bytes]
    address: str
    #: The address with what its clients must prove, where it asks for that.
    secured: Server | None = field(default=None, repr=False)
    #: Processes that live for this one: ended before it, in this order.
    beside: list[subprocess.Popen[bytes]] = field(default_factory=list, repr=False)

    @property
    def server(self) -> Server:
        """What a client is given: address, user, password, authority."""
        return self.secured or Server(self.address)

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """End it, at first politely, for so many seconds."""
        for process in (*self.beside, self.process):
            end(process, seconds)


def end(process: subprocess.Popen[bytes], seconds: float = STOP_SECONDS) -> None:
    """Ask a process to end, and after so many seconds do not ask."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdin is not None:
        process.stdin.close()


def answers(port: int) -> bool:
    """Whether somebody listens at a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0
