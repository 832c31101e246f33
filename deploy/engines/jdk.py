"""Finds a Java for a server: JAVA_HOME, PATH and /usr/lib/jvm, the newest one."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.engines.cache import CannotFetch

FOLDER = Path("/usr/lib/jvm")
VERSION = re.compile(r'(?:JAVA_VERSION=|version )"(?:1\.)?(\d+)')
SECONDS = 20


@dataclass(frozen=True, slots=True)
class Jdk:
    """One installed Java, and its major version."""

    home: Path
    version: int

    @property
    def java(self) -> Path:
        return self.home / "bin" / "java"

    @property
    def javac(self) -> Path:
        return self.home / "bin" / "javac"


def find(least: int, what: str, *, compiler: bool = False) -> Jdk:
    """The newest Java of at least that version; with its compiler, if asked.

    Raises:
        CannotFetch: naming what needs it and what to install.
    """
    found = sorted(_installed(), key=lambda jdk: jdk.version, reverse=True)
    for jdk in found:
        if jdk.version >= least and (jdk.javac.is_file() or not compiler):
            return jdk
    there = ", ".join(f"{jdk.version} at {jdk.home}" for jdk in found) or "none"
    raise CannotFetch(
        f"{what} needs a JDK of version {least} or newer; found: {there}. Install one "
        f"(Debian: apt-get install openjdk-{least}-jdk-headless; elsewhere for example "
        "Temurin) or set JAVA_HOME"
    )


def _installed() -> Iterator[Jdk]:
    seen: set[Path] = set()
    for home in _homes():
        real = home.resolve()
        if real not in seen and (real / "bin" / "java").is_file():
            seen.add(real)
            version = _version(real)
            if version:
                yield Jdk(real, version)


def _homes() -> Iterator[Path]:
    if given := os.environ.get("JAVA_HOME"):
        yield Path(given)
    if on_path := shutil.which("java"):
        yield Path(on_path).resolve().parents[1]
    if FOLDER.is_dir():
        yield from sorted(FOLDER.iterdir())


def _version(home: Path) -> int:
    """The major version; 0 where it cannot be told."""
    try:
        said = (home / "release").read_text("utf-8", "replace")
    except OSError:
        said = _version_output(home)
    match = VERSION.search(said)
    return int(match[1]) if match else 0


def _version_output(home: Path) -> str:
    command = [str(home / "bin" / "java"), "-version"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stderr
