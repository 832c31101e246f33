"""Checks foreign names and paths before they are opened.

`check_path` accepts only plain paths: no dots, no empty names. `normalise` accepts the
paths of templates, which may hold dots as long as they stay below their root.
"""

import os
import posixpath
import re

from shared.contracts.errors import Forbidden, Invalid

#: The longest name that file systems accept.
PART_BYTES = 255
#: Leaves room below the system's 4,096 for the folder that holds the tree.
PATH_BYTES = 2048
DEPTH = 64
#: The most path segments that the name of a Git ref may have.
REF_PARTS = 12
#: The longest link target that the system accepts.
TARGET_BYTES = 4095
_QUOTED_CHARACTERS = 200
_DRIVE = re.compile(r"[A-Za-z]:\\")
#: Ignored by HFS+ when it compares names; the list is Git's own.
_IGNORED = dict.fromkeys(
    [*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF]
)
OUTSIDE = "Relative path is not allowed to refer to a directory outside its parent"


def quoted_path(path: str) -> str:
    """A path as errors and logs show it: quoted, on one line, shortened."""
    text = path if len(path) <= _QUOTED_CHARACTERS else f"{path[:_QUOTED_CHARACTERS]}…"
    return repr(text)


def is_git_folder(name: str) -> bool:
    """Whether Git, on any file system, treats `name` as its own folder."""
    plain = name.translate(_IGNORED).casefold().partition(":")[0].rstrip(". ")
    return plain in {".git", "git~1"}


def check_path(path: str, *, allows_git: bool = False) -> tuple[str, ...]:
    """The parts of a tree's path, from the top.

    With `allows_git` a folder may be called `.git`: for trees that no Git command
    reads.

    Raises:
        Invalid: naming the path and the rule that it breaks.
    """
    parts = tuple(path.split("/"))
    _check_lengths(path, parts)
    for part in parts:
        reason = _reason(part)
        if reason is None and not allows_git and is_git_folder(part):
            reason = f"{part!r} is the name of Git's own folder"
        if reason is not None:
            raise Invalid(f"path: {quoted_path(path)}: {reason}")
    return parts


def normalise(relative: str, *, allows_backslash: bool = False) -> tuple[str, ...]:
    """The parts of a path that a template names, without dots; () for the root.

    `allows_backslash` is for the names of files that exist already.

    Raises:
        Forbidden: if it leads outside its root.
        Invalid: if a name in it breaks a rule.
    """
    # A path that leads outside with either separator is an attempt on some system.
    for text in (relative, relative.replace("\\", "/")):
        plain = posixpath.normpath(text or ".")
        if plain == ".." or plain.startswith(("../", "/")) or "\0" in text:
            raise Forbidden(OUTSIDE)
    if _DRIVE.match(relative) or ("\\" in relative and not allows_backslash):
        raise Forbidden(OUTSIDE)
    plain = posixpath.normpath(relative or ".")
    return () if plain == "." else check_path(plain, allows_git=True)


def check_target(path: str, target: str) -> None:
    """Check the target of the link at `path`: a relative path of a valid length.

    Raises:
        Invalid: naming the link.
    """
    if not target or "\0" in target or len(os.fsencode(target)) > TARGET_BYTES:
        raise Invalid(
            f"path: {quoted_path(path)}: what the link leads to is not a path"
        )
    if target.startswith("/"):
        raise Invalid(
            f"path: {quoted_path(path)}: the link leads to an absolute path; "
            "a link must stay in its repository"
        )


def check_link(path: str, target: str) -> None:
    """Check that the link at `path` leads to a path below the root of `path`.

    The target need not exist: reading follows every link step by step.

    Raises:
        Invalid: naming the link.
    """
    check_target(path, target)
    place = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if place == ".." or place.startswith("../"):
        raise Invalid(
            f"path: {quoted_path(path)}: the link leads outside the repository"
        )


def _check_lengths(path: str, parts: tuple[str, ...]) -> None:
    try:
        length = len(path.encode())
    except UnicodeEncodeError:
        raise Invalid(
            f"path: {quoted_path(path)}: the name is not UTF-8; rename the file"
        ) from None
    if length > PATH_BYTES:
        raise Invalid(
            f"path: {quoted_path(path)}: over the limit of {PATH_BYTES} bytes"
        )
    if len(parts) > DEPTH:
        raise Invalid(f"path: {quoted_path(path)}: deeper than {DEPTH} folders")


def _reason(part: str) -> str | None:
    """Why a name is refused; None if it is not."""
    if part in ("", ".", ".."):
        return "it leads outside, or to no file"
    if "\0" in part:
        return "it holds a NUL character"
    if len(part.encode()) > PART_BYTES:
        return f"a name is over the limit of {PART_BYTES} bytes"
    return None
