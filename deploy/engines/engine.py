"""A running engine of any form: its process, address and stop."""

import signal
import socket
import subprocess
from dataclasses import dataclass, field

from shared.kit.config.servers import Server

STOP_SECONDS = 10.0
#: The environment variable with the server's address, by the engine's name.
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
    #: The address with credentials, if clients need them.
    secured: Server | None = field(default=None, repr=False)
    #: Processes that belong to this one, stopped before it in this order.
    companions: list[subprocess.Popen[bytes]] = field(default_factory=list, repr=False)

    @property
    def server(self) -> Server:
        """Address, user, password and authority for clients."""
        return self.secured or Server(self.address)

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Stop the engine by SIGTERM, after so many seconds by SIGKILL."""
        for process in (*self.companions, self.process):
            end(process, seconds)


def end(process: subprocess.Popen[bytes], seconds: float = STOP_SECONDS) -> None:
    """Stop a process by SIGTERM, after so many seconds by SIGKILL."""
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
    """Whether a process listens at a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0
