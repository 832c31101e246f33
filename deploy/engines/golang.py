"""Builds a Go program of a pinned version with `go install`.

The program's source is pinned by its `h1:` sum, which Go writes into the binary. Its
dependencies are fixed by its `go.mod`, and Go verifies them by the public checksum
database.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.engines import cache
from deploy.engines.cache import CannotFetch

#: From this version on, Go fetches a newer Go by itself if a module needs one.
LEAST_GO = (1, 21)
BUILD_SECONDS = 1200
SECONDS = 30


@dataclass(frozen=True, slots=True)
class Program:
    """A program with its Go package and module."""

    name: str
    module: str
    package: str
    version: str

    @property
    def folder(self) -> str:
        """The name of its folder in the cache."""
        return f"{self.name}-{self.version.removeprefix('v')}"

    @property
    def ready(self) -> bool:
        """Whether it was fetched."""
        return (cache.root() / self.folder).is_dir()

    def fetch(self) -> Path:
        """The program's path in the cache; it is built if it is missing.

        Raises:
            CannotFetch: if Go or the network is missing, or the source is not the
                pinned one.
        """
        return cache.cached_folder(self.folder, self._make) / self.name

    def check(self) -> None:
        """Compare the sum of the program's source with the pinned sum.

        Raises:
            CannotFetch: naming the module if it is different.
        """
        self._check(_go(self.name), self.fetch())

    def _make(self, folder: Path) -> None:
        go = _go(self.name)
        environment = {
            **os.environ,
            "GOBIN": str(folder),
            "GOFLAGS": "-trimpath -buildvcs=false",
            "CGO_ENABLED": "0",
        }
        command = [go, "install", "-ldflags=-s -w", f"{self.package}@{self.version}"]
        output = _run(command, BUILD_SECONDS, environment)
        built = [path for path in folder.iterdir() if path.is_file()]
        if len(built) != 1:
            raise CannotFetch(f"go install {self.package} built nothing: {output}")
        built[0].rename(folder / self.name)
        self._check(go, folder / self.name)

    def _check(self, go: str, binary: Path) -> None:
        expected_sum = cache.pinned("go")[f"{self.module}@{self.version}"]
        output = _run([go, "version", "-m", str(binary)], SECONDS)
        pattern = rf"\tmod\t{re.escape(self.module)}\t(\S+)\t(\S+)"
        match = re.search(pattern, output)
        actual = match.groups() if match else ("no version", "no sum")
        if actual != (self.version, expected_sum):
            raise CannotFetch(
                f"{binary} was not built from {self.module}@{self.version} "
                f"{expected_sum}, "
                f"but from {' '.join(actual)}. Remove {binary.parent} and fetch again"
            )


def _go(program: str) -> str:
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    least_text = ".".join(map(str, LEAST_GO))
    advice = (
        f"install Go {least_text} or newer (go.dev/dl; Debian: apt-get install golang)"
    )
    if go is None:
        raise CannotFetch(
            f"{program} is built by Go, which is not on the PATH: {advice}"
        )
    match = re.search(r"go(\d+)\.(\d+)", _run([go, "version"], SECONDS))
    if match and (int(match[1]), int(match[2])) < LEAST_GO:
        raise CannotFetch(
            f"{program} cannot be built by the {match[0]} at {go}: {advice}"
        )
    return go


def _run(
    command: list[str], seconds: int, environment: dict[str, str] | None = None
) -> str:
    try:
        result = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=seconds,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CannotFetch(f"{' '.join(command[:2])} took over {seconds} s") from error
    if result.returncode:
        error_lines = result.stderr.strip().splitlines()[-6:]
        raise CannotFetch("\n".join([f"{' '.join(command)} failed:", *error_lines]))
    return result.stdout
