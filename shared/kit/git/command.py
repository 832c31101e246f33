"""Runs `git` as a subprocess without prompts, and translates its errors."""

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from shared.contracts import disk_space
from shared.contracts.errors import Conflict, Invalid, NotFound, TooLarge, Unavailable
from shared.kit.git.access import network_environment
from shared.kit.processes import commands

#: Git's messages when another process writes to the same repository.
BUSY_MESSAGES = ("cannot lock ref", ".lock': file exists")
#: Git's messages when a host refuses the credentials.
DENIED_MESSAGES = (
    "could not read username",
    "could not read password",
    "authentication failed",
    "returned error: 401",
    "returned error: 403",
)
MISSING_MESSAGES = (
    "not found",
    "not a git repository",
    "bad object",
    "not a valid object",
)
FILE_LIMIT = 10 * 1024 * 1024
#: The folders of an absolute path, also in the address of a file; not of a web address.
_OWN_FOLDER = re.compile(r"(?:file://|(?<![\w:/.~%-]))/(?:[^\s'\":/]+/)+")
OUTPUT_LIMIT = 2 * FILE_LIMIT
SECONDS = 60.0


class RepositoryBusy(Unavailable):
    """Another process is writing to the same repository; a retry will succeed."""


async def run_git(
    arguments: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    data: bytes | IO[bytes] | None = None,
    environment: Mapping[str, str] | None = None,
    allowed_exit_codes: Sequence[int] = (),
    limit: int = OUTPUT_LIMIT,
    conflict_text: str | None = None,
    seconds: float = SECONDS,
) -> bytes:
    """Run `git ARGUMENTS` and return its output.

    `data` is the standard input, `environment` is added to the fixed environment, and
    exit codes in `allowed_exit_codes` are no failure. `limit` is the most bytes of
    output. An error message with `conflict_text` raises Conflict.

    Raises:
        CallboardError: according to git's error message; DiskFull if the disk is full.
        Unavailable: if it takes over `seconds`.
        TooLarge: if the output is over `limit` bytes.
    """
    printed = b""

    def read(output: IO[bytes]) -> None:
        nonlocal printed
        printed = output.read(limit + 1)
        if len(printed) > limit:
            # The rest is not read: a few trees can list an endless number of paths.
            raise TooLarge(f"git {arguments[0]}: over the limit of {limit} bytes")

    await stream_git(
        arguments,
        read,
        cwd=cwd,
        data=data,
        environment=environment,
        allowed_exit_codes=allowed_exit_codes,
        conflict_text=conflict_text,
        seconds=seconds,
    )
    return printed


async def stream_git(
    arguments: Sequence[str | Path],
    consume: commands.Consumer,
    *,
    cwd: Path | None = None,
    data: bytes | IO[bytes] | None = None,
    environment: Mapping[str, str] | None = None,
    allowed_exit_codes: Sequence[int] = (),
    conflict_text: str | None = None,
    seconds: float = SECONDS,
) -> None:
    """Run `git ARGUMENTS` while `consume` reads its output; see `run_git`.

    `consume` runs in a thread, and may end or raise before git ends.

    Raises:
        CallboardError: according to git's error message; DiskFull if the disk is full.
    """
    with tempfile.TemporaryFile() as source:
        if isinstance(data, bytes):
            source.write(data)
            source.seek(0)
        try:
            result = await commands.stream(
                ["git", "-c", "safe.directory=*", *map(str, arguments)],
                consume,
                cwd=cwd,
                source=source if data is None or isinstance(data, bytes) else data,
                env={**_environment(), **(environment or {})},
                seconds=seconds,
            )
        except TimeoutError:
            raise Unavailable(f"git {arguments[0]} took over {seconds:.0f} s") from None
    if result.exit_code and result.exit_code not in allowed_exit_codes:
        stderr = result.stderr.decode(errors="replace")
        if disk_space.mentions_full_disk(stderr):
            raise disk_space.DiskFull
        raise _error_of(stderr, conflict_text)


def _environment() -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": os.environ.get("HOME", "/"),
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ALLOW_PROTOCOL": "https:http:ssh:file",
        # A path is the name of a file: `:/x` is no path from the top, `*` no pattern.
        "GIT_LITERAL_PATHSPECS": "1",
        **network_environment(),
    }


def _error_of(
    text: str, conflict_text: str | None
) -> NotFound | Conflict | Unavailable | Invalid:
    line = _error_line(text)
    if conflict_text and conflict_text in text:
        return Conflict(line)
    lowered = text.lower()
    if any(message in lowered for message in BUSY_MESSAGES):
        return RepositoryBusy(f"The repository is being written to: {line}")
    if any(message in lowered for message in DENIED_MESSAGES):
        return Invalid(
            "The Git host does not show the repository without other credentials: give "
            f"its entry of `integrations` a token that may read it ({line})"
        )
    if "could not resolve" in lowered or "unable to access" in lowered:
        return Unavailable(f"The Git host does not answer: {line}")
    if any(message in lowered for message in MISSING_MESSAGES):
        return NotFound(line)
    return Invalid(f"git: {line}")


def _error_line(text: str) -> str:
    """The line of the error message, without secrets and paths of this machine."""
    line = next(
        (x for x in text.splitlines() if x.startswith(("fatal", "error"))), text
    )
    line = re.sub(r"//[^/@\s]+@", "//***@", line.strip())
    line = _OWN_FOLDER.sub("", line)
    return re.sub(r"(?i)(authorization: *\w+) +\S+", r"\1 ***", line)[:300]
