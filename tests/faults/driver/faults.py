"""Which faults there are, and the seeded choice among them."""

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import httpx

from deploy.embedded.rundata import SERVICES, RunData
from tests.e2e.system import ROOT, free_port
from tests.faults.driver.deployment import Deployment, sent
from tests.faults.driver.watch import Fault, Watch

#: How often each kind is chosen; a kind without a target here is left out.
WEIGHTS = {
    "kill service": 24,
    "stop service": 12,
    "freeze service": 20,
    "kill engine": 6,
    "freeze engine": 12,
    "cut connections": 14,
    "slow connections": 10,
    "replica joins and leaves": 5,
    "full disk": 6,
}
FROZEN_SECONDS = (0.2, 3.0)
CUT_SECONDS = (0.2, 3.0)
SLOW_SECONDS = (1.0, 4.0)
FULL_SECONDS = (1.0, 5.0)
JOINED_SECONDS = (3.0, 8.0)
#: A second process needs time to start, and all that it needs may be ill just then.
JOINING_SECONDS = 60.0
STEP_SECONDS = 0.25
#: Services that may have a second process on the same data folder.
JOINING = ("catalog", "techdocs", "scaffolder")
AT_ONCE = 3


class Faults:
    """Does faults to a deployment, at most a few at a time, never two to one target."""

    def __init__(self, seed: int, deployment: Deployment, watch: Watch) -> None:
        self._random = random.Random(f"{seed}/faults")
        self._deployment = deployment
        self._watch = watch
        self._busy: dict[str, threading.Thread] = {}
        self._kinds: Mapping[str, Callable[[Fault, float], None]] = {
            "kill service": self._kill,
            "stop service": self._stop,
            "freeze service": self._freeze,
            "kill engine": self._kill_engine,
            "freeze engine": self._freeze,
            "cut connections": self._cut,
            "slow connections": self._slow,
            "replica joins and leaves": self._join,
            "full disk": self._fill,
        }

    def strike(self) -> None:
        """Begin one more fault, unless enough are under way."""
        self._busy = {k: t for k, t in self._busy.items() if t.is_alive()}
        kind, target, seconds = self._choice()
        if target in self._busy or len(self._busy) >= AT_ONCE:
            return
        fault = Fault(kind, target, time.monotonic())
        self._watch.faults.append(fault)
        thread = threading.Thread(
            target=self._do, args=(fault, seconds), name=f"fault-{kind}"
        )
        self._busy[target] = thread
        thread.start()

    def end(self) -> None:
        """Wait until what was begun is over."""
        for thread in self._busy.values():
            thread.join()

    def _choice(self) -> tuple[str, str, float]:
        targets = {
            "kill service": SERVICES,
            "stop service": SERVICES,
            "freeze service": SERVICES,
            "kill engine": self._deployment.engines,
            "freeze engine": self._deployment.engines,
            "cut connections": self._deployment.proxied,
            "slow connections": self._deployment.proxied,
            "replica joins and leaves": JOINING,
            "full disk": self._deployment.disks,
        }
        kinds = [kind for kind, names in targets.items() if names]
        weights = [WEIGHTS[kind] for kind in kinds]
        kind = self._random.choices(kinds, weights)[0]
        return kind, self._random.choice(targets[kind]), self._random.random()

    def _do(self, fault: Fault, share: float) -> None:
        try:
            self._kinds[fault.kind](fault, share)
        finally:
            fault.over = fault.over or time.monotonic()

    def _kill(self, fault: Fault, _: float) -> None:
        if not sent(self._deployment.pid(fault.target), signal.SIGKILL):
            fault.kind = "came too late"
        fault.over = time.monotonic()

    def _stop(self, fault: Fault, _: float) -> None:
        if not sent(self._deployment.pid(fault.target), signal.SIGTERM):
            fault.kind = "came too late"
        fault.over = time.monotonic()

    def _kill_engine(self, fault: Fault, share: float) -> None:
        self._kill(fault, share)
        time.sleep(_of(FROZEN_SECONDS, share))
        self._deployment.revive(fault.target)

    def _freeze(self, fault: Fault, share: float) -> None:
        pid = self._deployment.pid(fault.target)
        if not sent(pid, signal.SIGSTOP):
            fault.kind = "came too late"
            return
        time.sleep(_of(FROZEN_SECONDS, share))
        sent(pid, signal.SIGCONT)

    def _cut(self, fault: Fault, share: float) -> None:
        with self._deployment.cut(fault.target):
            time.sleep(_of(CUT_SECONDS, share))

    def _slow(self, fault: Fault, share: float) -> None:
        with self._deployment.slowed(fault.target, milliseconds=int(50 + 250 * share)):
            time.sleep(_of(SLOW_SECONDS, share))

    def _fill(self, fault: Fault, share: float) -> None:
        with self._deployment.filled(fault.target):
            time.sleep(_of(FULL_SECONDS, share))

    def _join(self, fault: Fault, share: float) -> None:
        """A second process of a service takes part of the work, and leaves it."""
        port = free_port()
        process = second(self._deployment, fault.target, port)
        try:
            if not _is_ready(port):
                # Counted as what it was: it never had a share of the work.
                fault.kind = "replica that never joined"
            with suppress(subprocess.TimeoutExpired):
                process.wait(_of(JOINED_SECONDS, share))
        finally:
            if share < 0.5:
                process.terminate()
            else:
                process.kill()
            process.wait()


def _is_ready(port: int) -> bool:
    """Whether a second process becomes ready: then it is in its consumer group."""
    deadline = time.monotonic() + JOINING_SECONDS
    while time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            url = f"http://127.0.0.1:{port}/readyz"
            if httpx.get(url, timeout=3).status_code == 200:
                return True
        time.sleep(STEP_SECONDS)
    return False


def second(deployment: Deployment, name: str, port: int) -> subprocess.Popen[bytes]:
    """Another process of a service, as the supervisor would start it."""
    data = RunData(deployment.portal.data)
    run = deployment.portal.run
    environment: dict[str, Any] = {
        **deployment.environment(),
        **data.environment(),
        **{
            f"CALLBOARD_{service.upper()}_URL": run["addresses"][service]
            for service in SERVICES
        },
        "CALLBOARD_CONFIG": run["config"],
        "CALLBOARD_SERVICE_SECRET": data.secret(),
        "CALLBOARD_PORT": str(port),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    log = deployment.portal.data / "logs" / f"{name}-second.log"
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", f"services.{name}.main"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )


def _of(span: tuple[float, float], share: float) -> float:
    return span[0] + (span[1] - span[0]) * share
