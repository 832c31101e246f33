"""Pointers of Git LFS are told from files that only write about it."""

import pytest

from shared.contracts.errors import Invalid
from shared.guards.lfs_pointers import POINTER_BYTES, is_lfs_pointer
from shared.guards.yaml_text import load_documents, load_yaml
from tests.builders import LFS_POINTER


@pytest.mark.parametrize(
    ("body", "is_pointer"),
    [
        (LFS_POINTER, True),
        (LFS_POINTER.replace(b"oid", b"ext-0-a sha256:0\noid"), True),
        (LFS_POINTER.ljust(POINTER_BYTES), False),
        (b"# Pointers\n\n" + LFS_POINTER, False),
        (LFS_POINTER.partition(b"oid")[0] + b"is the first line of a pointer\n", False),
        (b"", False),
    ],
)
def test_pointers_are_recognised(body: bytes, is_pointer: bool) -> None:
    """By their first line, their object and their length."""
    assert is_lfs_pointer(body) is is_pointer


def test_yaml_that_is_a_pointer_is_refused() -> None:
    """The error says what to do, and names the file where its name is known."""
    advice = "the file is stored in Git LFS, which is not read: commit without LFS"
    with pytest.raises(Invalid, match=f"^{advice}$"):
        load_documents(LFS_POINTER)
    with pytest.raises(Invalid, match=f"^mkdocs.yml: {advice}$"):
        load_yaml(LFS_POINTER, label="mkdocs.yml")
