"""Names of refs: what a short name of a branch, a tag or a commit stands for."""

import re

#: Characters and sequences that no ref's name has (git-check-ref-format).
INVALID_REF = re.compile(r"^[-/]|[\x00-\x20\x7f~^:?*\[\\]|\.\.|//|@\{|(/|\.|\.lock)$")
COMMIT = re.compile(r"[0-9a-f]{7,40}")


def is_ref_name(ref: str) -> bool:
    """Whether a ref may have this name."""
    return bool(ref) and INVALID_REF.search(ref) is None


def full_names(ref: str) -> list[str]:
    """The full names that a ref of this name may have; none if it is invalid."""
    if not ref:
        return ["HEAD"]
    if not is_ref_name(ref):
        return []
    if ref.startswith("refs/"):
        return [ref]
    names = [f"refs/heads/{ref}", f"refs/tags/{ref}", f"refs/{ref}"]
    return [*names, ref] if COMMIT.fullmatch(ref) else names
