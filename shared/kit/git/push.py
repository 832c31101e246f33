"""Pushes a folder of foreign files as the first commit of a branch.

`git fast-import` makes the commit from the folder's files without a work tree and an
index, so `.gitattributes`, `.gitignore`, filters and hooks in the folder have no
effect.
"""

import tempfile
from asyncio import to_thread
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from shared.contracts.errors import Invalid
from shared.guards.foreign_files import ForeignFolder
from shared.guards.foreign_trees import ForeignEntry, TreeLimits, check_entries
from shared.kit.git.command import run_git

_BRANCH = "refs/heads/first"
#: A branch is a file, for which Git needs a longer name while it writes it.
BRANCH_BYTES = 200
_PLAIN = frozenset(
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./"
)
#: Characters that Git strips from the ends of a name or address in a commit.
_CRUD = " .,:;<>\"\\'"


async def push_folder(
    folder: Path,
    destination: str,
    branch: str,
    *,
    message: str,
    author: tuple[str, str],
    environment: Mapping[str, str],
) -> str:
    """Commit the files and links of `folder` and push them; returns the commit's id.

    Raises:
        Conflict: if the branch exists.
        Invalid: naming the branch or a path that breaks a rule.
    """
    await check_branch(branch)
    with tempfile.TemporaryDirectory() as parent, tempfile.TemporaryFile() as stream:
        repository = Path(parent) / "first.git"
        await run_git(["init", "--quiet", "--bare", "--template=", repository])
        await to_thread(_write_commit, folder, stream, message, author)
        arguments = ["fast-import", "--quiet", "--done", "--date-format=now"]
        await run_git(arguments, cwd=repository, data=stream)
        output = await run_git(["rev-parse", _BRANCH], cwd=repository)
        await run_git(
            ["push", "--quiet", destination, f"{_BRANCH}:refs/heads/{branch}"],
            cwd=repository,
            # Hooks of a host on this machine run with it: their patterns are their own.
            environment={**environment, "GIT_LITERAL_PATHSPECS": "0"},
            conflict_text="rejected",
        )
    return output.decode().strip()


async def check_branch(branch: str) -> None:
    """Check the name of a branch that is to be made, by Git's own rule.

    Raises:
        Invalid: if it is none, or too long for the name of a file.
    """
    if len(branch.encode("utf-8", "replace")) > BRANCH_BYTES:
        raise Invalid(f"branch: a name has at most {BRANCH_BYTES} bytes")
    # Git would take `refs/heads/main` for a branch below `refs/heads/refs`.
    if branch and not branch.startswith("refs/") and "\0" not in branch:
        valid = await run_git(
            ["check-ref-format", "--branch", branch], allowed_exit_codes=(128, 129)
        )
        if valid.decode(errors="replace").removesuffix("\n") == branch != "HEAD":
            return
    raise Invalid(f"branch: {branch!r} is not a branch's name")


def _write_commit(
    folder: Path, stream: IO[bytes], message: str, author: tuple[str, str]
) -> None:
    """Write the commit in the format of `fast-import`."""
    identity = f"{_plain(author[0]) or 'unknown'} <{_plain(author[1])}> now"
    stream.write(f"commit {_BRANCH}\nauthor {identity}\n".encode())
    stream.write(f"committer {identity}\n".encode())
    _write_data(stream, f"{message.replace(chr(0), '').strip()}\n".encode())
    limits = TreeLimits()
    with ForeignFolder.open(folder) as root:
        # A repository cannot contain `.git` folders.
        limit = limits.files + limits.folders
        entries = list(root.entries(limit=limit, skips_git=True))
        check_entries(entries, limits)
        for entry in entries:
            _write_entry(root, entry, stream)
    stream.write(b"\ndone\n")
    stream.flush()
    stream.seek(0)


def _write_entry(root: ForeignFolder, entry: ForeignEntry, stream: IO[bytes]) -> None:
    mode = "100755" if entry.is_executable else "100644"
    if entry.kind == "link":
        mode = "120000"
    stream.write(f"M {mode} inline ".encode() + _quoted(entry.path) + b"\n")
    if entry.kind == "link":
        _write_data(stream, root.target(entry.path).encode("utf-8", "surrogateescape"))
        return
    stream.write(b"data %d\n" % entry.size)
    for chunk in root.chunks(entry.path):
        stream.write(chunk)
    stream.write(b"\n")


def _write_data(stream: IO[bytes], content: bytes) -> None:
    stream.write(b"data %d\n" % len(content))
    stream.write(content + b"\n")


def _quoted(path: str) -> bytes:
    """A path quoted for `fast-import`."""
    escaped = (
        chr(byte) if byte in _PLAIN else f"\\{byte:03o}" for byte in path.encode()
    )
    return f'"{"".join(escaped)}"'.encode()


def _plain(text: str) -> str:
    """A name or an address without characters that break a commit's header."""
    printable = "".join(
        char for char in text if char.isprintable() and char not in "<>"
    )
    return printable.strip(_CRUD)
