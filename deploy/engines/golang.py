"""Builds a Go program of a pinned version with `go install`.

The program's own source is pinned here by its `h1:` sum, which Go writes into what it
builds; what that source needs is fixed by its `go.mod`, and checked by Go itself
against the public checksum database.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.engines import cache
from deploy.engines.cache import CannotFetch

#: From this version on, Go fetches by itself the newer Go that a module may need.
LEAST = (1, 21)
BUILD_SECONDS = 1200
SECONDS = 30


@dataclass(frozen=True, slots=True)
class Program:
    """One program: the package that is built, out of which module."""

    name: str
    module: str
    package: str
    version: str

    @property
    def folder(self) -> str:
        """Its name in the cache."""
        return f"{self.name}-{self.version.removeprefix('v')}"

    @property
    def ready(self) -> bool:
        """Whether it was fetched."""
        return (cache.root() / self.folder).is_dir()

    def fetch(self) -> Path:
        """The program's path in the cache, built if it is not there yet.

        Raises:
            CannotFetch: where Go or the network is missing, or the source is not the
                pinned one.
        """
        return cache.cached_folder(self.folder, self._make) / self.name

    def check(self) -> None:
        """Compare what the program was built from with the pinned sum.

        Raises:
            CannotFetch: naming the module that is another one.
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
        said = _run(command, BUILD_SECONDS, environment)
        built = [path for path in folder.iterdir() if path.is_file()]
        if len(built) != 1:
            raise CannotFetch(f"go install {self.package} built nothing: {said}")
        built[0].rename(folder / self.name)
        self._check(go, folder / self.name)

    def _check(self, go: str, binary: Path) -> None:
        wanted = cache.pinned("go")[f"{self.module}@{self.version}"]
        said = _run([go, "version", "-m", str(binary)], SECONDS)
        pattern = rf"\tmod\t{re.escape(self.module)}\t(\S+)\t(\S+)"
        match = re.search(pattern, said)
        found = match.groups() if match else ("no version", "no sum")
        if found != (self.version, wanted):
            raise CannotFetch(
                f"{binary} was not built from {self.module}@{self.version} {wanted}, "
                f"but from {' '.join(found)}. Remove {binary.parent} and fetch again"
            )


def _go(what: str) -> str:
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    least = ".".join(map(str, LEAST))
    advice = f"install Go {least} or newer (go.dev/dl; Debian: apt-get install golang)"
    if go is None:
        raise CannotFetch(f"{what} is built by Go, which is not on the PATH: {advice}")
    match = re.search(r"go(\d+)\.(\d+)", _run([go, "version"], SECONDS))
    if match and (int(match[1]), int(match[2])) < LEAST:
        raise CannotFetch(f"{what} cannot be built by the {match[0]} at {go}: {advice}")
    return go


def _run(
    command: list[str], seconds: int, environment: dict[str, str] | None = None
) -> str:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=seconds,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CannotFetch(f"{' '.join(command[:2])} took over {seconds} s") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()[-6:]
        raise CannotFetch("\n".join([f"{' '.join(command)} failed:", *said]))
    return done.stdout
