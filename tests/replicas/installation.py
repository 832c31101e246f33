"""An installation of two replicas of each service, as a cluster would run it.

Each replica is a process of its own with a port of its own; the addresses of all are
told to everybody, with commas. They share the data folder, as on one machine or one
shared volume.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from deploy.embedded.rundata import SERVICES, RunData
from deploy.engines.processes import quiet_port
from deploy.examples import playhouse_git
from shared.contracts.headers import PRINCIPAL
from shared.kit.http.service_tokens import Principal, PrincipalTokens
from tests.e2e.system import ROOT
from tests.waiting import until_now

REPLICAS = 2
READY_SECONDS = 300.0
STOP_SECONDS = 20.0
ANSWER_SECONDS = 30.0
CONFIG = ROOT / "deploy" / "examples" / "playhouse" / "app-config.yaml"


def replicas_of(service: str) -> int:
    """How many there are; one process of analytics has all of its tables."""
    return 1 if service == "analytics" else REPLICAS


@dataclass(slots=True)
class Replica:
    """One process of one service."""

    service: str
    number: int
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def name(self) -> str:
        return f"{self.service}-{self.number}"


@dataclass(slots=True)
class Installation:
    """All replicas. `engines` are the variables that name the servers."""

    root: Path
    engines: Mapping[str, str]
    replicas: dict[str, list[Replica]] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def gateways(self) -> list[str]:
        """The addresses of the gateways."""
        return [replica.url for replica in self.replicas["gateway"]]

    @property
    def token(self) -> str:
        return RunData(self.data).token()

    def up(self) -> None:
        """Start everything, and wait until it is ready."""
        data = RunData(self.data)
        data.prepare()
        self.replicas = {
            name: [Replica(name, n, quiet_port()) for n in range(replicas_of(name))]
            for name in SERVICES
        }
        playhouse_git.load(
            self.data, address=self.gateways[0], secret=data.webhook_secret()
        )
        self._config().write_text(yaml.safe_dump(self._configuration()))
        for replica in self.every():
            self.start(replica)
        with ThreadPoolExecutor(len(SERVICES)) as pool:
            list(pool.map(self.wait_ready, self.every()))

    def down(self) -> None:
        """Stop everything."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self.stop, self.every()))

    def every(self) -> list[Replica]:
        """All replicas."""
        return [replica for replicas in self.replicas.values() for replica in replicas]

    def start(self, replica: Replica) -> None:
        """Begin a replica's process."""
        log = self.data / "logs" / f"{replica.name}.log"
        with log.open("ab") as out:
            replica.process = subprocess.Popen(
                [sys.executable, "-m", f"services.{replica.service}.main"],
                cwd=ROOT,
                env=self.environment(replica),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    def stop(self, replica: Replica) -> None:
        """Ask a replica to end, and wait for that."""
        process = replica.process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def wait_ready(self, replica: Replica) -> None:
        """Wait until a replica says that it is ready."""
        last_answer = "nothing"

        def ready() -> bool:
            nonlocal last_answer
            process = replica.process
            assert process is not None
            assert process.poll() is None, self.log(replica)
            with suppress(httpx.HTTPError):
                answer = httpx.get(f"{replica.url}/readyz", timeout=5)
                last_answer = answer.text
                return answer.status_code == 200
            return False

        try:
            until_now(ready, seconds=READY_SECONDS)
        except AssertionError as error:
            message = f"{replica.name} is not ready: {last_answer}\n{self.log(replica)}"
            raise AssertionError(message) from error

    def log(self, replica: Replica) -> str:
        """The end of a replica's log."""
        log = self.data / "logs" / f"{replica.name}.log"
        lines = log.read_text("utf-8", "replace").splitlines()[-12:]
        return "\n".join(line[:400] for line in lines)

    def environment(self, replica: Replica) -> dict[str, str]:
        """What a replica is told."""
        data = RunData(self.data)
        urls = {
            f"CALLBOARD_{name.upper()}_URL": ",".join(r.url for r in replicas)
            for name, replicas in self.replicas.items()
        }
        if replica.service == "gateway":
            urls["CALLBOARD_GATEWAY_URL"] = replica.url
        return {
            **os.environ,
            **data.environment(),
            **self.engines,
            **urls,
            "CALLBOARD_CONFIG": str(self._config()),
            "CALLBOARD_SERVICE_SECRET": data.secret(),
            "CALLBOARD_PORT": str(replica.port),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def _config(self) -> Path:
        return self.root / "app-config.yaml"

    def _configuration(self) -> dict[str, Any]:
        """The example's, with one public address for all gateways."""
        config: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
        config["backend"]["baseUrl"] = "http://callboard.example"
        return config

    @contextmanager
    def client(
        self, gateway: int, token: str | None = None, **headers: str
    ) -> Iterator[httpx.Client]:
        """Somebody at one of the gateways; without a token: the operator."""
        all_headers = {"authorization": f"Bearer {token or self.token}", **headers}
        with httpx.Client(
            base_url=self.gateways[gateway], headers=all_headers, timeout=ANSWER_SECONDS
        ) as client:
            yield client

    def sign_in(self, ref: str, gateway: int = 0) -> str:
        """A user's token."""
        url = f"{self.gateways[gateway]}/api/auth/development/refresh"
        answer = httpx.post(url, json={"userEntityRef": ref}, timeout=ANSWER_SECONDS)
        return str(answer.raise_for_status().json()["backstageIdentity"]["token"])

    def checksums(self, service: str) -> list[Any]:
        """What each replica of a service holds, as a checksum."""
        headers = {PRINCIPAL: self._principal()}
        return [
            httpx.get(f"{r.url}/snapshot/checksum", headers=headers, timeout=10).json()
            for r in self.replicas[service]
        ]

    def figures(self, service: str) -> list[dict[str, Any]]:
        """What each replica of a service says of itself."""
        return [
            httpx.get(f"{r.url}/readyz", timeout=10).json()
            for r in self.replicas[service]
        ]

    def _principal(self) -> str:
        tokens = PrincipalTokens(RunData(self.data).secret())
        return tokens.sign(Principal("service:tests", "service"))

    def loaded(self, expected: int) -> None:
        """Wait until every catalog holds the example and search agrees."""
        deadline = time.monotonic() + READY_SECONDS

        def agrees() -> bool:
            catalogs = self.checksums("catalog")
            search_sums = self.checksums("search")
            return (
                all(c == catalogs[0] for c in catalogs)
                and catalogs[0]["count"] >= expected
                and all(s["entities"] == catalogs[0] for s in search_sums)
            )

        until_now(agrees, "all replicas to agree", seconds=deadline - time.monotonic())
