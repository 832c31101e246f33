"""Makes a small Git host below the data folder from the example's folders.

It has bare repositories with their history, hooks that send push webhooks as a real host
does, and working copies to edit. A second run keeps existing repositories.
"""

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

EXAMPLE_FOLDER = Path(__file__).parent / "playhouse"
HOST = "git.playhouse.example"
TEMPLATE = "template"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,98}")

HOOK = """\
#!/bin/sh
# Tells the portal of a push. Never fails it.
python={python}
[ -x "$python" ] || python=python3
"$python" -I -S ../post_receive.py || true
"""

#: The configuration of every repository: its hooks, independent of the user's settings,
#: and partial clones.
CONFIG = """\
[core]
\thooksPath = hooks
[uploadpack]
\tallowFilter = true
\tallowAnySHA1InWant = true
"""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class LoadedExample:
    """The result of loading: the names of all repositories and of the new ones."""

    host: Path
    workshop: Path
    repositories: tuple[str, ...]
    created: tuple[str, ...]


def load(
    data: Path, *, address: str, secret: str, progress: Progress | None = None
) -> LoadedExample:
    """Make `data/git` and `data/workshop` from the example.

    `address` is the gateway's (`http://127.0.0.1:7007`), `secret` signs the webhooks.
    Raises ValueError if the history does not end at the example's folders.
    """
    host, workshop = data / "git", data / "workshop"
    prepare_host(host, address=address, secret=secret)
    workshop.mkdir(parents=True, exist_ok=True)
    history = yaml.safe_load((EXAMPLE_FOLDER / "history.yaml").read_text("utf-8"))
    repositories = history["repositories"]
    created = []
    for number, (name, repository) in enumerate(repositories.items(), 1):
        if not (host / f"{name}.git").exists():
            stream = b"".join(commits(name, repository["commits"], history))
            create_bare(
                host, name, description=repository["description"], history=stream
            )
            created.append(name)
        author = repository["commits"][0]["author"]
        clone(
            host,
            workshop,
            name,
            f"{author}@{history['domain']}",
            history["people"][author],
        )
        if progress:
            progress(name, number, len(repositories))
    return LoadedExample(host, workshop, tuple(repositories), tuple(created))


def prepare_host(host: Path, *, address: str, secret: str, url: str = "") -> Path:
    """Make the folder of a host; returns the Git template of new repositories."""
    hooks = host / TEMPLATE / "hooks"
    hooks.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(EXAMPLE_FOLDER / "post_receive.py", host / "post_receive.py")
    (host / TEMPLATE / "config").write_text(CONFIG, "utf-8")
    hook = hooks / "post-receive"
    hook.write_text(HOOK.format(python=shlex.quote(sys.executable)), "utf-8")
    hook.chmod(0o755)
    for repository in host.glob("*.git"):
        shutil.copy(hook, repository / "hooks" / "post-receive")
    write_secret(
        host / "hook.json",
        {
            "address": address.rstrip("/"),
            "secret": secret,
            "url": url or f"https://{HOST}",
            "owner": "playhouse",
        },
    )
    return host / TEMPLATE


def write_secret(path: Path, content: Mapping[str, str]) -> None:
    """Write a JSON file that only its owner can read, atomically."""
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file)
    partial.replace(path)


def create_bare(
    host: Path, name: str, *, description: str = "", history: bytes = b""
) -> Path:
    """Create a bare repository `name.git` with the host's hooks, atomically.

    `history` is a stream for `git fast-import`. Raises ValueError for an invalid name,
    FileExistsError if the repository exists.
    """
    if not NAME.fullmatch(name) or name.endswith((".git", ".lock", ".")):
        raise ValueError(f"{name!r} cannot be the name of a repository")
    path = host / f"{name}.git"
    if path.exists():
        raise FileExistsError(f"{path} exists")
    partial = host / f".{name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    template = f"--template={(host / TEMPLATE).resolve()}"
    git("init", "--quiet", "--bare", "--initial-branch=main", template, str(partial))
    (partial / "description").write_text(f"{description}\n", "utf-8")
    if history:
        git("-C", str(partial), "fast-import", "--quiet", "--done", stdin=history)
    partial.rename(path)
    return path


def clone(host: Path, workshop: Path, name: str, email: str, author: str) -> None:
    """Clone a working copy that can push, also without a Git identity."""
    path = workshop / name
    if path.exists():
        return
    partial = workshop / f".{name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    settings = {
        "user.name": author,
        "user.email": email,
        "commit.gpgSign": "false",
        "push.default": "simple",
        "core.autocrlf": "false",
    }
    options = [
        part for key, value in settings.items() for part in ("-c", f"{key}={value}")
    ]
    source = str((host / f"{name}.git").resolve())
    git("clone", "--quiet", *options, source, str(partial))
    partial.rename(path)


def commits(
    name: str, entries: Sequence[Mapping[str, Any]], history: Mapping[str, Any]
) -> Iterator[bytes]:
    """The commits of one repository in the format of `git fast-import`."""
    folder = EXAMPLE_FOLDER / "repositories" / name
    current_files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    written_files: dict[str, bytes] = {}
    for commit in entries:
        files = files_of(commit, current_files, name)
        written_files |= files
        yield from one_commit(commit, files, history)
    if written_files != current_files:
        differing = sorted(
            path
            for path in current_files
            if written_files.get(path) != current_files[path]
        )
        raise ValueError(f"history of {name} does not end at its files: {differing}")
    yield b"done\n"


def files_of(
    commit: Mapping[str, Any], current_files: Mapping[str, bytes], name: str
) -> dict[str, bytes]:
    """The files of a commit: the current files with their earlier texts."""
    as_it_was = commit.get("as_it_was", {})
    files = {
        path: content
        for path, content in current_files.items()
        if any(fnmatch.fnmatchcase(path, pattern) for pattern in commit["files"])
    }
    for path, changes in as_it_was.items():
        text = files[path].decode()
        for current_text, *earlier_text in changes:
            if current_text not in text:
                raise ValueError(
                    f"history of {name}: {path} does not hold {current_text!r}"
                )
            text = text.replace(current_text, earlier_text[0] if earlier_text else "")
        files[path] = text.encode()
    return files


def one_commit(
    commit: Mapping[str, Any], files: Mapping[str, bytes], history: Mapping[str, Any]
) -> Iterator[bytes]:
    """One commit of the stream."""
    at = commit["date"]
    if not isinstance(at, datetime):
        at = datetime.fromisoformat(at)
    author = commit["author"]
    stamp = f"{int(at.timestamp())} {at.strftime('%z') or '+0000'}"
    who = f"{history['people'][author]} <{author}@{history['domain']}> {stamp}"
    message = commit["message"].strip().encode() + b"\n"
    yield f"commit refs/heads/main\nauthor {who}\ncommitter {who}\n".encode()
    yield data(message)
    for path, content in files.items():
        yield f"M 100644 inline {path}\n".encode() + data(content)


def data(content: bytes) -> bytes:
    """A data block of the stream."""
    return f"data {len(content)}\n".encode() + content + b"\n"


def git(*arguments: str, stdin: bytes | None = None) -> None:
    """Run Git; raises RuntimeError with its message if it fails."""
    result = subprocess.run(
        ["git", *arguments], input=stdin, capture_output=True, check=False
    )
    if result.returncode:
        raise RuntimeError(f"git {arguments[0]}: {result.stderr.decode().strip()}")
