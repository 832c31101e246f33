"""Checks names and paths that a stranger chose, before anything is opened by them.

A path of a tree (`check_path`) is refused unless it is plain. A path that a template
names (`normalise`) may hold dots as long as it stays below its root.
"""

import os
import posixpath
import re

from shared.contracts.errors import Forbidden, Invalid

#: What file systems take for one name.
PART_BYTES = 255
#: Leaves room below the system's 4,096 for the folder that the tree lies in.
PATH_BYTES = 2048
DEPTH = 64
#: What the system takes as a link's target.
TARGET_BYTES = 4095
_SHOWN = 200
_DRIVE = re.compile(r"[A-Za-z]:\\")
#: Ignored by HFS+ when it compares names; the list is Git's own.
_IGNORED = dict.fromkeys(
    [*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF]
)
OUTSIDE = "Relative path is not allowed to refer to a directory outside its parent"


def quoted_path(path: str) -> str:
    """A path as errors and logs name it: quoted, on one line, bounded."""
    text = path if len(path) <= _SHOWN else f"{path[:_SHOWN]}…"
    return repr(text)


def is_git_folder(name: str) -> bool:
    """Whether Git, on some file system, takes `name` for its own folder."""
    plain = name.translate(_IGNORED).casefold().partition(":")[0].rstrip(". ")
    return plain in {".git", "git~1"}


def check_path(path: str, *, allows_git: bool = False) -> tuple[str, ...]:
    """The parts of a tree's path, from the top.

    With `allows_git` a folder may be called `.git`: a place where no Git looks.

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

    `allows_backslash` is for the names of files that are there already.

    Raises:
        Forbidden: if it leads outside its root.
        Invalid: if a name in it breaks a rule.
    """
    # What leads outside with either separator is meant to, whatever this system says.
    for text in (relative, relative.replace("\\", "/")):
        plain = posixpath.normpath(text or ".")
        if plain == ".." or plain.startswith(("../", "/")) or "\0" in text:
            raise Forbidden(OUTSIDE)
    if _DRIVE.match(relative) or ("\\" in relative and not allows_backslash):
        raise Forbidden(OUTSIDE)
    plain = posixpath.normpath(relative or ".")
    return () if plain == "." else check_path(plain, allows_git=True)


def check_target(path: str, target: str) -> None:
    """Check what the link at `path` points to: a relative path of a sensible length.

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
    """Check that the link at `path` leads to a place below the root of `path`.

    The place need not exist: nothing is ever read through a link without following it
    part by part.

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
