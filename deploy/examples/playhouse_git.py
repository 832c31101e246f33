"""Turns the example organisation's folders into a small Git host below the data folder.

Bare repositories with their history, hooks that tell the portal of a push as a real host
would, and working copies to edit. Running it twice keeps what is there.
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

HERE = Path(__file__).parent / "playhouse"
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

#: In every repository of this host: its own hooks, whatever the user's settings say, and
#: clones that ask for a part only.
CONFIG = """\
[core]
\thooksPath = hooks
[uploadpack]
\tallowFilter = true
\tallowAnySHA1InWant = true
"""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Loaded:
    """What stands after loading: names of repositories, and which of them are new."""

    host: Path
    workshop: Path
    repositories: tuple[str, ...]
    created: tuple[str, ...]


def load(
    data: Path, *, address: str, secret: str, progress: Progress | None = None
) -> Loaded:
    """Makes `data/git` and `data/workshop` from the example.

    `address` is the gateway's (`http://127.0.0.1:7007`), `secret` signs the webhooks.
    Raises ValueError if the history does not end at the example's folders.
    """
    host, workshop = data / "git", data / "workshop"
    prepare_host(host, address=address, secret=secret)
    workshop.mkdir(parents=True, exist_ok=True)
    told = yaml.safe_load((HERE / "history.yaml").read_text("utf-8"))
    repositories = told["repositories"]
    created = []
    for number, (name, repository) in enumerate(repositories.items(), 1):
        if not (host / f"{name}.git").exists():
            stream = b"".join(commits(name, repository["commits"], told))
            create_bare(
                host, name, description=repository["description"], history=stream
            )
            created.append(name)
        author = repository["commits"][0]["author"]
        clone(
            host, workshop, name, f"{author}@{told['domain']}", told["people"][author]
        )
        if progress:
            progress(name, number, len(repositories))
    return Loaded(host, workshop, tuple(repositories), tuple(created))


def prepare_host(host: Path, *, address: str, secret: str, url: str = "") -> Path:
    """The folder of a host and the template that new repositories of it begin with."""
    hooks = host / TEMPLATE / "hooks"
    hooks.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(HERE / "post_receive.py", host / "post_receive.py")
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
    """A JSON file that only its owner reads, replaced in one step."""
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file)
    partial.replace(path)


def create_bare(
    host: Path, name: str, *, description: str = "", history: bytes = b""
) -> Path:
    """A bare repository `name.git` with the host's hooks; there, or not at all.

    `history` is a stream for `git fast-import`. Raises ValueError for a name that is no
    name, FileExistsError if the repository exists.
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
    """A working copy from which `git push` just works, also without a Git identity."""
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
    given = [
        part for key, value in settings.items() for part in ("-c", f"{key}={value}")
    ]
    source = str((host / f"{name}.git").resolve())
    git("clone", "--quiet", *given, source, str(partial))
    partial.rename(path)


def commits(
    name: str, told: Sequence[Mapping[str, Any]], history: Mapping[str, Any]
) -> Iterator[bytes]:
    """The commits of one repository as `git fast-import` reads them."""
    folder = HERE / "repositories" / name
    today = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    then: dict[str, bytes] = {}
    for commit in told:
        written = files_of(commit, today, name)
        then |= written
        yield from one_commit(commit, written, history)
    if then != today:
        wrong = sorted(path for path in today if then.get(path) != today[path])
        raise ValueError(f"history of {name} does not end at its files: {wrong}")
    yield b"done\n"


def files_of(
    commit: Mapping[str, Any], today: Mapping[str, bytes], name: str
) -> dict[str, bytes]:
    """What a commit writes: files of today, with the texts that stood there then."""
    as_it_was = commit.get("as_it_was", {})
    chosen = {
        path: content
        for path, content in today.items()
        if any(fnmatch.fnmatchcase(path, pattern) for pattern in commit["files"])
    }
    for path, changes in as_it_was.items():
        text = chosen[path].decode()
        for now, *was in changes:
            if now not in text:
                raise ValueError(f"history of {name}: {path} does not hold {now!r}")
            text = text.replace(now, was[0] if was else "")
        chosen[path] = text.encode()
    return chosen


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
    """A counted block of the stream."""
    return f"data {len(content)}\n".encode() + content + b"\n"


def git(*arguments: str, stdin: bytes | None = None) -> None:
    """Runs Git; raises RuntimeError with its own words where it fails."""
    done = subprocess.run(
        ["git", *arguments], input=stdin, capture_output=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"git {arguments[0]}: {done.stderr.decode().strip()}")
