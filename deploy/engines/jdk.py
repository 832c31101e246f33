"""Finds the newest Java for a server in JAVA_HOME, PATH and /usr/lib/jvm."""

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
    """An installed Java and its major version."""

    home: Path
    version: int

    @property
    def java(self) -> Path:
        return self.home / "bin" / "java"

    @property
    def javac(self) -> Path:
        return self.home / "bin" / "javac"


def find(least: int, program: str, *, compiler: bool = False) -> Jdk:
    """The newest Java of at least that version; with `compiler`, it must have one.

    Raises:
        CannotFetch: naming the program that needs it, and what to install.
    """
    installed = sorted(_installed(), key=lambda jdk: jdk.version, reverse=True)
    for jdk in installed:
        if jdk.version >= least and (jdk.javac.is_file() or not compiler):
            return jdk
    installed_text = (
        ", ".join(f"{jdk.version} at {jdk.home}" for jdk in installed) or "none"
    )
    raise CannotFetch(
        f"{program} needs a JDK of version {least} or newer; found: "
        f"{installed_text}. Install one "
        f"(Debian: apt-get install openjdk-{least}-jdk-headless; elsewhere for example "
        "Temurin) or set JAVA_HOME"
    )


def _installed() -> Iterator[Jdk]:
    homes: set[Path] = set()
    for home in _homes():
        real = home.resolve()
        if real not in homes and (real / "bin" / "java").is_file():
            homes.add(real)
            version = _version(real)
            if version:
                yield Jdk(real, version)


def _homes() -> Iterator[Path]:
    if configured := os.environ.get("JAVA_HOME"):
        yield Path(configured)
    if on_path := shutil.which("java"):
        yield Path(on_path).resolve().parents[1]
    if FOLDER.is_dir():
        yield from sorted(FOLDER.iterdir())


def _version(home: Path) -> int:
    """The major version; 0 if it is unknown."""
    try:
        text = (home / "release").read_text("utf-8", "replace")
    except OSError:
        text = _version_output(home)
    match = VERSION.search(text)
    return int(match[1]) if match else 0


def _version_output(home: Path) -> str:
    command = [str(home / "bin" / "java"), "-version"]
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stderr
