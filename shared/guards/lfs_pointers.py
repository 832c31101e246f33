"""Recognises pointers of Git LFS: files that stand for contents that are not read."""

from shared.contracts.errors import Invalid

#: By the format's specification a pointer begins so, and is shorter than this.
_BEGINNING = b"version https://git-lfs.github.com/spec/v1\n"
POINTER_BYTES = 1024
ADVICE = "stored in Git LFS, which is not read: commit without LFS"


def is_lfs_pointer(body: bytes) -> bool:
    """Whether a file's bytes are a pointer in place of its content."""
    is_short = len(body) < POINTER_BYTES
    return is_short and body.startswith(_BEGINNING) and b"\noid " in body


def refuse_lfs_pointer(body: bytes) -> None:
    """Raises Invalid, with advice, if the bytes of a file are a pointer."""
    if is_lfs_pointer(body):
        raise Invalid(f"the file is {ADVICE}")
