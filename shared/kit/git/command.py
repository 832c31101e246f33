"""Runs `git` as a subprocess: no prompts, no user's settings, errors in our words."""

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from shared.contracts import room
from shared.contracts.errors import Conflict, Invalid, NotFound, TooLarge, Unavailable
from shared.kit.git.access import network_environment
from shared.kit.processes import commands

#: What git says when another process is writing to the same repository.
BUSY = ("cannot lock ref", ".lock': file exists")
#: What git says when a host does not show a repository with these credentials.
DENIED = (
    "could not read username",
    "could not read password",
    "authentication failed",
    "returned error: 401",
    "returned error: 403",
)
MISSING = (
    "not found",
    "not a git repository",
    "bad object",
    "not a valid object",
)
FILE_LIMIT = 10 * 1024 * 1024
OUTPUT_LIMIT = 2 * FILE_LIMIT
SECONDS = 60.0


class Busy(Unavailable):
    """Another process is writing to the same repository; it ends soon."""


async def run_git(
    arguments: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    data: bytes | IO[bytes] | None = None,
    extra: Mapping[str, str] | None = None,
    allow: Sequence[int] = (),
    limit: int = OUTPUT_LIMIT,
    conflict: str | None = None,
) -> bytes:
    """What `git ARGUMENTS` printed.

    `data` is its standard input, `extra` its environment besides the fixed one,
    `allow` the exit codes that are no failure, `limit` the most bytes it may print;
    `conflict` is the word in its complaint that means somebody was first.

    Raises:
        CallboardError: by what git complained of; NoRoom if the disk is full.
        TooLarge: if it printed more than `limit` bytes.
    """
    printed = b""

    def read(output: IO[bytes]) -> None:
        nonlocal printed
        printed = output.read(limit + 1)
        if len(printed) > limit:
            # The rest is not waited for: a few trees may list paths without end.
            raise TooLarge(f"git {arguments[0]}: over the limit of {limit} bytes")

    await stream_git(
        arguments, read, cwd=cwd, data=data, extra=extra, allow=allow, conflict=conflict
    )
    return printed


async def stream_git(
    arguments: Sequence[str | Path],
    consume: commands.Consumer,
    *,
    cwd: Path | None = None,
    data: bytes | IO[bytes] | None = None,
    extra: Mapping[str, str] | None = None,
    allow: Sequence[int] = (),
    conflict: str | None = None,
) -> None:
    """Run `git ARGUMENTS`, what it prints read by `consume` as it comes; see `run_git`.

    `consume` runs in a thread, and may end or raise before git does.

    Raises:
        CallboardError: by what git complained of; NoRoom if the disk is full.
    """
    with tempfile.TemporaryFile() as source:
        if isinstance(data, bytes):
            source.write(data)
            source.seek(0)
        try:
            done = await commands.stream(
                ["git", "-c", "safe.directory=*", *map(str, arguments)],
                consume,
                cwd=cwd,
                source=source if data is None or isinstance(data, bytes) else data,
                env={**_environment(), **(extra or {})},
                seconds=SECONDS,
            )
        except TimeoutError:
            raise Unavailable(f"git {arguments[0]} took over {SECONDS:.0f} s") from None
    if done.code and done.code not in allow:
        told = done.err.decode(errors="replace")
        if room.says_full(told):
            raise room.NoRoom
        raise _failure(told, conflict)


def _environment() -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": os.environ.get("HOME", "/"),
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ALLOW_PROTOCOL": "https:http:ssh:file",
        **network_environment(),
    }


def _failure(
    text: str, conflict: str | None
) -> NotFound | Conflict | Unavailable | Invalid:
    line = _complaint(text)
    if conflict and conflict in text:
        return Conflict(line)
    lowered = text.lower()
    if any(words in lowered for words in BUSY):
        return Busy(f"The repository is being written to: {line}")
    if any(words in lowered for words in DENIED):
        return Invalid(
            "The Git host does not show the repository without other credentials: give "
            f"its entry of `integrations` a token that may read it ({line})"
        )
    if "could not resolve" in lowered or "unable to access" in lowered:
        return Unavailable(f"The Git host does not answer: {line}")
    if any(words in lowered for words in MISSING):
        return NotFound(line)
    return Invalid(f"git: {line}")


def _complaint(text: str) -> str:
    """The line that says what is wrong, without what is secret in it."""
    line = next(
        (x for x in text.splitlines() if x.startswith(("fatal", "error"))), text
    )
    line = re.sub(r"//[^/@\s]+@", "//***@", line.strip())
    return re.sub(r"(?i)(authorization: *\w+) +\S+", r"\1 ***", line)[:300]
