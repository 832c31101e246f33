"""Runs `git` as a subprocess: no prompts, no user's settings, errors in our words."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from shared.contracts import room
from shared.contracts.errors import Conflict, Invalid, NotFound, TooLarge, Unavailable
from shared.kit import commands

#: What git says when another process is writing to the same repository.
BUSY = ("cannot lock ref", ".lock': file exists")
FILE_LIMIT = 10 * 1024 * 1024
SECONDS = 60.0


class Busy(Unavailable):
    """Another process is writing to the same repository; it ends soon."""


async def run_git(
    arguments: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    data: bytes | None = None,
    extra: Mapping[str, str] | None = None,
    allow: Sequence[int] = (),
    limit: int = FILE_LIMIT * 2,
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
    try:
        done = await commands.run(
            ["git", "-c", "safe.directory=*", *map(str, arguments)],
            cwd=cwd,
            data=data or None,
            env={**_environment(), **(extra or {})},
            seconds=SECONDS,
        )
    except TimeoutError:
        raise Unavailable(f"git {arguments[0]} took over {SECONDS:.0f} s") from None
    if len(done.out) > limit:
        raise TooLarge(f"git {arguments[0]}: over the limit of {limit} bytes")
    if done.code and done.code not in allow:
        told = done.err.decode(errors="replace")
        if room.says_full(told):
            raise room.NoRoom
        raise _failure(told, conflict)
    return done.out


def _environment() -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": os.environ.get("HOME", "/"),
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ALLOW_PROTOCOL": "https:http:ssh:file",
    }


def _failure(
    text: str, conflict: str | None
) -> NotFound | Conflict | Unavailable | Invalid:
    line = next(
        (x for x in text.splitlines() if x.startswith(("fatal", "error"))), text
    )
    line = re.sub(r"//[^/@\s]+@", "//***@", line.strip())[:300]
    if conflict and conflict in text:
        return Conflict(line)
    lowered = text.lower()
    if any(words in lowered for words in BUSY):
        return Busy(f"The repository is being written to: {line}")
    if "could not resolve" in lowered or "unable to access" in lowered:
        return Unavailable(f"The Git host does not answer: {line}")
    if "not found" in lowered or "not a git repository" in lowered:
        return NotFound(line)
    if "bad object" in lowered or "not a valid object" in lowered:
        return NotFound(line)
    return Invalid(f"git: {line}")
