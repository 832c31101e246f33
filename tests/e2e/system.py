"""A whole portal for tests: started by the command, used through its front door."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 150
ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class System:
    """A portal in a folder of its own; `up` and `down` as a person would say it."""

    data: Path
    port: int
    example: str = "playhouse"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def up(self) -> str:
        """Start it and return when it is ready; what the command printed."""
        options = ["--port", str(self.port), "--example", self.example]
        return self.command("up", *options, "--detach")

    def down(self) -> str:
        return self.command("down")

    def command(self, *words: str, expected: int = 0) -> str:
        """Run `callboard WORDS --data …`; its output."""
        done = subprocess.run(
            [sys.executable, "-m", "deploy.cli", *words, "--data", str(self.data)],
            cwd=ROOT,
            env={**os.environ, **ENVIRONMENT},
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        assert done.returncode == expected, done.stdout + done.stderr + self.logs()
        return done.stdout

    def logs(self) -> str:
        """The ends of all logs, for a failure's message."""
        ends = []
        for path in sorted((self.data / "logs").glob("*.log")):
            lines = path.read_text("utf-8", "replace").splitlines()[-5:]
            ends.append(
                "\n".join([f"--- {path.name}", *(line[:600] for line in lines)])
            )
        return "\n".join(ends)

    def log(self, name: str) -> str:
        return (self.data / "logs" / f"{name}.log").read_text("utf-8", "replace")

    @property
    def run(self) -> dict[str, Any]:
        run: dict[str, Any] = json.loads((self.data / "run.json").read_text())
        return run

    @property
    def token(self) -> str:
        return (self.data / "token").read_text().strip()

    def service(self) -> httpx.Client:
        """A client with the operator's token."""
        return self._client({"authorization": f"Bearer {self.token}"})

    def guest(self) -> httpx.Client:
        """A client with a guest's token."""
        with self._client({}) as nobody:
            response = nobody.post("/api/auth/guest/refresh").raise_for_status().json()
        token = response["backstageIdentity"]["token"]
        return self._client({"authorization": f"Bearer {token}"})

    def user(self, name: str) -> httpx.Client:
        """A client with a browser's session of `user:default/NAME`."""
        client = self._client({"origin": self.url, "sec-fetch-site": "same-origin"})
        form = {"user": f"user:default/{name}"}
        assert client.post("/sign-in/as", data=form).status_code == 303
        return client

    def nobody(self) -> httpx.Client:
        """A client that has not signed in."""
        return self._client({})

    def _client(self, headers: Mapping[str, str]) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=dict(headers), timeout=30)

    def entity(self, client: httpx.Client, kind: str, name: str) -> dict[str, Any]:
        """An entity of the default namespace, or an empty one."""
        answer = client.get(f"/api/catalog/entities/by-name/{kind}/default/{name}")
        entity: dict[str, Any] = answer.json() if answer.status_code == 200 else {}
        return entity

    def search_results(
        self, client: httpx.Client, term: str, **parameters: str
    ) -> list[Any]:
        """The results that search has for a term."""
        answer = client.get("/api/search/query", params={"term": term, **parameters})
        results: list[Any] = answer.raise_for_status().json()["results"]
        return results


@dataclass(frozen=True, slots=True)
class WorkingCopy:
    """A clone of one of the example's repositories, as a person would use it."""

    folder: Path

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.folder), *words],
            env={**os.environ, **ENVIRONMENT},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def commit(self, message: str, files: Mapping[str, str]) -> str:
        """Write files and commit them; the commit's id."""
        for path, text in files.items():
            target = self.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, "utf-8")
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", message)
        return self.git("rev-parse", "HEAD")

    def push(self) -> None:
        self.git("push", "--quiet", "origin", "HEAD")

    def read(self, path: str) -> str:
        return (self.folder / path).read_text("utf-8")


def working_copy(system: System, repository: str) -> WorkingCopy:
    """The example's working copy of a repository."""
    return WorkingCopy(system.data / "workshop" / repository)
