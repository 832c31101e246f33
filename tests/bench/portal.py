"""A portal that is measured: started and stopped by the command, asked over HTTP."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

CALLBOARD = Path(sys.prefix) / "bin" / "callboard"
STEP_SECONDS = 0.01


class BenchPortal:
    """One data folder and its portal; `engines` as `callboard up --engines` has it."""

    def __init__(
        self, data: Path, port: int, example: str, engines: str = "embedded"
    ) -> None:
        self.data = data
        self.url = f"http://127.0.0.1:{port}"
        data_option = ["--data", str(data)]
        self._up = [CALLBOARD, "up", *data_option, "--port", str(port), "--detach"]
        self._up += ["--example", example, "--engines", engines]
        self._down = [CALLBOARD, "down", *data_option]

    def up(self) -> float:
        """Start it; the seconds until the command returned."""
        started_at = time.monotonic()
        subprocess.run(self._up, check=True, capture_output=True, text=True)
        return time.monotonic() - started_at

    def down(self) -> None:
        subprocess.run(self._down, check=False, capture_output=True)

    @property
    def token(self) -> str:
        return (self.data / "token").read_text().strip()

    @property
    def run(self) -> dict[str, Any]:
        run_data: dict[str, Any] = json.loads((self.data / "run.json").read_text())
        return run_data

    @property
    def pids(self) -> dict[str, int]:
        pids: dict[str, int] = self.run["pids"]
        return pids

    @property
    def engine_seconds(self) -> float:
        """How long the engines took together when they were started last."""
        lines = (self.data / "logs" / "supervisor.log").read_text().splitlines()
        start_events = [json.loads(line) for line in lines if "engines_started" in line]
        return float(start_events[-1]["seconds"])

    def ask(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.token}"}
        if data is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(self.url + path, data, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def seconds_until(self, path: str, word: str, limit: float = 30.0) -> float:
        """How long until the answer of `path` holds `word`, from now."""
        started_at = time.monotonic()
        while word not in json.dumps(self.ask(path)):
            if time.monotonic() - started_at > limit:
                raise TimeoutError(f"{path} did not show {word} in {limit} s")
            time.sleep(STEP_SECONDS)
        return time.monotonic() - started_at

    def memory(self) -> dict[str, tuple[float, float]]:
        """Megabytes by process: resident, and proportional (shared pages divided)."""
        return {name: _memory(pid) for name, pid in self.pids.items()}

    def idle(self, seconds: float) -> dict[str, float]:
        """Per cent of one core that each process takes while nobody asks anything."""
        before = {name: _cpu_seconds(pid) for name, pid in self.pids.items()}
        time.sleep(seconds)
        return {
            name: (_cpu_seconds(pid) - before[name]) / seconds * 100
            for name, pid in self.pids.items()
        }


def _cpu_seconds(pid: int) -> float:
    """Time on a core, in user and system mode (proc_pid_stat(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> tuple[float, float]:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    kilobytes = [
        re.search(rf"^{k}:\s+(\d+)", text, re.MULTILINE) for k in ("Rss", "Pss")
    ]
    resident, proportional = (int(k[1]) / 1024 if k else 0.0 for k in kilobytes)
    return resident, proportional
