"""Hosts of type `local`: bare repositories in a folder of this machine."""

import contextlib
import re
from pathlib import Path

from shared.contracts.errors import Invalid

#: Characters of a repository's name, as hosts have it.
NAME_LENGTH = 100
LOCAL_NAME = re.compile(r"[A-Za-z0-9._][\w.-]*")
#: Names that are valid in addresses, but not for a folder `NAME.git`.
UNUSABLE_NAME = re.compile(r"/|\.\.|(\.git|\.lock|\.)$")


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
