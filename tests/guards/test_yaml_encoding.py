"""A file in another encoding is refused with the way to mend it."""

import pytest

from shared.contracts.errors import Invalid
from shared.guards.yaml_text import load_documents

TEXT = "kind: Component\ntitle: Café à la carte\n"


@pytest.mark.parametrize(
    ("encoding", "problem"),
    [
        ("utf-16", "the file is UTF-16, not UTF-8"),
        ("utf-16-le", "the file is UTF-16, not UTF-8"),
        ("utf-16-be", "the file is UTF-16, not UTF-8"),
        ("utf-32", "the file is UTF-32, not UTF-8"),
        ("latin-1", "byte 26 is not UTF-8 at line 2, column 11"),
        ("cp1252", "byte 26 is not UTF-8 at line 2, column 11"),
    ],
)
def test_another_encoding_is_refused_by_name(encoding: str, problem: str) -> None:
    """The error says what to do."""
    with pytest.raises(Invalid) as raised:
        load_documents(TEXT.encode(encoding), label="all.yaml")
    expected = f"all.yaml: YAML error: {problem}: save it as UTF-8"
    assert raised.value.message == expected


@pytest.mark.parametrize(
    "text", [TEXT, "", "a", "\ufeffa: 1", "é", "日本: 語", "ab: c"]
)
def test_utf_8_is_read_with_and_without_a_mark(text: str) -> None:
    """With or without its mark, however short."""
    load_documents(text.encode())
