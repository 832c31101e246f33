"""Runs `git` as a subprocess without prompts, and translates its errors."""

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from shared.contracts import disk_space
from shared.contracts.errors import Conflict, Invalid, NotFound, TooLarge, Unavailable
from shared.kit.git.access import REPOSITORY, network_environment
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
    "does not appear to be a git repository",
    "not a git repository",
    "bad object",
    "not a valid object",
)
#: Git's lines when there is no repository at an address.
_NO_REPOSITORY = re.compile(
    r"(?m)^fatal: (?:repository '.*' not found"
    r"|'.*' does not appear to be a git repository)$"
)
#: What Git writes before the reason of an error; the address where the name is known.
_BEFORE_REASON = re.compile(r"(?:fatal|error): ")
_BEFORE_NAMED_REASON = re.compile(r"(?:fatal|error): (?:unable to access '[^']*': )?")
_ANSWERED = re.compile(r"returned error: (\d{3})")
FILE_LIMIT = 10 * 1024 * 1024
#: The folders of an absolute path, also in the address of a file; not of a web address.
_OWN_FOLDER = re.compile(r"(?:file://|(?<![\w:/.~%-]))/(?:[^\s'\":/]+/)+")
OUTPUT_LIMIT = 2 * FILE_LIMIT
SECONDS = 60.0


class RepositoryBusy(Unavailable):
    """Another process is writing to the same repository; a retry will succeed."""


class GitNotFound(NotFound):
    """Git finds no such repository or object; the message names the repository."""


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

    `data` is the standard input, `environment` is added to the fixed environment (its
    `REPOSITORY` is what errors name), and exit codes in `allowed_exit_codes` are no
    failure. `limit` is the most bytes of output. An error message with
    `conflict_text` raises Conflict.

    Raises:
        CallboardError: according to git's error message; DiskFull if the disk is full.
        Unavailable: if it takes over `seconds`.
        TooLarge: if the output is over `limit` bytes.
    """
    printed = b""
    about = _about((environment or {}).get(REPOSITORY))

    def read(output: IO[bytes]) -> None:
        nonlocal printed
        printed = output.read(limit + 1)
        if len(printed) > limit:
            # The rest is not read: a few trees can list an endless number of paths.
            raise TooLarge(
                f"{about}git {arguments[0]}: over the limit of {limit} bytes"
            )

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
    repository = (environment or {}).get(REPOSITORY)
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
            raise Unavailable(
                f"{_about(repository)}git {arguments[0]} took over {seconds:.0f} s"
            ) from None
    if result.exit_code and result.exit_code not in allowed_exit_codes:
        stderr = result.stderr.decode(errors="replace")
        if disk_space.mentions_full_disk(stderr):
            raise disk_space.DiskFull
        raise _error_of(stderr, repository, conflict_text)


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


def _about(repository: str | None) -> str:
    """The beginning of an error's message: the repository that a command is about."""
    return f"{repository}: " if repository else ""


def _error_of(
    text: str, repository: str | None, conflict_text: str | None
) -> NotFound | Conflict | Unavailable | Invalid:
    about = _about(repository)
    line = _error_line(text)
    before = _BEFORE_NAMED_REASON if repository else _BEFORE_REASON
    reason = line.removeprefix(match[0]) if (match := before.match(line)) else line
    if conflict_text and conflict_text in text:
        return Conflict(f"{about}{reason}")
    lowered = text.lower()
    if any(message in lowered for message in BUSY_MESSAGES):
        return RepositoryBusy(f"{about}the repository is being written to: {reason}")
    if any(message in lowered for message in DENIED_MESSAGES):
        return Invalid(f"{about}{_denied_message(text)}")
    if "could not resolve" in lowered or "unable to access" in lowered:
        return Unavailable(f"{about}the Git host does not answer: {reason}")
    if any(message in lowered for message in MISSING_MESSAGES):
        is_absent = repository and _NO_REPOSITORY.search(text)
        message = f"There is no repository {repository}" if is_absent else ""
        return GitNotFound(message or f"{about}{reason}")
    return Invalid(f"{about}git: {reason}")


def _denied_message(text: str) -> str:
    """The message for refused credentials.

    Git's own words are about a person at a terminal, who could type a password.
    """
    answered = _ANSWERED.search(text)
    answer = f" (it answered {answered[1]})" if answered else ""
    return (
        "the Git host does not show the repository without other "
        f"credentials{answer}: give the host's entry of `integrations` a token that "
        "may read it"
    )


def _error_line(text: str) -> str:
    """The line of the error message, without secrets and paths of this machine."""
    line = next(
        (x for x in text.splitlines() if x.startswith(("fatal", "error"))), text
    )
    line = re.sub(r"//[^/@\s]+@", "//***@", line.strip())
    line = _OWN_FOLDER.sub("", line)
    return re.sub(r"(?i)(authorization: *\w+) +\S+", r"\1 ***", line)[:300]
