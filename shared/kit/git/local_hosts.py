"""Hosts of type `local`: bare repositories in a folder of this machine."""

import asyncio
import contextlib
import re
import tempfile
from pathlib import Path

from shared.contracts.errors import Invalid
from shared.kit.git.command import run_git

#: Characters of a repository's name, as hosts have it.
NAME_LENGTH = 100
LOCAL_NAME = re.compile(r"[A-Za-z0-9._][\w.-]*")
#: Names that are valid in addresses, but not for a folder `NAME.git`.
UNUSABLE_NAME = re.compile(r"(?i)/|\.\.|(\.git|\.lock|\.)$")


def check_new_name(host: str, repository: str) -> None:
    """Check the name of a repository that is to be created.

    Raises:
        Invalid: naming the rule.
    """
    owner, _, name = repository.rpartition("/")
    if owner:
        raise Invalid(
            f"repository: {host} has no owners: write {name!r} without {owner!r}"
        )
    if len(repository) > NAME_LENGTH:
        raise Invalid(f"repository: a name has at most {NAME_LENGTH} characters")
    if not LOCAL_NAME.fullmatch(repository) or UNUSABLE_NAME.search(repository):
        raise Invalid(
            f"repository: {repository!r} may hold letters, digits and -_. and "
            "must not end in .git or .lock"
        )


def similar_name(directory: Path, repository: str) -> str | None:
    """The name of a repository of a folder that differs by case alone, or not at all.

    People's file systems and other hosts may take two such names for one.
    """
    folder = f"{repository}.git"
    if (directory / folder).exists():
        return repository
    names = (
        path.name.removesuffix(".git")
        for path in directory.iterdir()
        if path.name.casefold() == folder.casefold()
    )
    return next(names, None)


def has_repository(path: Path) -> bool:
    """Whether there is a repository of exactly this name.

    A file system that folds case opens `shop.git` as `Shop.git` too; the repository
    would have a second name, with rights of its own.
    """
    if not path.is_dir():
        return False
    other_path = path.with_name(path.name.swapcase())
    with contextlib.suppress(OSError):
        if other_path.samefile(path):
            return any(entry.name == path.name for entry in path.parent.iterdir())
    return True


def default_branches(directory: Path) -> dict[str, str]:
    """The default branch of each bare repository of a folder (gitrepository-layout)."""
    branches: dict[str, str] = {}
    for path in sorted(directory.glob("*.git")):
        with contextlib.suppress(OSError):
            head = (path / "HEAD").read_text("utf-8", "replace").strip()
            prefix, _, branch = head.partition("refs/heads/")
            name = path.name.removesuffix(".git")
            branches[name] = branch if prefix == "ref: " else "HEAD"
    return branches


async def make_repository(path: Path, branch: str, template: Path | None) -> None:
    """Make an empty repository at a path where nothing is; `template` has its hooks."""
    arguments = ["init", "--quiet", "--bare", f"--initial-branch={branch}"]
    if template is not None:
        arguments.append(f"--template={template}")
    # Created beside its path and moved there, so that it is never incomplete.
    with tempfile.TemporaryDirectory(dir=path.parent) as parent:
        repository_folder = Path(parent) / "made.git"
        await run_git([*arguments, str(repository_folder)])
        await asyncio.to_thread(repository_folder.rename, path)
