"""A real OPA server that a test starts, freezes, kills and starts again."""

import signal
from pathlib import Path

from deploy.engines import opa, processes
from deploy.engines.engine import Engine
from services.gateway.settings import POLICIES

#: The policy alone: OPA would take the configuration beside it for data.
RULES = POLICIES / "callboard"


def program() -> Path:
    """OPA itself, fetched if it is not there yet."""
    return opa.PROGRAM.fetch()


class OpaServer:
    """OPA with the default policy, or with what a configuration file brings.

    Not started yet; every start is at the same port.
    """

    def __init__(self, folder: Path, *, config: Path | None = None) -> None:
        self._folder = folder
        self._config = config
        self._log = folder / "log"
        self._port = processes.quiet_port()
        self._engine: Engine | None = None
        self.address = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it; returns once it answers, with a policy or without."""
        self._engine = opa.start(
            self._folder,
            self._log,
            port=self._port,
            policies=None if self._config else RULES,
            config=self._config,
        )

    def stop(self) -> None:
        """End it, whatever its state."""
        if self._engine is not None:
            self.thaw()
            self._engine.stop()

    def kill(self) -> None:
        """End it without a word."""
        self._signal(signal.SIGKILL)
        self.stop()

    def freeze(self) -> None:
        """It keeps its connections and answers nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        self._signal(signal.SIGCONT)

    def told(self) -> str:
        """What it logged."""
        return self._log.read_text()

    def _signal(self, which: signal.Signals) -> None:
        assert self._engine is not None, "not started"
        self._engine.process.send_signal(which)
